"""Learners of diffusion: the kit that studies of diffusion models share, for anybody's network, and decoders of token grids.

samplers.py    along a grid of times from noise to data or back: Euler, Heun, DDIM, with churn; guidance
denoisers.py   small networks, and anybody's in the same place, those of diffusers too
denoising.py   training, many networks of one shape at once; errors by noise
densities.py   what the ODE takes the density to be
distill.py     consistency distillation of any networks, and what a map has memorised
distill_clock.py  how long to distil
two_stage.py   two denoisers in place of one; by how much a score is too strong; whether samples are too dense
orders.py      in what order, and how many at once, tokens of grids are decoded
parallel.py    decoders of token grids: what they are fed, training, generation
tokenizer.py   masked autoencoders, anybody's and small ones, and what their latents are like
rules.py       classifiers that tell who keeps a hidden rule
"""

from twopart.learners.diffusion.denoisers import (
    ConvDenoiser,
    MLPDenoiser,
    RandomFeatureDenoiser,
    Wrapped,
    from_diffusers,
    wrap,
)
from twopart.learners.diffusion.denoising import (
    Denoised,
    Gap,
    error_by_noise,
    rule_budget,
    train_denoisers,
    train_test_gap,
)
from twopart.learners.diffusion.densities import Line, line_density, log_density
from twopart.learners.diffusion.distill import Consistency, consistency_distill, levels
from twopart.learners.diffusion.distill_clock import DistillationClock, distillation_clock
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
from twopart.learners.diffusion.rules import ContrastiveRule, filtered, perturb, roc_area, shuffle
from twopart.learners.diffusion.samplers import guided, pure_noise, sample
from twopart.learners.diffusion.tokenizer import (
    LatentReport,
    MaskedTokenizer,
    MaskRatio,
    fit,
    hog,
    latent_report,
    small_tokenizer,
    tune_decoder,
)
from twopart.learners.diffusion.two_stage import Concentration, TwoStage, concentration, strength

__all__ = [
    "Concentration",
    "Consistency",
    "ContrastiveRule",
    "ConvDenoiser",
    "Denoised",
    "Dependence",
    "DistillationClock",
    "Gap",
    "GridTransformer",
    "LatentReport",
    "Line",
    "MLPDenoiser",
    "MaskRatio",
    "MaskedTokenizer",
    "Plan",
    "RandomFeatureDenoiser",
    "TwoStage",
    "Wrapped",
    "adjacent",
    "concentration",
    "consistency_distill",
    "cosine_groups",
    "distillation_clock",
    "error_by_noise",
    "filtered",
    "fit",
    "from_diffusers",
    "generate",
    "greedy",
    "group_mask",
    "guided",
    "hog",
    "latent_report",
    "levels",
    "line_density",
    "log_density",
    "par_order",
    "parallel_code",
    "perturb",
    "plan_order",
    "pure_noise",
    "random_groups",
    "raster",
    "roc_area",
    "rule_budget",
    "sample",
    "shuffle",
    "small_tokenizer",
    "strength",
    "train_denoisers",
    "train_order",
    "train_test_gap",
    "tune_decoder",
    "with_transitions",
    "wrap",
]
