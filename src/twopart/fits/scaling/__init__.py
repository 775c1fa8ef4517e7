"""Scaling laws: loss as a function of parameters, tokens, compute; fitted, doubted, and turned into plans.

forms/         the formulas, one file each
runs.py        training runs, checked
objective.py   what is minimised: Huber, least absolute deviations, squares, on the logarithm of the loss
solver.py      damped Newton with exact Hessians, thousands of problems in one call
starts.py      the optimum, searched from many places
resampling.py  the bootstrap
uncertainty.py the sandwich covariance
profile.py     profile likelihood
judgement.py   outliers, and the largest runs left out
curve.py       a fitted curve: parameters, draws, predictions
allocation.py  what to train with so much compute
storage.py     law.json, after law.schema.json
law.py         a curve with its plans and its file
fitted.py      a law with its runs and the doubts about it
notes.py       the same in words
fit.py         `scaling_law`: runs -> ScalingFit
frontier.py    the best size at each budget without a formula: IsoFLOP profiles, envelopes of training curves
"""

from twopart.fits.scaling.allocation import Plan
from twopart.fits.scaling.curve import Prediction
from twopart.fits.scaling.fit import ScalingFit, scaling_law
from twopart.fits.scaling.forms import FORMS, Form
from twopart.fits.scaling.frontier import Frontier, envelope, isoflop
from twopart.fits.scaling.law import Law
from twopart.fits.scaling.storage import schema

__all__ = [
    "FORMS",
    "Form",
    "Frontier",
    "Law",
    "Plan",
    "Prediction",
    "ScalingFit",
    "envelope",
    "isoflop",
    "scaling_law",
    "schema",
]
