"""From answers to numbers: what was guessed, what is known, and how far that goes, with a bootstrap over subjects.

    rates      how often the twins of a fact's group give its answer; shrunk, and anchored where nothing is known
    figures    every number that is reported, of the facts given: of all of them, and of each resample
    study      the numbers with their intervals

Guess rates, anchor and curve are made anew in every resample. Intervals hold 95 % of the resampled numbers, moved by the
bootstrap's bias: a mean of absolute deviations, say, is larger in resamples, which are noisier.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart.evidence import Estimate
from twopart.fits.calibration import Calibration
from twopart.fits.known_share import ThresholdCurve, anchored, known_share, threshold_curve
from twopart.fits.two_proxies import two_proxies
from twopart.tools.probe.asking import Asking

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
PSEUDO = 4.0  # twins that a group borrows from all others
HARD = 0.2  # guess rate below which a right answer is knowledge with hardly any correction
ANCHOR = 0.15  # hard facts of the rarest fifth are right less often, or nothing is anchored
STRATA = 5
FEWEST = 5  # facts of a kind in a stratum whose share is told
FARTHEST = 20.0  # decades from threshold to price: beyond, the curve is flat and has neither
RESAMPLES = 200
BINS = 10  # of confidence, equally many answers in each
DRAWS = 1000  # calibrated models, permutations


@dataclass(frozen=True, eq=False)
class Rows:
    """Some of the facts that one template asked for, perhaps some of them several times (n,)."""

    asking: Asking
    index: Integers

    @cached_property
    def groups(self) -> Integers:
        """Of all facts."""
        return np.unique(np.array(self.asking.facts.group, dtype=str), return_inverse=True)[1].astype(np.int64)

    @property
    def right(self) -> Floats:
        return self.asking.right[self.index]

    @cached_property
    def x(self) -> Floats | None:
        """log10 frequency."""
        frequency = self.asking.facts.frequency
        return None if frequency is None else np.log10(frequency[self.index])

    @cached_property
    def stratum(self) -> Integers:
        """Fifths by frequency, 0 the rarest; one stratum where there are no frequencies."""
        if self.x is None:
            return np.zeros(len(self.index), np.int64)
        return np.searchsorted(np.quantile(self.x, np.arange(1, STRATA) / STRATA), self.x, side="left")

    @cached_property
    def learned(self) -> Guessing:
        return learn(self)

    def rates(self, of: Integers) -> tuple[Floats, Floats]:
        """How often the twins of these rows' groups give the answers of the facts `of`: as it is, nan for a group without
        twins, and with pseudo-counts of the mean over groups. Without any twin: how often other subjects get the answer."""
        facts, asking = self.asking.facts, self.asking
        groups, times = self.groups, np.bincount(self.index, minlength=len(facts)).astype(float)
        C, G = len(facts.candidates), int(groups.max()) + 1
        count, total = np.zeros((G, C)), np.zeros(G)
        np.add.at(count, (groups[asking.twin_of], asking.twin_share.argmax(1)), times[asking.twin_of])
        np.add.at(total, groups[asking.twin_of], times[asking.twin_of])
        hits, n = count[groups[of], facts.answer[of]], total[groups[of]]
        if not total.any():
            shuffled = np.bincount(asking.guess, times, C)[facts.answer[of]] / max(len(self.index), 1)
            return shuffled, shuffled
        raw = np.divide(hits, n, out=np.full(len(of), np.nan), where=n > 0)
        mean = _mean(raw) if (n > 0).any() else 0.0
        return raw, (hits + PSEUDO * mean) / (n + PSEUDO)


@dataclass(frozen=True, eq=False)
class Guessing:
    """What names give away, learned from some facts, and the curve of what is known beside it."""

    rows: Rows
    shift: float
    """δ of the anchor, in logits; 0 where there is none."""
    why: str
    """Why nothing is anchored; "" where it is."""

    @cached_property
    def curve(self) -> ThresholdCurve | None:
        """The probit beside them; None without frequencies."""
        x = self.rows.x
        if x is None or len(np.unique(x)) < 3:
            return None
        return threshold_curve(x, self.rows.right, self.rate(self.rows.index))

    def rate(self, of: Integers) -> Floats:
        """g of any facts."""
        rates = np.clip(self.rows.rates(of)[1], 1e-4, 1 - 1e-4)
        return np.asarray(1 / (1 + (1 / rates - 1) * math.exp(-self.shift)))

    def known(self, x: Floats | None, of: Integers) -> Floats:
        """K of any facts; without frequencies, the same share for all."""
        if self.curve is not None and x is not None:
            return self.curve.known(x)
        rate = self.rate(self.rows.index)
        return np.full(len(of), share_known(self.rows.right, rate))

    @property
    def known_if_right(self) -> Floats:
        """P(known | right) = K / (K + (1 - K) g) of the rows."""
        index = self.rows.index
        known = np.clip(self.known(self.rows.x, index), 0.0, 1.0)
        return np.asarray(known / np.maximum(known + (1 - known) * self.rate(index), 1e-12))


def share_known(right: Floats, guess: Floats) -> float:
    """Σ (right - g) / Σ (1 - g); below 0 by chance where nothing is known."""
    return float((right - guess).sum() / (1 - guess).sum()) if len(right) else math.nan


def learn(rows: Rows) -> Guessing:
    """Guess rates from twins, anchored in the rarest fifth if hard facts are hardly right there."""
    shift, why = 0.0, "there are no frequencies"
    rate = np.clip(rows.rates(rows.index)[1], 1e-4, 1 - 1e-4)
    if rows.x is not None:
        rarest = rows.stratum == 0
        hard, accuracy = rarest & (rate < HARD), float(rows.right[rarest].mean())
        right = float(rows.right[hard].mean()) if hard.any() else math.nan
        why = (
            f"{right:.2f} of the hard facts (guess rate < {HARD}) of the rarest fifth are right, not less than {ANCHOR}"
        )
        if not hard.any():
            why = f"no fact of the rarest fifth is hard (guess rate < {HARD})"
        elif accuracy == 0:
            why = "no fact of the rarest fifth is right, and no guess rate is so low"
        elif right < ANCHOR:
            _, shift = anchored(rate[rarest], accuracy)
            why = ""
    return Guessing(rows, shift, why)


def figures(rows: Rows, first: NDArray[np.bool_]) -> dict[str, float]:
    """Every number, of these rows; `first` (N,) tells the half of all facts that foretells the other."""
    asking, facts, index = rows.asking, rows.asking.facts, rows.index
    learned = rows.learned
    raw, shrunk = rows.rates(index)
    guess, right, weight = learned.rate(index), rows.right, facts.weight[index]
    known = learned.known(rows.x, index)
    top = asking.share[index].max(1)
    style = _style(rows)[index, facts.answer[index]]
    out = {
        "right": float(right.mean()), "twins": _mean(raw),
        "known": float(known.mean()), "known facts": float((weight * known).sum()), "facts": float(weight.sum()),
        "stored bits": float(-(weight * known * np.log2(style)).sum()), "shift": learned.shift,
        "confidence": float(top.mean()), "log score": float(asking.log_score[index].mean()),
    }  # fmt: skip
    covered = Calibration(top, right, np.full(len(index), 1 / len(index)))
    out["risk"] = float(covered.risk([np.clip(known.mean(), 1e-3, 1)])[0])
    for s in range(STRATA if rows.x is not None else 1):
        inside = rows.stratum == s
        out |= {
            f"known {s}": share_known(right[inside], guess[inside]),
            f"twins known {s}": share_known(right[inside], shrunk[inside]),
        }
    curve, x = learned.curve, rows.x
    if curve is None or x is None:
        return out
    rarest, hard = rows.stratum == 0, shrunk < HARD
    out |= {
        "threshold": curve.threshold,
        "width": curve.width,
        "log width": math.log(curve.width),
        "control": float(right[rarest].mean()) - _mean(raw[rarest]),
        "tail": (alpha := tail(x, weight, curve.threshold - 1)),
        "price": curve.threshold - min(alpha * math.log(10) * curve.width**2, FARTHEST),
    }
    if facts.other is not None and len(np.unique(x[~rarest])) > 1:
        proxies = [z[~rarest] for z in (x, np.log10(facts.other[index]), right, guess)]
        out |= {"own width": two_proxies(*proxies).width, "bend": float(np.polyfit(proxies[0], proxies[1], 2)[0])}
    for s in range(1, STRATA):
        parts = [(rows.stratum == s) & kind for kind in (hard, ~hard)]
        both = min(part.sum() for part in parts) >= FEWEST
        hard_known, other_known = (share_known(right[part], guess[part]) for part in parts)
        out[f"hard less others {s}"] = hard_known - other_known if both else math.nan
    out["order"] = weighted_d(x[~rarest], right[~rarest], np.ones(int((~rarest).sum())))
    prices = [
        threshold_curve(x[k], right[k], guess[k], width=curve.width).threshold if k.sum() > FEWEST else math.nan
        for k in (hard, ~hard)
    ]
    out["others over hard"] = prices[1] - prices[0]
    out |= _half(rows, first[index])
    near = (style < 0.25) & (np.abs(x - curve.threshold) < 0.5)
    part = np.log2(asking.share[index, facts.answer[index]] / style) / -np.log2(style)
    out["partial"] = float(((part > 0.2) & (part < 0.8))[near].mean()) if near.any() else math.nan
    return out


def _half(rows: Rows, first: NDArray[np.bool_]) -> dict[str, float]:
    """What one half of the facts foretells of the other's accuracy, and of its wrong answers weighted by frequency."""
    if min(first.sum(), (~first).sum()) < FEWEST:
        return {}
    told, asked = Rows(rows.asking, rows.index[first]), rows.index[~first]
    learned, x = told.learned, Rows(rows.asking, asked).x
    if learned.curve is None or x is None:
        return {}
    known, guess, right = learned.curve.known(x), learned.rate(asked), rows.right[~first]
    p, stratum = known + (1 - known) * guess, rows.stratum[~first]
    off = [abs(float((p - right)[stratum == s].mean())) for s in np.unique(stratum)]
    mass = rows.asking.facts.weight[asked] * 10**x
    return {
        "deviation": float(np.mean(off)),
        "missing": float((mass * (1 - p)).sum() / wrong) if (wrong := (mass * (1 - right)).sum()) > 0 else math.nan,
    }


