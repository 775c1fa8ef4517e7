"""Study `joint-law`: loss over a grid of model sizes and data sizes, beside the surface that the joint law predicts.

config.py    settings and presets
cells.py     the piece of work: one pass of one model, examined at every data size
evidence.py  the grid beside the law; bits per parameter and exposures, the two numbers that are fitted
claims.py    what is claimed, and the rules that judge it
tables.py, charts.py   what a reader sees; runs.csv, which `twopart fit` reads
"""

from twopart.studies.joint_law.config import PRESETS, Config
from twopart.studies.joint_law.study import plan, run

__all__ = ["PRESETS", "Config", "plan", "run"]
