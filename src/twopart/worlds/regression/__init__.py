"""Worlds of regression: inputs with a known covariance, answers that are linear in them but for noise.

linear_truth.py     what worlds share: a truth under inputs of known variances, samples that are addressed
least_squares.py    independent coordinates with a given spectrum, Gaussian or of random sign
sketch.py           features of least squares, and second moments of a user's own
covariate_shift.py  two domains with one truth, whose inputs have different covariances
benign_shift.py     such domains: interpolation is benign on one, and noise shifts the inputs of the other
relu_neuron.py      one ReLU neuron, under Gaussian inputs or axes of random sign, with right labels and wrong ones
separable.py        classes that a linear map tells apart, and handwritten digits as such
arc_cosine.py       what two ReLU neurons have in common
covariances.py      variances or a matrix, and what both can do
digits.py           real data: the parity of handwritten digits; shifted_digits.py: turned, noisy or blurred
arrays.py           what is asked of a user's own inputs, answers and learning rates
"""

from twopart.worlds.regression.benign_shift import benign_shift
from twopart.worlds.regression.covariate_shift import CovariateShift
from twopart.worlds.regression.digits import DigitParity
from twopart.worlds.regression.least_squares import LeastSquares, Regression
from twopart.worlds.regression.relu_neuron import ReluNeuron
from twopart.worlds.regression.separable import DigitClasses, SeparableClasses
from twopart.worlds.regression.shifted_digits import ShiftedDigits, shift_images
from twopart.worlds.regression.sketch import SecondMoments, Sketch

__all__ = [
    "CovariateShift",
    "DigitClasses",
    "DigitParity",
    "LeastSquares",
    "Regression",
    "ReluNeuron",
    "SecondMoments",
    "SeparableClasses",
    "ShiftedDigits",
    "Sketch",
    "benign_shift",
    "shift_images",
]
