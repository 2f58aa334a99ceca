"""Reads CSV, JSON and Parquet files as data frames, in the dialects of other programs and countries."""

import gzip
import io
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchharness import space
from benchharness.errors import UserError
from benchharness.io import arrow
from benchharness.io.archives import DAMAGE
from benchharness.io.files import open_file, read_up_to
from benchharness.table.notation import read_cell

if TYPE_CHECKING:
    import pandas as pd

FORMS: Final = {"csv": "csv", "tsv": "csv", "json": "json", "jsonl": "json", "parquet": "parquet"}
"""Format by file ending; CSV and JSON may also be gzipped."""
_NAME: Final = re.compile(rf"(?P<stem>.+)\.(?P<ending>{'|'.join(FORMS)})(?P<gzip>\.gz)?", re.IGNORECASE)
_COPY: Final = re.compile(r" ?\(\d{1,3}\)(?=\.|$)")
"""Suffix that browsers add when they download a file again."""
_ROWS_LIMIT: Final = 4 * space.SIZE
_VALUES_LIMIT: Final = 16 * _ROWS_LIMIT
"""Values of one column, lists taken apart."""
LIMIT_BYTES: Final = 1 << 27
_HEADER_BYTES: Final = 1 << 16
_SEPARATORS: Final = ",;\t|"
_EXCELS_LINE: Final = re.compile(r'\A\s*"?sep=[,;\t|]"?\n')
"""First line by which files tell Excel the separator."""
_DECIMAL: Final = re.compile(r"-?\d+,\d+", re.ASCII)
_THOUSANDS: Final = re.compile(r"-?[1-9]\d{0,2},\d{3}", re.ASCII)


def without_copy_suffix(name: str) -> str:
    """`name` without the suffix that a browser added."""
    return _COPY.sub("", name)


def form(path: Path) -> str:
    """`csv`, `json` or `parquet` by the file's name; empty for other names."""
    match = _NAME.fullmatch(without_copy_suffix(path.name))
    is_table = match and not (match["gzip"] and match["ending"].lower() == "parquet")
    return FORMS[match["ending"].lower()] if match and is_table else ""


def stem(path: Path) -> str:
    """The file's name without its ending."""
    match = _NAME.fullmatch(without_copy_suffix(path.name))
    return match["stem"] if match else path.stem


def names(path: Path, is_column: Callable[[str], bool]) -> set[str]:
    """The columns' names, or for JSON the keys it mentions that `is_column` accepts; raises `ValueError` if damaged."""
    if form(path) == "parquet":
        import pyarrow.parquet as parquet  # takes 0.2 s, and is only needed for Parquet

        with arrow.reading(), open_file(path, LIMIT_BYTES) as file:
            return set(parquet.read_schema(file).names)
    if form(path) == "csv":
        return set(_header(_text(path, _HEADER_BYTES)))
    text = _text(path)
    keys = {"arch"} if re.search(r'"\|[^"]{20,200}\|"\s*:', text) else set()
    return set(filter(is_column, re.findall(r'"([\w.+-]{1,200})"', text))) | keys


