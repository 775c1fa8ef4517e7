"""A learner's two numbers from its runs: γ, nats per exposure, and a, the speed of its optimiser, by least squares on a grid.

    runs = LearnerRuns(facts, params, width, sentences, value, steps)      # of one world; several worlds are several of them
    fit = fit_learner(runs, up_to=6000)                                    # larger models are left out, and predicted
    fit.nats, fit.speed, fit.interval, fit.by_size, fit.left_out;  fit.save("law.json"), LearnerFit.load("law.json")

No local optimiser: both numbers form a valley with a branch in it, so all of a grid is tried.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import RegularGridInterpolator

from twopart import _random
from twopart._arrays import Floats, finite, numbers
from twopart._checks import InputError, check, check_real
from twopart._files import check_source, write_json
from twopart._notebook import quantities, shown
from twopart.laws.knowledge.learner import Facts, MemoryLaw, StepSum, memory_law

NATS, SPEEDS = np.arange(-6, 1.1, 0.5), np.arange(-4, 4.1, 0.5)  # octaves that are solved; between them splines
FINER = 8
COARSE = 0.25  # bins of ln q while fitting
FORMAT = "twopart learner law 1"


@dataclass(frozen=True, eq=False)
class LearnerRuns:
    """What runs of one learner in one world measured; arrays of shape (runs,), a run for each model and moment."""

    facts: Facts
    """Of the world, or of one's own corpus: how often each is told in a sentence."""
    params: Floats
    """P, trained parameters."""
    width: Floats
    """C, of the residual stream."""
    sentences: Floats
    """Read so far."""
    measured: Floats
    """Bits per sentence that values cost, > 0; with a `frequency`, the share of such facts that are known."""
    steps: StepSum | tuple[StepSum, ...]
    """How far the optimiser could go: one for all runs, or one for each."""
    frequency: Floats | None = None
    """q of the facts that were asked for."""
    noise: float = 0.0
    """ν, a variance of strangers' logits that does not shrink with size."""

    def __post_init__(self) -> None:
        runs = len(finite("params", self.params, (None,), "give one number for each run"))
        asked = [] if self.frequency is None else ["frequency"]
        for name in ["params", "width", "sentences", "measured", *asked]:
            array = finite(name, getattr(self, name), (runs,), "give one number for each run")
            share = self.frequency is not None and name in ("measured", "frequency")
            numbers(name, array, 0, 1 if share else np.inf, "[]" if share else "()", "see its unit")
            object.__setattr__(self, name, array)
        check_real("noise", self.noise, 0, np.inf, "0 is the noise of crowding alone", closed="[)")

    @cached_property
    def reach(self) -> Floats:
        """C S(n) of each run."""
        each = self.steps if isinstance(self.steps, tuple) else (self.steps,) * len(self.params)
        return np.asarray(self.width * [float(steps(n)) for steps, n in zip(each, self.sentences, strict=True)])

    def law(self, nats: ArrayLike, speed: ArrayLike) -> MemoryLaw:
        """The law of each run, for numbers of any shape; the runs are the last axis."""
        gamma, a = np.asarray(nats, float)[..., None], np.asarray(speed, float)[..., None]
        reach, facts = a * self.reach, self.facts.binned(COARSE)
        return memory_law(facts, self.sentences, self.params, nats=gamma, limit=reach, noise=self.noise)

    def residuals(self, nats: ArrayLike, speed: ArrayLike) -> Floats:
        """log2(value/law), or share known less the law's, of the same shape."""
        law = self.law(nats, speed)
        if self.frequency is None:
            return np.asarray(np.log2(self.measured / law.value))
        diagonal = np.arange(len(self.params))
        return self.measured - law.known(self.frequency)[..., diagonal, diagonal]

    @cached_property
    def squares(self) -> Floats:
        """Squares of them over the whole fine grid, shape (nats times speeds, runs)."""
        solved = self.residuals(2.0 ** NATS[:, None], 2.0**SPEEDS)
        between = RegularGridInterpolator((NATS, SPEEDS), solved, method="cubic")
        return np.asarray(between(np.log2(grid())) ** 2)


