"""Study `fine-tuning`: what a new format and new facts cost, what they destroy, and what replay and LoRA save.

config.py      settings and presets
cells.py       the pieces of work: a model trained once, and fine-tuned in many ways
lesson.py      what fine-tuning tells, and what is asked on the way
evidence.py    what the runs measured, beside what the laws of their worlds say
claims.py      what is claimed, and the rules that judge it
charts.py      the figures
tables.py      the tables
"""

from twopart.studies.fine_tuning.config import PRESETS, Config
from twopart.studies.fine_tuning.study import plan, run

__all__ = ["PRESETS", "Config", "plan", "run"]
