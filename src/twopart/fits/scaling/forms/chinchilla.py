"""Parameters and data each take their own share of the loss.

    L(N, D) = E + A / N^alpha + B / D^beta

Source: Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models" (arXiv 2203.15556), equation 2, approach 3.
Limits: E as both grow; A/N^alpha is what data cannot mend, B/D^beta what size cannot.
Gradient: `_powers.py`, two powers.
"""

from twopart.fits.scaling.forms._form import EXPONENT, Form
from twopart.fits.scaling.forms._powers import power_excess, power_starts

CHINCHILLA = Form(
    name="chinchilla",
    formula="L = E + A / N^alpha + B / D^beta",
    source="Hoffmann et al. 2022, arXiv 2203.15556, equation 2",
    inputs=("params", "tokens"),
    parameters=("E", "A", "B", "alpha", "beta"),
    positive=("E", "A", "B"),
    limits={"alpha": EXPONENT, "beta": EXPONENT},
    code=0,
    starts=power_starts,
    excess=power_excess,
)
