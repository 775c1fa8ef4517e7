"""Compute alone, for runs that spend it well.

    L(C) = E + A / C^gamma,     C in floating-point operations (6 N D where `flops` is not given)

Source: Kaplan et al. 2020 (arXiv 2001.08361), equation 1.3, with the irreducible loss E that Henighan et al. 2020
(arXiv 2010.14701) add. Limits: E as C grows. It holds on the compute-optimal frontier only: a bad split of C between N
and D costs more.
Gradient: `_powers.py`, one power.
"""

from twopart.fits.scaling.forms._form import EXPONENT, Form
from twopart.fits.scaling.forms._powers import power_excess, power_starts

COMPUTE = Form(
    name="compute",
    formula="L = E + A / C^gamma",
    source="Kaplan et al. 2020, arXiv 2001.08361, equation 1.3; E from Henighan et al. 2020, arXiv 2010.14701",
    inputs=("flops",),
    parameters=("E", "A", "gamma"),
    positive=("E", "A"),
    limits={"gamma": EXPONENT},
    code=0,
    starts=power_starts,
    excess=power_excess,
)
