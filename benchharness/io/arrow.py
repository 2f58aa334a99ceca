"""Reads Parquet files that may be damaged: pyarrow's errors become `ValueError`, as Python's readers raise."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reading() -> Iterator[None]:
    """Within a `with` block, every error of pyarrow becomes a `ValueError`; some have a type of their own otherwise."""
    import pyarrow as pa  # takes 0.2 s, and is only needed for Parquet

    try:
        yield
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
