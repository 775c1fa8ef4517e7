"""Study `acquisition`: which fact is known when, by its frequency, during training and across model sizes.

config.py      settings and presets
cells.py       the piece of work: one training run, asked for every fact at every snapshot
thresholds.py  when a fact is learned, and down to which frequency facts are known
evidence.py    what the runs of one size measured, beside what the law of their worlds says
claims.py      what is claimed, and the rules that judge it
charts.py      the figures
"""

from twopart.studies.acquisition.config import PRESETS, Config
from twopart.studies.acquisition.study import plan, run

__all__ = ["PRESETS", "Config", "plan", "run"]
