"""The forms of scaling laws, one file each: formula, source, gradient and limits. All go through one solver.

_form.py       what a form says about itself
_powers.py     the sum of powers that most of them are
chinchilla.py  E + A/N^alpha + B/D^beta
data.py        E + B/D^beta
model.py       E + A/N^alpha
compute.py     E + A/C^gamma
"""

from typing import Any

from twopart._numba import inlined
from twopart.fits.scaling.forms._form import Form
from twopart.fits.scaling.forms._powers import powers
from twopart.fits.scaling.forms.chinchilla import CHINCHILLA
from twopart.fits.scaling.forms.compute import COMPUTE
from twopart.fits.scaling.forms.data import DATA
from twopart.fits.scaling.forms.model import MODEL

__all__ = ["FORMS", "Form", "log_loss"]

FORMS = {form.name: form for form in (CHINCHILLA, DATA, MODEL, COMPUTE)}


@inlined
def log_loss(code: int, theta: Any, z: Any, gradient: Any, hessian: Any) -> float:
    """ln L of form number `code` at one run z; fills its gradient and the lower triangle of its Hessian."""
    return powers(theta, z, gradient, hessian)
