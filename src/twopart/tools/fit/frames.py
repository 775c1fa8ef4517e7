"""Tables whose cells have types: Parquet, Arrow, Excel workbooks. Structs are unfolded, `config.n_params`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

from twopart._checks import InputError
from twopart.tools.fit.delimited import table
from twopart.tools.fit.sheet import Sheet


def parquet(path: Path, data: bytes) -> Sheet:
    try:
        return _arrow_sheet(path, pq.ParquetFile(pa.BufferReader(data)).read())
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged Parquet; write it again") from error


def arrow(path: Path, data: bytes) -> Sheet:
    """Arrow's own format, which is Feather's too."""
    try:
        return _arrow_sheet(path, feather.read_table(pa.BufferReader(data)))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged Arrow file; write it again") from error


def _arrow_sheet(path: Path, read: pa.Table) -> Sheet:
    while any(pa.types.is_struct(field.type) for field in read.schema):
        read = read.flatten()
    columns = tuple(_series(column) for column in read.columns)
    sheet = Sheet(path, tuple(read.column_names), columns, range(1, read.num_rows + 1), "row")
    if not read.num_rows:
        raise sheet.fault("there are no rows; add one for each training run")
    return sheet


def _series(column: pa.ChunkedArray) -> pl.Series:
    """Numbers as floats, categories and bytes as text, all else as it is."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type) or pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return pl.Series(column.cast(pa.float64(), safe=False).to_numpy())
    if str(column.type) in ("string", "large_string", "string_view", "binary", "large_binary"):
        return pl.Series(column.cast(pa.large_string()).to_pylist(), dtype=pl.String)
    return pl.Series(column.to_pylist(), dtype=pl.Object)


def workbook(path: Path, data: bytes) -> Sheet:
    """The first sheet of an Excel or LibreOffice workbook, its cells as text."""
    if find_spec("fastexcel") is None:
        raise InputError(f"{path} is a workbook or an archive; save the sheet as CSV, or `pip install twopart[excel]`")
    import fastexcel

    try:
        book: Any = fastexcel.read_excel(data)
        frame = book.load_sheet(0, header_row=None, skip_rows=0, dtypes="string").to_polars()
    except Exception as error:  # whatever its Rust parts raise
        raise InputError(f"{path}: no workbook that can be read; save the sheet as CSV") from error
    cells = [["" if cell is None else str(cell) for cell in row] for row in frame.iter_rows()]
    numbered = [(line, row) for line, row in enumerate(cells, 1) if any(row)]
    name = f"sheet {book.sheet_names[0]!r} of {len(book.sheet_names)}"
    return table(path, numbered, None, (f"read from the {name}",) if len(book.sheet_names) > 1 else ())
