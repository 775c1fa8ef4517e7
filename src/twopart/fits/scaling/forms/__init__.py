"""The forms of scaling laws, one file each: formula, source, gradient and limits. All go through one solver.

_form.py       what a form says about itself
_excess.py     what it says to a plan: its excess over the floor, and the inputs that a goal needs
_powers.py     derivatives of sums of powers, which most forms are
_terms.py      derivatives of sums of any other terms
chinchilla.py  E + A/N^alpha + B/D^beta
kaplan.py      [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D
data.py        E + B/D^beta
model.py       E + A/N^alpha
compute.py     E + A/C^gamma
repeated.py    data that runs out: effective tokens and parameters
broken.py      a power law that changes its exponent
precision.py   effective parameters of training in few bits
knowledge.py   both exponents from one discount
"""

from typing import Any

from twopart._simd import simd_kernel
from twopart.fits.scaling.forms._excess import Excess, Fall, Split
from twopart.fits.scaling.forms._form import FAINT, FLOOR, Form
from twopart.fits.scaling.forms._powers import powers
from twopart.fits.scaling.forms.broken import BROKEN, broken
from twopart.fits.scaling.forms.chinchilla import CHINCHILLA
from twopart.fits.scaling.forms.compute import COMPUTE
from twopart.fits.scaling.forms.data import DATA
from twopart.fits.scaling.forms.kaplan import KAPLAN, kaplan
from twopart.fits.scaling.forms.knowledge import KNOWLEDGE, knowledge
from twopart.fits.scaling.forms.model import MODEL
from twopart.fits.scaling.forms.precision import PRECISION, precision
from twopart.fits.scaling.forms.repeated import REPEATED, repeated

__all__ = ["FAINT", "FLOOR", "FORMS", "Excess", "Fall", "Form", "Split", "evaluate"]

FORMS = {form.name: form for form in (CHINCHILLA, KAPLAN, DATA, MODEL, COMPUTE, REPEATED, BROKEN, PRECISION, KNOWLEDGE)}


@simd_kernel
def evaluate(code: int, theta: Any, z: Any, value: Any, slopes: Any, curves: Any) -> None:
    """ln L of form number `code` at n runs z, shape (inputs, n), with gradients and the lower triangles of the Hessians."""
    if code == 0:
        powers(theta, z, value, slopes, curves)
    elif code == 1:
        knowledge(theta, z, value, slopes, curves)
    elif code == 2:
        kaplan(theta, z, value, slopes, curves)
    elif code == 3:
        precision(theta, z, value, slopes, curves)
    elif code == 4:
        broken(theta, z, value, slopes, curves)
    else:
        repeated(theta, z, value, slopes, curves)
