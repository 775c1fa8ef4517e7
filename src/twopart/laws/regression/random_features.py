"""Random features under shift: the risk of given ones, of infinitely many, and what a finite width or an ensemble adds.

    law = width_law(x, x_shifted, y)      # ReLU features; inputs of the test without labels; y may be left out
    law.variance([128, 512, np.inf])      # of the answers, in units of the labels' noise, at these widths
    law.variance(128, ensemble=4)         # of the mean of four such models
    law.cost(128)                         # squared distance from the infinitely wide model's answers, for these labels
    law.width_for(0.1)                    # the width from which on narrowness adds less than a tenth to the variance
    law.doubt                             # input by input: where a narrow model is worst

    exact_risk(weights, maps, x, truth, covariance=world.covariance)      # of given weights, on Gaussian inputs, no test set

Fits of least norm meet all n labels, the width m being larger. Derived in docs/laws/ood-overparameterization.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.worlds.regression.arc_cosine import arc_cosine
from twopart.worlds.regression.arrays import covariance as _covariance
from twopart.worlds.regression.covariances import root, times

Kernel = Callable[[Any, Any], Any]
SINGULAR = 1e-13  # a Gram matrix whose least eigenvalue is this part of the largest has no inverse to speak of
BLOCK = 1024  # rows of features, or of inputs, at a time


class FeatureRisk(NamedTuple):
    """The parts of a risk, each of one shape: squared error against the truth, the labels' noise aside."""

    bias: Any
    """Of the mean over the labels' noise."""
    variance: Any
    """What the noise adds, in units of its own variance."""


@dataclass(frozen=True, eq=False)
class WidthLaw:
    """The law of fits by m random features for given training inputs, at k other inputs. Variances are in the noise's units.

    Exact for Gaussian features with the kernel as covariance; for ReLU features of inputs in d >= 3 n dimensions good to a few
    per cent. An ensemble is the mean answer of so many independent models of that width.
    """

    points: int
    """n."""
    doubt: Floats
    """s, shape (k,): the variance of a feature at the input that the training inputs leave open, κ(x, x) - k^T K^-1 k."""
    response: Floats
    """|K^-1 k|², shape (k,): the variance of the answer at infinite width."""
    trace: Any
    """tr K^-1: a number, or one for each input."""
    energy: Any
    """y^T K^-1 y, as `trace`; nan without labels."""
    answers: Floats
    """k^T K^-1 y, shape (k,): the answers at infinite width; nan without labels."""

    @classmethod
    def of_gram(cls, gram: ArrayLike, cross: ArrayLike, own: ArrayLike, y: ArrayLike | None = None) -> WidthLaw:
        """From κ among the training inputs (n, n), of others with them (k, n), of others with themselves (k,); labels (n,).

        Raises `InputError` for wrong shapes, nan, and a Gram matrix that is singular: labels cannot be met.
        """
        U, λ, along = _decomposed(gram, y)
        k: Floats = finite("cross", cross, (None, len(λ)), "give a row for each other input")
        s: Floats = finite("own", own, (len(k),), "give one number for each row of `cross`")
        there = k @ U
        doubt, response = np.maximum(s - (there**2 / λ).sum(1), 0), ((there / λ) ** 2).sum(1)
        return cls(len(λ), doubt, response, (1 / λ).sum(), (along**2 / λ).sum(), there @ (along / λ))

    @classmethod
    def left_out(cls, gram: ArrayLike, y: ArrayLike | None = None) -> WidthLaw:
        """The same at each training input when it alone is left out, n >= 2: what holds where nothing has shifted."""
        U, λ, along = _decomposed(gram, y)
        check(len(λ) >= 2, "gram", (len(λ),) * 2, "of at least 2 inputs", "one is left out")
        labels = U @ along
        inverse, solved = (U / λ) @ U.T, U @ (along / λ)
        own, square = np.diagonal(inverse), np.square(inverse).sum(1)
        answers = labels - solved / own
        trace, energy = (1 / λ).sum() - square / own, (along**2 / λ).sum() - solved**2 / own
        return cls(len(λ) - 1, 1 / own, square / own**2 - 1, trace, energy, answers)

    def narrowness(self, width: ArrayLike, ensemble: int = 1) -> Any:
        """1/(K (m - n - 1)) for each width m, infinite or above n + 1; K models. Raises `InputError` for others."""
        check_integer("ensemble", ensemble, 1, None, "1 is a single model")
        m = np.asarray(width, float)
        least, remedy = self.points + 1, "there the mean over features is infinite, or labels are not met"
        check(bool(m.size) and bool(np.all(m > least)), "width", width, f"above n + 1 = {least}", remedy)
        return 1 / (ensemble * (m - least))

    def variance(self, width: ArrayLike, ensemble: int = 1) -> Any:
        """Of the answers over noise and features, mean over the inputs: shape of `width`."""
        return self.response.mean() + self.narrowness(width, ensemble) * (self.doubt * self.trace).mean()

    def cost(self, width: ArrayLike, ensemble: int = 1) -> Any:
        """E (answer - that at infinite width)² for the given labels, mean over the inputs: shape of `width`."""
        return self.narrowness(width, ensemble) * (self.doubt * self.energy).mean()

    def width_for(self, share: float, ensemble: int = 1) -> int:
        """The least width at which narrowness adds at most this share > 0 to the variance that no width removes."""
        share = check_real("share", share, 0, np.inf, "no finite width adds nothing", closed="()")
        one = self.narrowness(self.points + 2, ensemble)  # of the least width that there is
        beyond = one * (self.doubt * self.trace).mean() / (share * self.response.mean())
        return self.points + 1 + max(1, int(np.ceil(beyond)))


