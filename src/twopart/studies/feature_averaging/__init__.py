"""Study `feature-averaging`: what gradient descent makes of orthogonal clusters, and how little it takes to break it.

config.py     settings and presets
cells.py      the independent pieces of work on clusters: train a batch of networks, look at them, attack them
images.py     the same for real images
evidence.py   what the cells measured, by kind of cell
claims.py     what is claimed, and the rules that judge it
tables.py     what was measured beside the law
charts.py     the figures
estimates.py  what a cell takes
"""

from twopart.studies.feature_averaging.config import PRESETS, Config
from twopart.studies.feature_averaging.study import plan, run

__all__ = ["PRESETS", "Config", "plan", "run"]
