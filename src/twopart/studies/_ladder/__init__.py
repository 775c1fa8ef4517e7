"""What studies over model sizes share: a ladder of widths, the model at each rung, the world it reads, how it is trained.

ladder.py    a ladder is a tuple of widths; the shape of a model of a width
training.py  settings to convergence on a finite world, and in one pass over an endless one; estimates
world.py     small biographies for small models, one world per replicate
"""

from twopart.studies._ladder.ladder import check_widths, heads_of, shape
from twopart.studies._ladder.training import converge, estimate_runs, one_pass
from twopart.studies._ladder.world import biographies, world_seed

__all__ = [
    "biographies",
    "check_widths",
    "converge",
    "estimate_runs",
    "heads_of",
    "one_pass",
    "shape",
    "world_seed",
]
