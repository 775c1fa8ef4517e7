"""What training changed in a log of rollouts: which patterns are chosen, how well each is carried out, and at which tokens.

    report = pattern_report("rollouts.jsonl")           # rows: question, pattern, reward, step; or two tables, before and after
    print(report)                                       # accuracy = selection + skill, exactly, with intervals
    found = critical_tokens(logp_before, logp_after, mask)      # the few positions that carry 90 % of the divergence

With masses π and mean rewards p of patterns, p' - p̄ = Σ Δπ (p + p')/2 + Σ Δp (π + π')/2: selection and skill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_integer, check_real

FOLDS = 1000  # questions are resampled in at most so many random folds
PARTS = ("before", "after", "selection", "skill")


@dataclass(frozen=True, eq=False)
class Shift:
    """A change of mean reward between two tables of rollouts, split in two."""

    before: float
    after: float
    selection: float
    """What choosing other patterns brought."""
    skill: float
    """What carrying them out better brought."""
    intervals: dict[str, tuple[float, float]]
    """Of these four, 95 %, by resampling questions."""
    patterns: pl.DataFrame
    """By pattern: share and mean reward before and after, what it adds to selection and skill, and where rollouts have it the
    mean log-probability before and after."""

    def __str__(self) -> str:
        ends = (self.intervals[part] for part in PARTS)
        lines = [f"{n:<10}{getattr(self, n):>9.4f}  [{a:.4f}, {b:.4f}]" for n, (a, b) in zip(PARTS, ends, strict=True)]
        return "\n".join([*lines, str(self.patterns)])


def pattern_report(
    rollouts: Any, after: Any = None, *,
    pattern: str | Callable[[Any], Any] = "pattern", resamples: int = 1000, seed: int = 0,
) -> Shift:  # fmt: skip
    """Selection and skill of two tables, or of one whose column `step` tells the first from the last.

    A table is a path (.jsonl, .ndjson, .parquet), a polars, Arrow or pandas frame, or rows as dictionaries, with columns
    `reward`, any numbers, and `pattern`, a column of another name, or a function of the column `completion`. Without one of
    `question` rows count as independent, without `logp` none are told. A pattern that one table lacks is taken to have the
    other's mean reward. Where a pattern comes to answer other questions than before, that counts as skill. Raises `InputError`
    for missing columns and nan.
    """
    check_integer("resamples", resamples, 20, None, "1000 is usual")
    first, last = _table("rollouts", rollouts), None if after is None else _table("after", after)
    if last is None:
        check("step" in first.columns, "rollouts", first.columns, "with a column `step`", "or give `after` as well")
        steps = first["step"].min(), first["step"].max()
        check(steps[0] != steps[1], "step", steps, "of two steps or more", "log the base model too")
        first, last = (first.filter(pl.col("step") == end) for end in steps)
    tables = [_columns("rollouts", first, pattern), _columns("after", last, pattern)]
    both = pl.concat([t.with_columns(after=pl.lit(i)) for i, t in enumerate(tables)], how="diagonal")
    question = both["question"] if "question" in both.columns else pl.Series(range(len(both)))
    random = _random.generator(seed, "report")
    folds = random.permutation(question.n_unique()).astype(np.int64) % FOLDS
    fold, which = folds[question.rank("dense").to_numpy() - 1], both["pattern"].rank("dense").to_numpy() - 1
    totals = np.zeros((fold.max() + 1, 2, 2, which.max() + 1))  # fold; rollouts, their rewards; before, after; pattern
    for i, weight in enumerate((np.ones(len(both)), both["reward"].to_numpy())):
        np.add.at(totals[:, i], (fold, both["after"].to_numpy(), which), weight)
    share, success = _means(totals.sum(0))
    draws = random.multinomial(len(totals), np.full(len(totals), 1 / len(totals)), resamples)
    drawn = _parts(*_means(np.einsum("rf,fwek->werk", draws, totals)))
    ends = np.quantile(drawn, [0.025, 0.975], axis=-1).T.tolist()
    intervals = {name: (low, high) for name, (low, high) in zip(PARTS, ends, strict=True)}
    frame = pl.DataFrame({
        "pattern": both["pattern"].unique().sort(), "share_before": share[0], "share_after": share[1],
        "success_before": success[0], "success_after": success[1],
        **dict(zip(PARTS[2:], selection_and_skill(share, success), strict=True)),
    })  # fmt: skip
    if "logp" in both.columns:
        told = (pl.col("logp").filter(pl.col("after") == i).mean().alias(f"logp_{PARTS[i]}") for i in (0, 1))
        frame = frame.join(both.group_by("pattern").agg(told), on="pattern", maintain_order="left")
    found = dict(zip(PARTS, _parts(share, success).tolist(), strict=True))
    return Shift(**found, intervals=intervals, patterns=frame)


def selection_and_skill(share: Any, success: Any) -> tuple[Floats, Floats]:
    """What each pattern adds to a change of accuracy, (..., K) each: masses and rates (2, ..., K), before and after.

    Δπ (p + p')/2 and Δp (π + π')/2, which add up to Σ π' p' - Σ π p. Raises `InputError` for other shapes and ranges.
    """
    π = finite("share", share, (2, *(None,) * max(1, np.ndim(share) - 1)), "before and after, patterns last")
    numbers("share", π, 0, 1, "[]", "a share of rollouts")
    p = finite("success", success, π.shape, "a rate for each mass")
    return (π[1] - π[0]) * p.mean(0), (p[1] - p[0]) * π.mean(0)


def _means(totals: Floats) -> tuple[Floats, Floats]:
    """Masses and mean rewards (2, ..., K) of counts and sums of rewards (2, 2, ..., K); a resample may lack a pattern."""
    count, rewards = totals
    with np.errstate(invalid="ignore", divide="ignore"):
        p = rewards / count
    p = np.where(np.isnan(p), p[::-1], p)
    return count / np.maximum(count.sum(-1, keepdims=True), 1), np.where(np.isnan(p), 0.0, p)


def _parts(share: Floats, success: Floats) -> Floats:
    """What `PARTS` names, (4, ...)."""
    split = selection_and_skill(share, success)
    return np.stack([*(share * success).sum(-1), *(part.sum(-1) for part in split)])


def _table(name: str, source: Any) -> pl.DataFrame:
    if isinstance(source, str | Path):
        readers: dict[str, Any] = {".jsonl": pl.read_ndjson, ".ndjson": pl.read_ndjson, ".parquet": pl.read_parquet}
        there = f"a file that is there, ending in {', '.join(readers)}"
        check(Path(source).suffix in readers and Path(source).is_file(), name, str(source), there, "or give a frame")
        source = readers[Path(source).suffix](source)
    try:
        frame = source if isinstance(source, pl.DataFrame) else pl.DataFrame(source)
    except (TypeError, ValueError):
        frame = pl.DataFrame()
    check(frame.height > 0, name, type(source).__name__, "a table with rows", "one row per rollout")
    return frame


def _columns(name: str, frame: pl.DataFrame, pattern: Any) -> pl.DataFrame:
    """Of the table the columns that count, checked."""
    source = "completion" if callable(pattern) else pattern
    for wanted in (source, "reward"):
        check(wanted in frame.columns, name, frame.columns, f"with a column {wanted!r}", "rename yours")
    kinds = frame[source].map_elements(lambda t: str(pattern(t)), pl.String) if callable(pattern) else frame[source]
    kept = {"pattern": kinds.cast(pl.String)}
    kept |= {column: frame[column] for column in ("question", "reward", "logp") if column in frame.columns}
    for own, column in kept.items():
        check(column.null_count() == 0, own, "some that are null", "known for each rollout", "drop those rows")
        if own in ("reward", "logp"):
            values = column.cast(pl.Int8) if column.dtype == pl.Boolean else column
            kept[own] = pl.Series(finite(own, values.to_numpy(), (None,), "one per rollout"))
    return pl.DataFrame(kept).with_columns(pl.col("^question$").cast(pl.String))


class Critical(NamedTuple):
    share: float
    """Of the positions that count: the fewest that carry so much."""
    divergence: Floats
    """KL(after | before) by position, nats, (N, T); 0 where the mask is."""
    critical: NDArray[np.bool_]
    """Which positions those are, (N, T)."""


def critical_tokens(logp_before: Any, logp_after: Any, mask: Any = None, *, carry: float = 0.9) -> Critical:
    """The fewest positions that carry `carry` of the divergence between two models, on texts of the later one.

    Log-probabilities (N, T, V) of all tokens give each position's divergence exactly; (N, T), of the tokens that are there,
    e^d - 1 - d, d = before - after: never negative, right in the mean over texts that the later model wrote (Schulman 2020).
    Arrays or tensors; `mask` (N, T) is 1 where a position counts. Raises `InputError` where shapes differ, for nan and -inf.
    """
    part = check_real("carry", carry, 0, 1, "0.9 is usual", closed="(]")
    b, a = (x.numpy(force=True) if hasattr(x, "numpy") else np.asarray(x) for x in (logp_before, logp_after))
    check(b.ndim in (2, 3), "logp_before", b.shape, "(N, T, V) or (N, T)", "texts, positions, and tokens where known")
    b = finite("logp_before", b, (None,) * b.ndim, "texts and positions")
    a = finite("logp_after", a, b.shape, "as `logp_before`")
    kl = (np.exp(a) * (a - b)).sum(-1) if a.ndim == 3 else np.expm1(b - a) - (b - a)
    m = np.ones(kl.shape) if mask is None else finite("mask", np.asarray(mask) * 1.0, kl.shape, "one per position")
    check(bool(((m == 0) | (m == 1)).all() and m.any()), "mask", m, "0 and 1, not all 0", "1 where a position counts")
    kl = np.maximum(kl, 0) * m
    order = np.argsort(-kl, axis=None, kind="stable")
    carried = np.cumsum(kl.ravel()[order])
    needed = int((carried < part * carried[-1] * (1 - 1e-12)).sum()) + 1 if carried[-1] > 0 else 0
    return Critical(needed / float(m.sum()), kl, order.argsort().reshape(kl.shape) < needed)
