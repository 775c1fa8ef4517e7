"""Study `hallucination`: what a model says about facts that it cannot know, and whether it knows that.

config.py    settings and presets
cells.py     the piece of work: one training run, asked the questions of a held-out sample at two moments
answers.py   what one run answered at one moment, and the statistics of it: rates, risk, calibration
evidence.py  the runs side by side, and what the law predicts for them from their redundancy
claims.py    what is claimed, and the rules that judge it
tables.py, charts.py   the tables and figures
"""

from twopart.studies.hallucination.config import PRESETS, Config
from twopart.studies.hallucination.study import plan, run

__all__ = ["PRESETS", "Config", "plan", "run"]
