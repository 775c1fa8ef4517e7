"""Report: Findings -> claims, tables and figures on disk and one self-contained page. It knows findings and nothing else.

page.py      write_report: index.html and every file beside it
store.py     read_findings: a run folder's findings back, to build the page again
figures.py   figures as studies declare them: Figure, HeatMap, Drawn
charts.py    curves of theory, simulation and learners; the look of any other chart
heat_map.py  rectangles and cells coloured by a number
frontiers.py two parts of a whole against each other
theme.py     colours and the look of charts

page = write_report(findings, "runs/demo", config={...}, environment={...})
"""

from twopart.report._axes import Axis, Kind
from twopart.report.figures import Drawn, Figure, HeatMap, at_most
from twopart.report.page import write_report
from twopart.report.store import read_findings

__all__ = ["Axis", "Drawn", "Figure", "HeatMap", "Kind", "at_most", "read_findings", "write_report"]
