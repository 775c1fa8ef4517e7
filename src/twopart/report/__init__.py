"""Report: Findings -> claims, tables and figures on disk and one self-contained page. It knows findings and nothing else.

page.py     write_report: index.html and every file beside it
store.py    read_findings: a run folder's findings back, to build the page again
charts.py   what studies build their charts with
theme.py    colours and the look of charts

page = write_report(findings, "runs/demo", config={...}, environment={...})
"""

from twopart.report.charts import Axis, Kind
from twopart.report.figures import Drawn, Figure
from twopart.report.page import write_report
from twopart.report.store import read_findings

__all__ = ["Axis", "Drawn", "Figure", "Kind", "read_findings", "write_report"]
