"""Fit: training runs in a table -> a scaling law, and what there is to know about it.

sheet.py     a CSV or Parquet file as a header and rows of cells; what is wrong with it, on one line
columns.py   which column is what: other people's names for parameters, tokens, compute and loss
runs.py      a sheet as training runs, numbers checked line by line
fitted.py    a table and a form -> a fit, with its runs called by name
findings.py  a fit -> claims, tables and charts; with claims.py and charts.py

    fitted = fit_table(read_runs("runs.csv", Mapping(loss="eval/loss")))
    fitted.fit.write("law.json")
    write_report(findings(fitted), "runs/fit", config={}, environment={})
"""

from twopart.tools.fit.columns import Mapping
from twopart.tools.fit.findings import findings
from twopart.tools.fit.fitted import Fitted, fit_table
from twopart.tools.fit.runs import RunTable, read_runs

__all__ = ["Fitted", "Mapping", "RunTable", "findings", "fit_table", "read_runs"]
