"""Size alone, for runs with so much data that more would not help.

    L(N) = E + A / N^alpha

Source: Kaplan et al. 2020 (arXiv 2001.08361), equation 1.1, with the irreducible loss E that Henighan et al. 2020
(arXiv 2010.14701) add. Limits: E as N grows. Gradient: `_powers.py`, one power.
"""

from twopart.fits.scaling.forms._form import EXPONENT, Form
from twopart.fits.scaling.forms._powers import power_excess, power_starts

MODEL = Form(
    name="model",
    formula="L = E + A / N^alpha",
    source="Kaplan et al. 2020, arXiv 2001.08361, equation 1.1; E from Henighan et al. 2020, arXiv 2010.14701",
    inputs=("params",),
    parameters=("E", "A", "alpha"),
    positive=("E", "A"),
    limits={"alpha": EXPONENT},
    code=0,
    starts=power_starts,
    excess=power_excess,
)
