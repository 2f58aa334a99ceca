"""Reads Parquet files that may be damaged: pyarrow's errors become `ValueError`, as Python's readers raise."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reading() -> Iterator[None]:
    """A block in which every error of pyarrow is a `ValueError`; some are of pyarrow's own type otherwise."""
    import pyarrow as pa  # takes 0.2 s, and is only needed for Parquet

    try:
        yield
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
