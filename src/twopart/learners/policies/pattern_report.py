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
from twopart._arrays import Floats, finite
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
    """Of these four, by resampling questions."""
    patterns: pl.DataFrame
    """By pattern: share and mean reward before and after, what it adds to selection and skill, and where rollouts have it the
    mean log-probability before and after."""
    silent: tuple[float, float]
    """Share of questions whose rewards all agree, before and after: groups without an advantage; nan without questions."""

    def __str__(self) -> str:
        ends = (self.intervals[part] for part in PARTS)
        lines = [f"{n:<10}{getattr(self, n):>9.4f}  [{a:.4f}, {b:.4f}]" for n, (a, b) in zip(PARTS, ends, strict=True)]
        lines += [f"{row['pattern']!s:<20}" + _row(row) for row in self.patterns.iter_rows(named=True)]
        return "\n".join([*lines, f"silent groups {self.silent[0]:.3f} -> {self.silent[1]:.3f}"])


def pattern_report(
    rollouts: Any,
    after: Any = None,
    *,
    pattern: str | Callable[[Any], Any] = "pattern",
    reward: str = "reward",
    question: str = "question",
    logp: str = "logp",
    text: str = "completion",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Shift:
    """Selection and skill of two tables, or of one whose column `step` tells the first from the last.

    A table is a path (.jsonl, .ndjson, .parquet), a polars, Arrow or pandas frame, or rows as dictionaries. `pattern` names a
    column, or is a function of the column `text`. Without the column `question` rows count as independent, without `logp` none
    are told. Rewards are any numbers; a pattern that one table lacks is taken to have the other's mean reward. Where a pattern
    comes to answer other questions than before, that counts as skill. Raises `InputError` for missing columns and nan.
    """
    check_real("level", level, 0, 1, "0.95 is usual", closed="()")
    check_integer("resamples", resamples, 20, None, "1000 is usual")
    first = _table("rollouts", rollouts)
    if after is None:
        check("step" in first.columns, "rollouts", first.columns, "with a column `step`", "or give `after` as well")
        steps = first["step"]
        check(steps.n_unique() >= 2, "step", steps.unique().to_list(), "of two steps or more", "log the base model too")
        first, last = (first.filter(pl.col("step") == end) for end in (steps.min(), steps.max()))
    else:
        last = _table("after", after)
    names = {"reward": reward, "question": question, "logp": logp}
    tables = [_columns(*each, pattern, text, names) for each in (("rollouts", first), ("after", last))]
    both = pl.concat([t.with_columns(after=pl.lit(i)) for i, t in enumerate(tables)], how="diagonal")
    kinds = both["pattern"].unique().sort()
    which = both["pattern"].replace_strict(kinds, np.arange(len(kinds)), return_dtype=pl.Int64).to_numpy()
    groups = both["question"] if "question" in both.columns else pl.Series(range(len(both)))
    random = _random.generator(seed, "report")
    folds = random.permutation(groups.n_unique()).astype(np.int64) % FOLDS
    fold = folds[groups.rank("dense").to_numpy() - 1]
    at, K = both["after"].to_numpy(), len(kinds)
    totals = np.zeros((fold.max() + 1, 2, 2, K))  # fold; rollouts, their rewards; before, after; pattern
    for i, weight in enumerate((np.ones(len(both)), both["reward"].to_numpy())):
        np.add.at(totals[:, i], (fold, at, which), weight)
    value, parts = _split(totals.sum(0))
    draws = random.multinomial(len(totals), np.full(len(totals), 1 / len(totals)), resamples)
    drawn = np.array([_split(np.tensordot(weights, totals, 1))[0] for weights in draws])
    ends = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0).T
    intervals = {name: (float(a), float(b)) for name, (a, b) in zip(PARTS, ends, strict=True)}
    frame = pl.DataFrame({"pattern": kinds, **parts})
    if "logp" in both.columns:
        means = both.group_by("pattern").agg(
            pl.col("logp").filter(pl.col("after") == i).mean().alias(f"logp_{name}") for i, name in enumerate(PARTS[:2])
        )
        frame = frame.join(means, on="pattern", maintain_order="left")
    before, end, selection, skill = map(float, value)
    return Shift(before, end, selection, skill, intervals, frame, (_silent(tables[0]), _silent(tables[1])))


def selection_and_skill(share: Any, success: Any) -> tuple[Floats, Floats]:
    """What each pattern adds to a change of accuracy, (..., K) each: masses and rates (2, ..., K), before and after.

    Δπ (p + p')/2 and Δp (π + π')/2, which add up to Σ π' p' - Σ π p. Raises `InputError` for other shapes, nan and infinity.
    """
    π = finite("share", share, (2, *(None,) * (np.ndim(share) - 1)), "before and after, patterns last")
    p = finite("success", success, π.shape, "a rate for each mass")
    return (π[1] - π[0]) * p.mean(0), (p[1] - p[0]) * π.mean(0)


