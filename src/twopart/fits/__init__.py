"""Fits: what measurements say. Estimators with intervals.

bins.py       means over logarithmic bins of a series
power_law.py  exponents read off log-log curves, with bootstrap intervals over replicates, and how a claim about them is judged
"""

from twopart.fits.bins import LogBins
from twopart.fits.power_law import Slope, power_law_slope

__all__ = ["LogBins", "Slope", "power_law_slope"]
