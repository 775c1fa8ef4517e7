"""Study `data-law`: redundancy per sentence against sentences seen, in theory, of the Bayes code, and of transformers.

config.py  settings and presets
cells.py   the independent pieces of work: one simulation of the Bayes code, one training run
claims.py  what is claimed, and the rules that judge it
charts.py  the figures
"""

from twopart.studies.data_law.config import PRESETS, Config
from twopart.studies.data_law.study import plan, run

__all__ = ["PRESETS", "Config", "plan", "run"]
