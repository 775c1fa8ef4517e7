"""Data alone, for models so large that size no longer matters.

    L(D) = E + B / D^beta

Source: Kaplan et al. 2020 (arXiv 2001.08361), equation 1.2, with the irreducible loss E that Henighan et al. 2020
(arXiv 2010.14701) add. Limits: E as D grows. Gradient: `_powers.py`, one power.
"""

from twopart.fits.scaling.forms._form import EXPONENT, Form
from twopart.fits.scaling.forms._powers import power_excess, power_starts

DATA = Form(
    name="data",
    formula="L = E + B / D^beta",
    source="Kaplan et al. 2020, arXiv 2001.08361, equation 1.2; E from Henighan et al. 2020, arXiv 2010.14701",
    inputs=("tokens",),
    parameters=("E", "B", "beta"),
    positive=("E", "B"),
    limits={"beta": EXPONENT},
    code=0,
    starts=power_starts,
    excess=power_excess,
)