def _style(rows: Rows) -> Floats:
    """What the group's twins give to each candidate on average (N, C); without twins, what all subjects are given."""
    asking, groups = rows.asking, rows.groups
    total = np.bincount(groups[asking.twin_of], minlength=int(groups.max()) + 1).astype(float)
    sums = np.zeros((len(total), asking.share.shape[1]))
    np.add.at(sums, groups[asking.twin_of], asking.twin_share)
    everyone = asking.share.mean(0)
    return np.asarray(((sums + everyone) / (total + 1)[:, None])[groups])


def tail(x: Floats, weight: Floats, start: float) -> float:
    """α of P(frequency > q) ~ q^-α from log10 q = `start` on, by Hill's estimator; each fact stands for `weight` of them."""
    above = np.maximum(x - max(start, float(x.min())), 0)
    return float(weight[above > 0].sum() / max(math.log(10) * (weight * above).sum(), 1e-300))


def calibration(asking: Asking, index: Integers) -> tuple[float, float]:
    """Calibration error of the answers to some facts, in ten bins of equally many, and its 95 % point for a calibrated model
    with the same confidences: chance alone has an error."""
    top, right = asking.share[index].max(1), asking.right[index]
    order = np.argsort(top, kind="stable")
    starts = np.linspace(0, len(top), min(BINS, len(top)) + 1)[:-1].astype(int)

    def errors(right: Floats) -> Floats:
        """Of each row."""
        return np.asarray(np.abs(np.add.reduceat((right - top)[:, order], starts, 1)).sum(1) / len(top))

    random = _random.generator(0, "calibrated")
    drawn = (random.random((DRAWS // 20, len(top))) < top for _ in range(20))  # all at once would take much memory
    chance = np.concatenate([errors(one.astype(float)) for one in drawn])
    return float(errors(right[None])[0]), float(np.quantile(chance, 0.95))


def rising(rows: Rows, grid: Floats) -> Floats:
    """K at log10 frequencies that rise, without a form: isotonic regression, straight lines between facts."""
    assert rows.x is not None
    order = np.argsort(rows.x)
    known = known_share(rows.x, rows.right, rows.learned.rate(rows.index))
    return np.interp(grid, rows.x[order], known[order])


def weighted_d(x: Floats, happened: Floats, weight: Floats) -> float:
    """Somers' D of what happened on x, pairs weighted: 1 if it happened to all of the largest x and to no other."""
    yes, no = happened > 0, happened <= 0
    pairs = np.outer(weight[yes], weight[no])
    return float((pairs * np.sign(x[yes][:, None] - x[no])).sum() / pairs.sum()) if pairs.sum() > 0 else math.nan


@dataclass(frozen=True, eq=False)
class Studied:
    """One template's numbers."""

    rows: Rows
    first: NDArray[np.bool_]
    """The half of the facts that foretells the other."""
    values: dict[str, float]
    resampled: tuple[Rows, ...]
    """The same subjects for every template and model."""
    drawn: dict[str, Floats]
    """Of each resample."""

    def __str__(self) -> str:
        templates, own = self.asking.facts.templates, self.asking.template
        return f"T{templates.index(own) + 1}" if own in templates else "mean"

    def estimate(self, name: str) -> Estimate:
        return estimate(self.values.get(name, math.nan), self.drawn.get(name, np.zeros(0)), len(self.asking.facts))

    def by_resample(self, statistic: Callable[[Rows], float]) -> Estimate:
        """Of all facts, with the interval of the resamples: guess rates, anchor and curve are each one's own."""
        drawn = np.array([statistic(rows) for rows in self.resampled])
        return estimate(statistic(self.rows), drawn, len(self.asking.facts))

    @property
    def asking(self) -> Asking:
        return self.rows.asking

    @property
    def learned(self) -> Guessing:
        return self.rows.learned

    @cached_property
    def forms(self) -> dict[str, ThresholdCurve]:
        """The curve in several forms, with the same guess rates; none without frequencies."""
        x, right, guess = self.rows.x, self.rows.right, self.learned.rate(self.rows.index)
        if x is None or self.learned.curve is None:
            return {}
        return {
            "probit": self.learned.curve,
            "exposures": threshold_curve(x, right, guess, "exposures"),
            "step": threshold_curve(x, right, guess, "step"),
            "probit with lapses": threshold_curve(x, right, guess, "probit", lapse=True),
            "step with lapses": threshold_curve(x, right, guess, "step", lapse=True),
        }

    @cached_property
    def strata(self) -> pl.DataFrame:
        """By fifths of frequency, the rarest first."""
        facts, rows, index = self.asking.facts, self.rows, self.rows.index
        (raw, shrunk), style = rows.rates(index), _style(rows)[index, facts.answer]
        own, base = self.asking.share[index, facts.answer], self.asking.share.mean(0)[facts.answer]
        known = [self.estimate(f"known {s}") for s in range(int(rows.stratum.max()) + 1)]
        out = []
        for s, share in enumerate(known):
            i = rows.stratum == s
            if not i.any():
                continue
            hard = rows.right[i & (shrunk < HARD)]
            out.append({
                "frequency": float(10 ** np.median(rows.x[i])) if rows.x is not None else None,
                "facts": int(i.sum()), "right": float(rows.right[i].mean()), "twins right": _mean(raw[i]),
                "hard right": float(hard.mean()) if len(hard) >= FEWEST else None,
                "known": share.value, "low": share.ends[0], "high": share.ends[1],
                "known, twins alone": self.values[f"twins known {s}"],
                "style bits": float(np.log2(style / base)[i].mean()), "fact bits": float(np.log2(own / style)[i].mean()),
                "mass": float(np.median(self.asking.mass[i])),
            })  # fmt: skip
        return pl.DataFrame(out)


def _mean(values: Floats) -> float:
    """Of those that are known; nan where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def estimate(value: float, drawn: Floats, subjects: int) -> Estimate:
    """With the interval of the resamples, moved by their bias."""
    drawn = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or len(drawn) < 2:
        return Estimate(value, (-math.inf, math.inf), over="subjects", count=subjects)
    low, high = np.quantile(drawn, (0.025, 0.975)) - (drawn.mean() - value)
    return Estimate(value, (float(low), float(high)), over="subjects", count=subjects)


def study(asking: Asking, *, seed: int = 0, resamples: int = RESAMPLES) -> Studied:
    """The numbers of one template's answers, with a bootstrap over subjects."""
    N = len(asking.facts)
    first = _random.generator(seed, "halves").permutation(N) < N / 2
    rows, random = Rows(asking, np.arange(N)), _random.generator(seed, "subjects")
    values = figures(rows, first)
    resampled = tuple(Rows(asking, np.sort(random.integers(N, size=N))) for _ in range(resamples))
    drawn = [figures(one, first) for one in resampled]
    return Studied(
        rows, first, values, resampled, {name: np.array([d.get(name, np.nan) for d in drawn]) for name in values}
    )
