"""Fit: training runs in a table -> a scaling law, and what there is to know about it.

sheet.py    a CSV or Parquet file as a header and rows of cells; what is wrong with it, on one line
columns.py  which column is what: other people's names for parameters, tokens, compute and loss
runs.py     a sheet as training runs, numbers checked line by line

    table = read_runs("runs.csv", Mapping(loss="eval/loss"))
"""

from twopart.tools.fit.columns import Mapping
from twopart.tools.fit.runs import RunTable, read_runs

__all__ = ["Mapping", "RunTable", "read_runs"]
