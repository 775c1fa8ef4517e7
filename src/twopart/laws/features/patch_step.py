"""One step of gradient descent on a patch network, from pre-activations to their slopes: all that filters and memory share.

A filter meets each patch p of a point i as h_ip = <w, x_ip>. The network is f_i = Σ_p Σ_r v_rp act(h_ipr), over F neurons r
whose second layer v holds their sign and scale; `act` is a power of h or of its positive part. With the loss ℓ(y f) meaned over
n points,

    ∂/∂h_ipr = (1/n) ℓ' v_rp act'(h_ipr),        ∂/∂v_rp = (1/n) Σ_i ℓ' act(h_ipr).

Where h comes from, from weights in d dimensions or from inner products alone, is not this file's business: it works on NumPy
arrays and on torch tensors alike, of B networks at once. A subclass that adds to the slopes changes the loss for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any

from scipy.special import expit

from twopart._checks import check_choice

ACTIVATIONS = {"relu": (1, True), "relu2": (2, True), "relu3": (3, True), "square": (2, False), "identity": (1, False)}
"""The power, and whether the negative part is cut off."""
LOSSES = ("logistic", "square")


def activate(activation: str, h: Any) -> Any:
    """act(h)."""
    power, cut = ACTIVATIONS[activation]
    h = h.clip(min=0) if cut else h
    return reduce(mul, [h] * power)


def slope(activation: str, h: Any) -> Any:
    """act'(h); that of ReLU is boolean, 0 at 0."""
    power, cut = ACTIVATIONS[activation]
    if power == 1:
        return h > 0 if cut else h == h
    return power * reduce(mul, [h.clip(min=0) if cut else h] * (power - 1))


def residual(loss: str, f: Any, y: Any) -> Any:
    """Derivative of the loss by the output f: of log(1 + e^{-y f}), or of (y - f)²/2.

    Labels y in [-1, 1]; between -1 and 1 they are mixed, and the logistic loss is the mean of both classes' at these odds.
    """
    if loss == "square":
        return f - y
    return (f.sigmoid() if hasattr(f, "sigmoid") else expit(f)) - (1 + y) / 2


@dataclass(frozen=True)
class Step:
    """A network's activation and its loss."""

    activation: str = "relu"
    """relu, relu2, relu3 (powers of the positive part), square or identity."""
    loss: str = "logistic"
    """logistic or square."""
    normalise: bool = False
    """Batch normalisation without centring: h over the root of its mean square over points and patches, for each neuron."""

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("loss", self.loss, LOSSES)

    def __call__(self, h: Any, v: Any, y: Any, trained: bool = True) -> tuple[Any, Any, Any]:
        """From pre-activations h (B, n, P, F), v (B, P or 1, F) and labels y (B, n): outputs f (B, n), ∂h and ∂v (B, P, F).

        ∂v is None unless v is `trained`.
        """
        s = root_mean_square(h) if self.normalise else None
        z = h if s is None else h / s
        a, v = activate(self.activation, z), v[:, None]
        f = (a * v).sum((-2, -1))
        pull = (residual(self.loss, f, y) / f.shape[-1])[..., None, None]
        dz, dv = pull * v * slope(self.activation, z), (pull * a).sum(1) if trained else None
        return f, dz if s is None else (dz - z * (z * dz).mean((1, 2))[:, None, None]) / s, dv


def root_mean_square(h: Any) -> Any:
    """Over points and patches, shape (B, n, P, F) to (B, 1, 1, F)."""
    return (h * h).mean((1, 2))[:, None, None] ** 0.5
