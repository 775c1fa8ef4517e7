"""Laws of learning in context.

coding_rate.py        attention without softmax, layer by layer: what it does to the coding rate, raw and at fixed norm
context_hijacking.py  what L steps of gradient descent say after N copies of one adverse example
depth.py              what attention recalls, tells apart and memorises by depth and heads
hermite.py            what a nonlinearity does to a Gaussian: its Hermite coefficients and power
icl_tasks.py          pretraining one-step attention on tasks: risk, largest stable step, best step, ridge
memorization.py       a ridge probe of attention's features: what it memorises, beside ridge on the tokens
sparse_regression.py  descent on features scaled by X'y/n: risk beside the lasso and its kin, along the path, by heads
"""

from twopart.laws.in_context.coding_rate import rate_by_layer, softmax_series
from twopart.laws.in_context.context_hijacking import (
    Chance,
    Limits,
    Optimum,
    hijack_error,
    hijack_limits,
    hijack_logits,
    optimal_steps,
)
from twopart.laws.in_context.depth import codes, recall_accuracy, recall_capacity, separable, template_bayes
from twopart.laws.in_context.hermite import Hermite, hermite
from twopart.laws.in_context.icl_tasks import (
    Bayes,
    BestStep,
    Geometric,
    Moments,
    Order,
    bayes,
    moments,
    optimum,
    paper_bound,
    risk,
    second_moment,
    stable_step,
    trajectory,
)
from twopart.laws.in_context.memorization import (
    ActivationReport,
    MemorizationLaw,
    activation_report,
    feature_power,
    memorization_law,
    ridge_law,
)
from twopart.laws.in_context.sparse_regression import (
    PathRisk,
    best_risk,
    heads_risk,
    path_risk,
    shrink,
    shrinkage_risk,
)

__all__ = [
    "ActivationReport",
    "Bayes",
    "BestStep",
    "Chance",
    "Geometric",
    "Hermite",
    "Limits",
    "MemorizationLaw",
    "Moments",
    "Optimum",
    "Order",
    "PathRisk",
    "activation_report",
    "bayes",
    "best_risk",
    "codes",
    "feature_power",
    "heads_risk",
    "hermite",
    "hijack_error",
    "hijack_limits",
    "hijack_logits",
    "memorization_law",
    "moments",
    "optimal_steps",
    "optimum",
    "paper_bound",
    "path_risk",
    "rate_by_layer",
    "recall_accuracy",
    "recall_capacity",
    "ridge_law",
    "risk",
    "second_moment",
    "separable",
    "shrink",
    "shrinkage_risk",
    "softmax_series",
    "stable_step",
    "template_bayes",
    "trajectory",
]
