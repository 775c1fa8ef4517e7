"""Laws of diffusion models and their kin.

collapse.py    what an error of the score at one noise level does to samples, and what one level's fit costs another
denoising.py   what errors of denoising at each noise level are worth in nats, and errors of one prediction as another's
parallel.py    what generating groups of tokens at once loses
random_features.py  training and consistency distillation of random features, exact at every time
tokenizers.py  what masked autoencoders code
rules.py       hidden rules: what restricted denoisers make of them, what they are worth, where guidance can act
"""

from twopart.laws.diffusion.collapse import SeeSaw, churn_to_forget, see_saw, sensitivity, variance_ratio
from twopart.laws.diffusion.denoising import ModeError, Nats, error_factor, gaussian_loss, mode_error, nats
from twopart.laws.diffusion.parallel import (
    decoded,
    decoding_steps,
    gaussian_bits,
    gaussian_cost,
    gaussian_order_loss,
    order_loss,
    sampled_order_loss,
    table_cost,
    unfitted,
)
from twopart.laws.diffusion.random_features import Level, Moments, chain, regression, rounded_share
from twopart.laws.diffusion.rules import (
    affine_rule_error,
    band_auc,
    band_law,
    residual_nats,
    rule_information,
    separable_rule_error,
    share_nats,
)
from twopart.laws.diffusion.tokenizers import MaskedCode, MaskPlan, masked_code, suggest_mask, switch_ratio

__all__ = [
    "Level",
    "MaskPlan",
    "MaskedCode",
    "ModeError",
    "Moments",
    "Nats",
    "SeeSaw",
    "affine_rule_error",
    "band_auc",
    "band_law",
    "chain",
    "churn_to_forget",
    "decoded",
    "decoding_steps",
    "error_factor",
    "gaussian_bits",
    "gaussian_cost",
    "gaussian_loss",
    "gaussian_order_loss",
    "masked_code",
    "mode_error",
    "nats",
    "order_loss",
    "regression",
    "residual_nats",
    "rounded_share",
    "rule_information",
    "sampled_order_loss",
    "see_saw",
    "sensitivity",
    "separable_rule_error",
    "share_nats",
    "suggest_mask",
    "switch_ratio",
    "table_cost",
    "unfitted",
    "variance_ratio",
]