def width_law(
    x: ArrayLike, test_inputs: ArrayLike, y: ArrayLike | None = None, *, kernel: str | Kernel = "relu"
) -> WidthLaw:
    """The law for training inputs `x` (n, d), at `test_inputs` (k, d), which need no labels; `y` (n,) are those of `x`.

    `kernel` is that of the features: "relu" for weights ~ N(0, I), or a function of arrays (n, d) and (k, d) to (n, k), such as
    scikit-learn's kernels. Its scale is of no account. Raises `InputError` for wrong shapes, nan, and inputs that repeat.
    """
    x = finite("x", x, (None, None), "give a row for each input")
    z: Floats = finite("test_inputs", test_inputs, (None, x.shape[1]), "it needs the columns of `x`")
    if kernel == "relu":
        return WidthLaw.of_gram(arc_cosine(x), arc_cosine(z, x), np.square(z).sum(1) / 2, y)
    check(callable(kernel), "kernel", kernel, '"relu" or a function of two arrays', "see scikit-learn's kernels")
    of: Any = kernel
    own = [np.diagonal(of(part, part)) for part in np.split(z, range(BLOCK, len(z), BLOCK))]
    return WidthLaw.of_gram(of(x, x), of(z, x), np.concatenate(own), y)


def exact_risk(
    weights: ArrayLike,
    maps: ArrayLike,
    x: ArrayLike,
    truth: ArrayLike,
    *,
    covariance: ArrayLike,
    labelled: ArrayLike | None = None,
) -> FeatureRisk:
    """The risk of fits by the ReLU features of given weights (m, d), relu(<w, x>)/√m, on inputs N(0, `covariance`), exactly.

    `maps` (..., m, n) take labels of `x` (n, d) to weights of the features, as `MinNorm` has them of labels I; rows of zeros
    leave features out, and an ensemble is one map over the weights of all. Covariances are matrices (d, d) or variances (d,).
    `labelled` is that of the inputs whose <., truth> is asked for with those that are seen; None: the same inputs. Both parts
    have the shape (...). Raises `InputError` for wrong shapes, ranges and nan.
    """
    W: Floats = finite("weights", weights, (None, None), "give a row for each feature")
    (m, d), P = W.shape, np.asarray(maps)
    W = W / np.sqrt(m)  # ReLU takes the features' scale inside
    X: Floats = finite("x", x, (None, d), "it needs the columns of `weights`")
    P = finite("maps", P, (*P.shape[:-2], m, len(X)), "a column for each row of `x`, a row for each feature")
    w: Floats = finite("truth", truth, (d,), "one weight for each coordinate")
    A = _covariance("covariance", covariance, d)
    C = A if labelled is None else _covariance("labelled", labelled, d)

    V, toward = times(W, root(A)), times(w, C)
    MP = np.concatenate([arc_cosine(rows, V) @ P for rows in np.split(V, range(BLOCK, m, BLOCK))], axis=-2)
    f = X @ w
    fitted = P @ f
    met, left = fitted @ (W @ toward) / 2, float(w @ toward)
    bias = left - 2 * met + (fitted * (MP @ f)).sum(-1)
    return FeatureRisk(bias, (P * MP).sum((-2, -1)))


def _decomposed(gram: ArrayLike, y: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """U and λ of K = U Λ U^T, and U^T y, nan without labels."""
    n = len(np.atleast_1d(gram))
    K = finite("gram", gram, (n, n), "give the kernel among all training inputs")
    λ, U = np.linalg.eigh(_covariance("gram", K, n))
    labels = np.full(n, np.nan) if y is None else finite("y", y, (n,), "give one label for each training input")
    remedy = "drop inputs that repeat, or some of them: the features cannot tell all apart"
    check(λ[0] > SINGULAR * λ[-1], "gram", f"{λ[0] / λ[-1]:.1e}", f"of an inverse condition > {SINGULAR}", remedy)
    return U, λ, U.T @ labels
