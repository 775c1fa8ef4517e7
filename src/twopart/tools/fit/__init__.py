"""Fit: training runs in a table -> a scaling law, and what there is to know about it.

sheet.py     a header and columns of cells, as written
reading.py   a file as a sheet: delimited.py (text of any dialect), records.py (JSON), frames.py (Parquet, Arrow, workbooks)
columns.py   which column is what: other people's names for parameters, tokens, compute and loss
units.py     one table of units, and the phrases that name them, in headers and cells
cells.py     columns of text as numbers: decimal commas, thousands, gaps
quantities.py  columns in base units
losses.py    the unit of the loss
plausible.py whether sizes, tokens and compute can be what they are taken for
repeats.py   copies, sweeps and training curves
rows.py      which rows are runs, and what they are called
runs.py      all of these in turn: a file as training runs
fitted.py    a table and a form -> a fit, with its runs called by name
batches.py   sweeps over batch sizes -> the critical batch size of each; batch_findings.py  that as a report
findings.py  a fit -> claims, tables and charts; with claims.py and charts.py

    fitted = fit_table(read_runs("runs.csv", Mapping(loss="eval/loss")))
    fitted.fit.write("law.json")
    write_report(findings(fitted), "runs/fit", config={}, environment={})
"""

from twopart.tools.fit.batches import BatchFit, fit_batches
from twopart.tools.fit.columns import Mapping
from twopart.tools.fit.findings import findings
from twopart.tools.fit.fitted import Fitted, fit_table
from twopart.tools.fit.runs import RunTable, read_runs

__all__ = ["BatchFit", "Fitted", "Mapping", "RunTable", "findings", "fit_batches", "fit_table", "read_runs"]
