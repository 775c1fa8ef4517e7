"""Is a classifier's overfitting benign? What of its answers is signal, what it remembers of training noise, how that errs.

    report = diagnose_overfitting(model, x_train, y_train, x_test, y_test)     # points (n, P, ...): patch 0 holds the signal
    report.own, report.signal, report.reply, report.margin, report.predicted, report.test_error

Noise is told from signal by drawing it anew. An answer that a training point gets by its own noise is lost with it (`own`); the
mean answer over fresh noise is signal, and its deviation the model's `reply` to noise that it has never seen. Overfitting is
benign where the signal exceeds the reply: their ratio foretells the error, by docs/laws/xor-benign-overfitting.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twopart._checks import check, check_integer
from twopart.laws.features.noise_reply import reply_error, reply_spread

Renew = Callable[[Tensor, torch.Generator], Tensor]
BY_CHANCE = nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, eq=False)
class OverfittingReport:
    """Margins are y f, in units of the model's own logit difference f."""

    train_error: float
    """Share of training points classified against their labels: 0 where all, flipped ones too, are fitted."""
    test_error: float
    """Of test points as they are."""
    fresh_error: float
    """Of test points with noise drawn anew, over all repeats."""
    own: float
    """What a training point's own noise adds to its margin, the mean: memory."""
    signals: NDArray[np.float64]
    """Of each test point the mean margin over fresh noise, shape (n,)."""
    reply: float
    """Standard deviation of a test point's margin over fresh noise."""
    repeats: int
    """How often noise was drawn anew."""

    @property
    def signal(self) -> float:
        """The mean of `signals`."""
        return float(self.signals.mean())

    @property
    def margin(self) -> float:
        """The signal over the reply."""
        return self.signal / self.reply if self.reply > 0 else float(np.inf)

    @property
    def signal_error(self) -> float:
        """Share of test points whose signal alone is wrong: what is left of the error without any noise."""
        return float((self.signals < 0).mean())

    def predicted(self, active: float = 0.75) -> float:
        """The error by the law: each test point's signal against a reply of the law's form, whose spread alone is measured.

        `active` is q in (0, 1), the share of neurons that remember a training point; it shapes the reply's tails. Means over a
        few draws of noise scatter more than signals do: they are drawn together by as much.
        """
        unit, spread = self.reply / reply_spread(active), float(self.signals.var())
        kept = np.sqrt(max(0.0, 1 - self.reply**2 / self.repeats / spread)) if spread > 0 else 1.0
        signals = self.signal + kept * (self.signals - self.signal)
        against = reply_error(np.abs(signals) / unit, active) if unit > 0 else np.zeros(len(signals))
        return float(np.where(signals < 0, 1 - against, against).mean())


def diagnose_overfitting(
    model: Callable[[Tensor], Tensor],
    x_train: Any,
    y_train: Any,
    x_test: Any,
    y_test: Any,
    *,
    renew: Renew | None = None,
    signal: int = 0,
    repeats: int = 16,
    chunk: int = 1024,
    seed: int = 0,
) -> OverfittingReport:
    """Split the margins of a two-class model into signal and memory.

    `model` maps points (n, ...) to logits (n,), (n, 1) or (n, 2), the second that of the positive class; labels are of two
    values, the larger the positive class. Points and labels are tensors or arrays, the points of the model's float type.
    `renew(x, generator)` gives points with the same signal and fresh noise; without it points are (n, P, ...) and every patch
    but number `signal` is exchanged among the test points. Training labels may be flipped, test labels are taken to be clean.
    Raises `InputError` for shapes that do not fit, numbers that are not finite, more than two labels, and for dropout or
    batch normalisation in training mode.
    """
    check_integer("repeats", repeats, 2, None, "a spread needs two draws")
    check_integer("chunk", chunk, 1, None, "it is a number of points")
    refuse_chance("model", model)
    train, test = _points("x_train", x_train), _points("x_test", x_test)
    signs = _signs(y_train, y_test, len(train), len(test))
    generator = torch.Generator().manual_seed(seed)
    if renew is None:
        fits = test.ndim > 2 and train.shape[1:] == test.shape[1:] and -test.shape[1] <= signal < test.shape[1]
        check(fits, "x_test", tuple(test.shape), f"(n, P, ...) with a patch {signal}", "or say how to `renew` noise")
        renew = exchange_patches(test, signal)

    def margins(x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            f = torch.cat([_logit(model(part), len(part)) for part in torch.split(x, chunk)]).double().cpu()
        check(bool(torch.isfinite(f).all()), "model", "logits that are nan or infinite", "finite", "see its weights")
        return y * f

    def renewed(x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([margins(renew(x, generator), y) for _ in range(repeats)])

    known, answers = margins(train, signs[0]), renewed(test, signs[1])
    own = (known - renewed(train, signs[0]).mean(0)).mean()
    errors = (float((part <= 0).double().mean()) for part in (known, margins(test, signs[1]), answers))
    train_error, test_error, fresh_error = errors
    reply = float(answers.var(0).mean().sqrt())
    return OverfittingReport(train_error, test_error, fresh_error, float(own), answers.mean(0).numpy(), reply, repeats)


def exchange_patches(pool: Tensor, signal: int = 0) -> Renew:
    """Fresh noise from points of a pool (N, P, ...): all patches but number `signal` are those of a point drawn from it."""

    def renew(x: Tensor, generator: torch.Generator) -> Tensor:
        drawn = pool[torch.randint(len(pool), (len(x),), generator=generator).to(pool.device)].clone()
        drawn[:, signal] = x[:, signal]
        return drawn

    return renew


def refuse_chance(called: str, model: object) -> None:
    """Raise `InputError` if a module would answer by chance, or be changed: dropout, batch normalisation, in training mode."""
    modules = model.named_modules() if isinstance(model, nn.Module) else ()
    random = [name for name, part in modules if isinstance(part, BY_CHANCE) and part.training]
    check(not random, called, f"{', '.join(random)} in training mode", "in evaluation mode", "call .eval()")


def _points(name: str, x: Any) -> Tensor:
    points = torch.as_tensor(x)
    check(points.ndim > 1 and len(points) > 0, name, tuple(points.shape), "points (n, ...), n >= 1", "give a row each")
    check(bool(torch.isfinite(points).all()), name, "nan or infinite numbers", "finite", "drop or fill those points")
    return points


def _signs(train: Any, test: Any, n: int, m: int) -> tuple[Tensor, Tensor]:
    """Labels as -1 and 1."""
    labels = [torch.as_tensor(y).cpu() for y in (train, test)]
    for name, y, size in zip(("y_train", "y_test"), labels, (n, m), strict=True):
        check(y.shape == (size,), name, tuple(y.shape), f"({size},), a label for each point", "see its shape")
    values = torch.unique(torch.cat(labels)).tolist()
    check(len(values) == 2, "y_train", values[:5], "of two values", "the method is for two classes")
    first, second = ((y == values[1]).double() * 2 - 1 for y in labels)
    return first, second


def _logit(out: Tensor, n: int) -> Tensor:
    """f (n,) of logits."""
    fits = out.shape in ((n,), (n, 1), (n, 2))
    check(fits, "model", tuple(out.shape), f"of output ({n},), ({n}, 1) or ({n}, 2)", "one or two logits a point")
    return out[:, 1] - out[:, 0] if out.shape == (n, 2) else out.reshape(n)