def _split(totals: Floats) -> tuple[Floats, dict[str, Floats]]:
    """Of counts and sums of rewards (2, 2, K); a resample may lack a pattern altogether."""
    count, rewards = totals
    with np.errstate(invalid="ignore", divide="ignore"):
        p = rewards / count
    p = np.where(np.isnan(p), p[::-1], p)
    share, p = count / np.maximum(count.sum(1, keepdims=True), 1), np.where(np.isnan(p), 0.0, p)
    selection, skill = selection_and_skill(share, p)
    names = {"share_before": share[0], "share_after": share[1], "success_before": p[0], "success_after": p[1]}
    value = np.array([*(share * p).sum(1), selection.sum(), skill.sum()])
    return value, {**names, "selection": selection, "skill": skill}


def _table(name: str, source: Any) -> pl.DataFrame:
    if isinstance(source, str | Path):
        readers: dict[str, Any] = {".jsonl": pl.read_ndjson, ".ndjson": pl.read_ndjson, ".parquet": pl.read_parquet}
        kind = Path(source).suffix.lower()
        check(kind in readers, name, str(source), f"a file ending in {', '.join(readers)}", "or give a frame")
        check(Path(source).is_file(), name, str(source), "a file that is there", "see the path")
        frame: pl.DataFrame = readers[kind](source)
    else:
        frame = source if isinstance(source, pl.DataFrame) else pl.DataFrame(source)
    check(frame.height > 0, name, frame.shape, "a table with rows", "one row per rollout")
    return frame


def _columns(name: str, frame: pl.DataFrame, pattern: Any, text: str, names: dict[str, str]) -> pl.DataFrame:
    """The table with columns of our names, numbers checked."""
    for wanted in (text if callable(pattern) else pattern, names["reward"]):
        check(wanted in frame.columns, name, frame.columns, f"with a column {wanted!r}", "name yours by keyword")
    kinds = frame[text].map_elements(lambda t: str(pattern(t)), pl.String) if callable(pattern) else frame[pattern]
    kept = {"pattern": kinds.cast(pl.String)}
    check(
        kept["pattern"].null_count() == 0, "pattern", "some that are null", "a name for each rollout", "drop those rows"
    )
    for own, theirs in names.items():
        if theirs in frame.columns:
            column = frame[theirs]
            check(column.null_count() == 0, theirs, "some that are null", "known for each rollout", "drop those rows")
            if own != "question":
                numeric = column.dtype.is_numeric() or column.dtype == pl.Boolean
                check(numeric, theirs, str(column.dtype), "numbers", "convert the column first")
                column = pl.Series(finite(theirs, column.cast(pl.Float64).to_numpy(), (None,), "one per rollout"))
            kept[own] = column.cast(pl.String) if own == "question" else column
    return pl.DataFrame(kept)


def _silent(table: pl.DataFrame) -> float:
    if "question" not in table.columns:
        return float("nan")
    same = table.group_by("question").agg(same=pl.col("reward").min() == pl.col("reward").max())
    return float(same["same"].to_numpy().mean())


def _row(row: dict[str, Any]) -> str:
    pairs = [f"{part} {row[f'{part}_before']:.3f} -> {row[f'{part}_after']:.3f}" for part in ("share", "success")]
    return "   ".join(pairs)


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
    fine = b.ndim in (2, 3)
    check(fine, "logp_before", b.shape, "(N, T, V) or (N, T)", "texts, positions, and tokens where you have them")
    b = finite("logp_before", b, (None,) * b.ndim, "texts and positions")
    a = finite("logp_after", a, b.shape, "as `logp_before`")
    kl = (np.exp(a) * (a - b)).sum(-1) if a.ndim == 3 else np.expm1(b - a) - (b - a)
    m = np.ones(kl.shape) if mask is None else finite("mask", np.asarray(mask) * 1.0, kl.shape, "one per position")
    check(bool(((m == 0) | (m == 1)).all() and m.any()), "mask", m, "0 and 1, not all 0", "1 where a position counts")
    kl = np.maximum(kl, 0) * m
    order = np.argsort(-kl, axis=None, kind="stable")
    carried = np.cumsum(kl.ravel()[order])
    needed = int((carried < part * carried[-1] * (1 - 1e-12)).sum()) + 1 if carried[-1] > 0 else 0
    critical = np.zeros(kl.size, bool)
    critical[order[:needed]] = True
    return Critical(needed / float(m.sum()), kl, critical.reshape(kl.shape))
