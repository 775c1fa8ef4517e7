"""Study `capacity-law`: redundancy against parameters of models trained to convergence, beside the capacity law.

config.py    settings and presets
cells.py     the piece of work: one model trained on one finite world, and asked everything
evidence.py  models beside the law; bits per parameter, the one number that is fitted
claims.py    what is claimed, and the rules that judge it
tables.py, charts.py   what a reader sees
"""

from twopart.studies.capacity_law.config import PRESETS, Config
from twopart.studies.capacity_law.study import plan, run

__all__ = ["PRESETS", "Config", "plan", "run"]
