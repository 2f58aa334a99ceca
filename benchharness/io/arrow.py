"""Parquet files that may be damaged: pyarrow's own errors as the `ValueError` that Python's readers raise."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reading() -> Iterator[None]:
    """Whatever pyarrow finds wrong in the block is a `ValueError`: most of its errors are, some are of its own kind."""
    import pyarrow as pa  # 0.2 s, and only needed where Parquet is read

    try:
        yield
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