def read_frame(path: Path, is_wanted: Callable[[str], bool]) -> "pd.DataFrame":
    """The rows of the file at `path`, of Parquet only the columns that are `is_wanted`.

    Raises `UserError` if the file is damaged, has no rows or more than four per architecture, or has two columns of one
    name.
    """
    import pandas as pd

    if not form(path):
        endings = ", ".join(f".{ending}" for ending in FORMS)
        raise UserError(f"{path} is no table: its name has to end in {endings} (all but Parquet may be gzipped: .gz)")
    readers: dict[str, Callable[..., pd.DataFrame]] = {"parquet": _parquet, "csv": _csv, "json": _json}
    try:
        rows = readers[form(path)](path, is_wanted)
    except UserError:
        raise
    except (*DAMAGE, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise UserError(f"{path} cannot be read as {form(path).upper()} ({reason})") from None
    rows.columns = pd.Index([_short(name) for name in rows.columns])
    if not rows.columns.is_unique:
        raise UserError(f"{path} has two columns of one name")
    if not 0 < len(rows) <= _ROWS_LIMIT:
        raise UserError(f"{path} has {len(rows) or 'no'} rows; NAS-Bench-201 has {space.SIZE:,}")
    return rows


def floats(column: "pd.Series[Any]") -> Any:
    """A column as numbers, with decimal points or commas; raises `UserError` if it does not hold numbers."""
    if column.dtype.kind not in "iufb":
        texts = column.dropna().astype(str).str.strip()
        # "2,888" alone may mean thousands: a comma is decimal if at least one value shows that it is.
        has_commas = any("," in text for text in texts)
        if has_commas and texts.map(lambda text: _DECIMAL.fullmatch(text) or text.isdecimal()).all():
            if all(_THOUSANDS.fullmatch(text) or text.isdecimal() for text in texts):
                raise UserError(f"column {column.name!r}: are commas as in {texts.iloc[0]!r} decimal, or of thousands?")
            column = column.astype(str).str.strip().str.replace(",", ".")
    try:
        return column.to_numpy(np.float64)
    except (ValueError, TypeError) as error:
        raise UserError(f"column {column.name!r} is not of numbers: {str(error)[:80]}") from None


def _short(name: object) -> str:
    return " ".join(str(name).split())[:80]


def _text(path: Path, limit: int = LIMIT_BYTES) -> str:
    """The text of at most `limit` bytes of a file, decompressed and without a byte order mark."""
    with open_file(path, LIMIT_BYTES) as stream:
        is_packed = without_copy_suffix(path.name).lower().endswith(".gz")
        data = read_up_to(gzip.GzipFile(fileobj=stream) if is_packed else stream, limit + 1)
    if len(data) > LIMIT_BYTES:
        raise UserError(f"{path} unpacks to more than {LIMIT_BYTES} bytes; no table of this kind does")
    coding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = data.decode(coding, "strict" if len(data) <= limit else "ignore")
    return text.replace("\r\n", "\n").replace("\r", "\n")  # old Macs ended lines with a carriage return alone


def _header(text: str) -> list[str]:
    import csv

    line = _rows(text).partition("\n")[0]
    try:
        return [_short(name) for name in next(csv.reader([line], delimiter=_separator(line)), [])]
    except csv.Error as error:
        raise ValueError(f"its first line: {error}") from None


def _rows(text: str) -> str:
    """The text from the line of column names on."""
    return _EXCELS_LINE.sub("", text).lstrip("\n")


def _separator(line: str) -> str:
    outside = re.sub(r'"[^"]*"', "", line)
    return max(_SEPARATORS, key=outside.count)


def _csv(path: Path, _: Callable[[str], bool]) -> "pd.DataFrame":
    import pandas as pd

    text = _rows(_text(path))
    header = _header(text)
    if len(set(header)) < len(header):
        raise UserError(f"{path} has two columns of one name")
    separator = _separator(text.partition("\n")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header, which pandas would cut
        try:
            return pd.read_csv(io.StringIO(text), sep=separator, nrows=_ROWS_LIMIT + 1, index_col=False)
        except pd.errors.ParserWarning as warning:
            raise UserError(f"{path} has rows of more values than its header has names ({warning})") from None


def _parquet(path: Path, is_wanted: Callable[[str], bool]) -> Any:
    """The wanted columns, whether pandas wrote them as columns or as an index."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with arrow.reading(), open_file(path, LIMIT_BYTES) as stream:
        texts = [field.name for field in parquet.read_schema(stream) if pa.types.is_string(field.type)]
        file = parquet.ParquetFile(stream, read_dictionary=texts)
        metadata = file.metadata
        if metadata.num_rows > _ROWS_LIMIT:
            raise UserError(f"{path} has {metadata.num_rows} rows; NAS-Bench-201 has {space.SIZE:,}")
        for group in range(metadata.num_row_groups):
            chunks = [
                metadata.row_group(group).column(column) for column in range(metadata.row_group(group).num_columns)
            ]
            # A value written once may stand for millions, so the file's size does not bound the memory.
            if any(_is_vast(chunk) for chunk in chunks):
                raise UserError(f"{path} is refused: it unpacks to more values than any table has")
        columns = [name for name in file.schema_arrow.names if is_wanted(name)]
        rows = file.read(columns=columns)
        rows.validate(full=True)  # texts are decoded when first used, and may not be UTF-8
        return rows.to_pandas(ignore_metadata=True)


def _is_vast(chunk: Any) -> bool:
    return bool(chunk.num_values > _VALUES_LIMIT or chunk.total_uncompressed_size > LIMIT_BYTES)


def _json(path: Path, is_wanted: Callable[[str], bool]) -> "pd.DataFrame":
    """Reads JSON in any of pandas' layouts, as rows by architecture, or in NASLib's (by data set and architecture)."""
    import pandas as pd

    value = _decoded(_text(path))
    if isinstance(value, dict) and "data" in value and (value.keys() & {"columns", "schema"}):
        return pd.DataFrame(value["data"], columns=value.get("columns"))
    if isinstance(value, dict) and value and all(isinstance(row, dict) for row in value.values()):
        return _of_objects(value, is_wanted)
    return pd.DataFrame(value)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _of_objects(objects: dict[str, dict[str, Any]], is_wanted: Callable[[str], bool]) -> "pd.DataFrame":
    import pandas as pd

    first = next(iter(objects.values()))
    if _is_cell(next(iter(objects))):
        return pd.DataFrame([{"arch": arch, **row} for arch, row in objects.items()])
    if first and _is_cell(next(iter(first))):
        if all(isinstance(row, dict) for rows in objects.values() for row in rows.values()):
            return _of_data_sets(objects)
        return pd.DataFrame(objects).rename_axis("arch").reset_index()
    return pd.DataFrame(objects if any(map(is_wanted, objects)) else list(objects.values()))


def _of_data_sets(data_sets: dict[str, dict[str, Any]]) -> "pd.DataFrame":
    """NASLib's figures, with columns per data set, such as `cifar10_val_accuracy`."""
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for dataset, cells in data_sets.items():
        for arch, values in cells.items():
            single = {name: value.get("score") if isinstance(value, dict) else value for name, value in values.items()}
            rows.setdefault(arch, {"arch": arch}).update(
                {f"{dataset}_{name}": figure for name, figure in single.items()}
            )
    return pd.DataFrame(list(rows.values()))


def _is_cell(text: str) -> bool:
    try:
        read_cell(text)
    except UserError:
        return False
    return True
