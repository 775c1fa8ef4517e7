"""What a denoiser with tied weights learns of a signal and of training noise, and what a classifier does.

    early_ratio(n=20, signal=30.0, noise=300.0)                               # 1.0 = n SNR²/2, while weights are small
    stationary_ratio(n=20, signal=30.0, noise=300.0, neurons=10).ratio        # 1.0; 0.5 to 1.2 where n SNR² goes from 0.3 to 5
    race_end(n=20, signal=30.0, noise=300.0, initial=1e-4)                    # 0.32; 0.007 and 21 at half and twice M

Points are [μ_y, ξ], M = ‖μ‖² the `signal`, two of them, orthogonal, X = ‖ξ‖² = σ² d the `noise`, SNR² = M/X. The denoiser
predicts ε from α x + β ε as s f, f(x) = m^(-1/2) Σ_r <w_r, x>² w_r; the classifier is F_j(x) = (1/m) Σ_r Σ_p <w_jr, x_p>². Its
rates of growth are `penalty_rates(n, M, X, m)`. A ratio is what a neuron answers to signals over what it answers to training
noise. Arguments broadcast, but for `stationary_ratio`. Setting: Han, Huang, Cao, Zou 2025, arXiv 2412.01021; formulas are
derived in docs/laws/diffusion-feature-learning.md.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from twopart._arrays import numbers
from twopart._checks import check_choice, check_integer, check_real
from twopart.laws.features.gradient_penalty import penalty_rates

Floats = NDArray[np.float64]
COUNT, LENGTH = "it counts points", "norms are squared, and of something"


def noising(time: float) -> tuple[float, float]:
    """α = e^-t and β = √(1 - e^-2t), by which data and noise are mixed at time t > 0; α² + β² = 1."""
    check_real("time", time, 0, math.inf, "at 0 there is no noise, later no data", closed="()")
    return math.exp(-time), math.sqrt(-math.expm1(-2 * time))


def early_ratio(n: Any, signal: Any, noise: Any) -> Floats:
    """n M/(2X) = n SNR²/2: of the denoiser, while its weights are small. Every neuron turns to the mean point."""
    n, M, X = _positive(n, signal, noise)
    return np.asarray(n * M / (2 * X))


def race(n: Any, signal: Any, noise: Any) -> Floats:
    """n M/(2X): of the classifier, the rate at which signal grows over that of memory. The signal wins from 1 on."""
    return early_ratio(n, signal, noise)


def race_end(n: Any, signal: Any, noise: Any, initial: Any, margin: Any = 3.0) -> Floats:
    """Of the classifier, root mean squares over neurons, when the winner of the race answers `margin`.

    A neuron whose class has the patch grows as e^(ρT), the other as e^(-ρT), from `initial` times the patch's length on:
    √(M/X) √(cosh 2ρT/cosh 2ρ'T), the winner's inner product being √margin at T. Of equal and orthogonal noise.
    """
    n, M, X = _positive(n, signal, noise)
    size = numbers("initial", initial, 0, np.inf, remedy="it is the deviation of first weights")
    end = np.sqrt(numbers("margin", margin, 0, np.inf, remedy="it is y f, near 3 at a loss of 0.05"))
    grows = penalty_rates(n, M, X, 1)
    last = (np.log(end / (size * np.sqrt(S))).clip(0) / rate for S, rate in zip((M, X), grows, strict=True))
    time = np.minimum(*last)
    signals, memory = (np.logaddexp(2 * rate * time, -2 * rate * time) for rate in grows)
    return np.asarray(np.sqrt(M / X) * np.exp((signals - memory) / 2))


class Stationary(NamedTuple):
    """The best denoiser all of whose neurons answer alike: U to both signals, V to all training noise, α included."""

    signal: float
    """U, of a weight of length 1."""
    memory: float
    """V."""
    size: float
    """s^(1/3) times the length of a weight."""
    gain: float
    """How far the loss of a point, patches summed, lies below that of no denoiser, d. The optimum's lies no less far."""

    @property
    def ratio(self) -> float:
        """U/V."""
        return self.signal / self.memory


RESTS = "orthogonal", "opposed"


def stationary_ratio(
    n: int, signal: float, noise: float, time: float = 0.2, neurons: int = 10, *, rests: str = "opposed"
) -> Stationary:
    """By a symmetric ansatz: neurons share the data's part of their weights, and each has a rest off the data.

    The part, r of a length of 1, has r² = 2U²/(α² M) + n V²/(α² X). `rests` are orthogonal, so that the inner product of two
    neurons is g = r², or opposed, down to g = r² - (1 - r²)/(m - 1), where they sum to 0. With b = β² the gain is, at the best
    size,

        2 b m (U+V)² / Σ_{u in U, V} [(u²+b)² + 4b u² + 2b² + (m-1)((u²+b)² g + 4b u² g² + 2b² g³)],

    which U, V and g maximise. U/V is n M/(2X) where both are small against β; else it stays near 1, from n SNR² near 1/3 to any
    more (at most 1.48 in the example above), and falls with n SNR² below. As a point that weights can take, of noise that is
    equal and orthogonal, it bounds the best loss from above.
    """
    n, m = check_integer("n", n, 1, None, COUNT), check_integer("neurons", neurons, 1, None, "it counts neurons")
    M, X = (check_real(name, v, 0, math.inf, LENGTH, closed="()") for name, v in (("signal", signal), ("noise", noise)))
    (alpha, _), b = noising(time), -math.expm1(-2 * time)
    reach = alpha * np.sqrt([M / 2, X / n])  # U and V of weights that lie wholly in these patches
    most = 0.0 if check_choice("rests", rests, RESTS) == "orthogonal" or m == 1 else 1 / (m - 1)

    def gained(place: Any) -> tuple[Any, Any, Any]:
        """The gain, U and V, by the angle between them, r, and how far rests are opposed."""
        angle, r, opposed = place
        U, V, g = reach[0] * r * np.cos(angle), reach[1] * r * np.sin(angle), r**2 - opposed * (1 - r**2)
        cost = sum(
            (u**2 + b) ** 2 * (1 + (m - 1) * g) + 4 * b * u**2 * (1 + (m - 1) * g**2) + 2 * b**2 * (1 + (m - 1) * g**3)
            for u in (U, V)
        )
        return 2 * b * m * (U + V) ** 2 / cost, U, V

    ends = [(1e-6, math.pi / 2 - 1e-6), (1e-6, 1.0), (0.0, most)]
    grid = np.stack(np.meshgrid(*(np.linspace(*end, count) for end, count in zip(ends, (24, 24, 3), strict=True))))
    start = grid.reshape(3, -1)[:, np.argmax(gained(grid)[0])]
    found = minimize(lambda place: -math.log(gained(place)[0]), start, bounds=ends, tol=1e-13).x
    gain, U, V = (float(part) for part in gained(found))
    return Stationary(U, V, float((gain / (math.sqrt(b * m) * (U + V))) ** (1 / 3)), gain)


def _positive(n: Any, signal: Any, noise: Any) -> tuple[Floats, Floats, Floats]:
    lengths = (numbers(name, value, 0, np.inf, remedy=LENGTH) for name, value in (("signal", signal), ("noise", noise)))
    return numbers("n", n, 0, np.inf, remedy=COUNT), *lengths  # type: ignore[return-value]
