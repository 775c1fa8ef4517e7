"""Learners of diffusion models and their kin.

orders.py     in what order, and how many at once, tokens of grids are decoded
parallel.py   decoders of token grids: layout, training, generation
"""

from twopart.learners.diffusion.orders import (
    Dependence,
    Plan,
    adjacent,
    cosine_groups,
    greedy,
    par_order,
    plan_order,
    random_groups,
    raster,
)
from twopart.learners.diffusion.parallel import (
    GridTransformer,
    generate,
    group_mask,
    parallel_code,
    train_order,
    with_transitions,
)

__all__ = [
    "Dependence",
    "GridTransformer",
    "Plan",
    "adjacent",
    "cosine_groups",
    "generate",
    "greedy",
    "group_mask",
    "par_order",
    "parallel_code",
    "plan_order",
    "random_groups",
    "raster",
    "train_order",
    "with_transitions",
]