def grid() -> Floats:
    """(nats, speed) that are tried, shape (points, 2)."""
    axes = (np.linspace(x[0], x[-1], FINER * (len(x) - 1) + 1) for x in (NATS, SPEEDS))
    return np.asarray(2.0 ** np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2))


@dataclass(frozen=True)
class LearnerFit:
    """A learner's two numbers, and how well they describe its runs."""

    nats: float
    """γ: nats that an exposure gives a fact."""
    speed: float
    """a: strength over width and summed learning rate that the optimiser can reach."""
    noise: float
    """ν, as given."""
    interval: dict[str, tuple[float, float]]
    """95 % bootstrap interval over runs of `nats` and `speed`."""
    misfit: float
    """Root mean square of log2(value/law), or of shares known, over the runs fitted."""
    by_size: dict[str, float]
    """The same by parameters, runs left out too."""
    left_out: float | None
    """The same over the runs left out; None: there are none."""
    fitted: dict[str, tuple[float, float]]
    """Least and most `params` and `sentences` of the runs fitted: beyond them the law is extrapolated."""

    def _repr_html_(self) -> str:
        names = {"nats": "γ, nats that an exposure gives", "speed": "a, speed of the optimiser"}
        rows = [(words, float(getattr(self, name)), self.interval[name]) for name, words in names.items()]
        return shown("A learner's own numbers", quantities([*rows, ("misfit, octaves or shares", self.misfit, None)]))

    def save(self, path: str | Path) -> None:
        """Write a small JSON file."""
        write_json(path, {"format": FORMAT, **asdict(self)})

    @classmethod
    def load(cls, path: str | Path) -> LearnerFit:
        """Read one back; raises `InputError` if it is none."""
        check_source(path)
        try:
            data = json.loads(Path(path).read_text())
            check(data.pop("format") == FORMAT, "path", str(path), f"a file of {FORMAT!r}", "write it with `save`")
            ends = {name: {k: (v[0], v[1]) for k, v in data[name].items()} for name in ("interval", "fitted")}
            return cls(**{**data, **ends})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} holds no learner's law ({error}); write it with `LearnerFit.save`") from error


def fit_learner(*runs: LearnerRuns, up_to: float = np.inf, resamples: int = 400, seed: int = 0) -> LearnerFit:
    """γ and a by least squares on models of at most `up_to` parameters, `LearnerRuns` of several worlds taken together.

    Tried are γ from 1/64 to 2 and a from 1/16 to 16: a number at such an end is not known.
    Raises `InputError` unless two runs or more are fitted, and all measure the same quantity with the same `noise`.
    """
    kinds = {(part.frequency is None, part.noise) for part in runs}
    check(len(kinds) == 1, "runs", len(kinds), "of one quantity and one noise", "fit them one by one")
    size, told = (np.concatenate([getattr(part, name) for part in runs]) for name in ("params", "sentences"))
    squares, inside = np.concatenate([part.squares for part in runs], axis=1), size <= up_to
    fitted = int(inside.sum())
    check(fitted >= 2, "up_to", up_to, "such that two runs or more are fitted", "leave fewer out")
    weights = _random.generator(seed, "learner").multinomial(fitted, np.full(fitted, 1 / fitted), size=resamples)
    drawn = grid()[np.argmin(np.concatenate([np.ones((1, fitted)), weights]) @ squares[:, inside].T, axis=1)]
    best = int(np.argmin(squares[:, inside].mean(1)))

    def rms(which: np.ndarray) -> float:
        return float(np.sqrt(squares[best, which].mean()))

    low, high = np.quantile(drawn[1:], (0.025, 0.975), axis=0).tolist()
    ends = {
        name: (x[inside].min().item(), x[inside].max().item()) for name, x in (("params", size), ("sentences", told))
    }
    interval = {"nats": (low[0], high[0]), "speed": (low[1], high[1])}
    by_size = {f"{P:g}": rms(size == P) for P in np.unique(size)}
    nats, speed = drawn[0].tolist()
    out = None if inside.all() else rms(~inside)
    return LearnerFit(nats, speed, runs[0].noise, interval, rms(inside), by_size, out, ends)
