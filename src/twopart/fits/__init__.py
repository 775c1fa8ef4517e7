"""Fits: what measurements say. Estimators with intervals.

bins.py       means over logarithmic bins of a series
bootstrap.py  intervals over replicates, and how a claim about an estimate is judged
power_law.py  exponents read off log-log curves
"""

from twopart.fits.bins import LogBins, by_number
from twopart.fits.bootstrap import Estimate, bootstrap
from twopart.fits.power_law import slope

__all__ = ["Estimate", "LogBins", "bootstrap", "by_number", "slope"]
