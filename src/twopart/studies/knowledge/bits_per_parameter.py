"""How many bits of facts does a parameter hold, and what does the number hang on?

Facts of equal frequency, told 100 and 1,000 times, where large models were found to hold 1 and 2 bits per parameter; then one
thing is changed at a time, and one after the other until the setting is that of the capacity law's study.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import (
    Estimate,
    Found,
    Rows,
    above,
    below,
    claim,
    curve,
    mean,
    ratio,
    statistic,
    table,
    within,
    within_factor,
)
from twopart.findings import Claim, Table
from twopart.fits import slope
from twopart.report import Axis, Figure
from twopart.settings import at_least, between, rising, settings
from twopart.studies import Work
from twopart.studies._transformers import RATE, ladder

STUDY, TITLE = "bits-per-parameter", "Bits per parameter"
PAGE, PAPER = "docs/laws/bits-per-parameter.md", "Allen-Zhu, Li 2024, arXiv 2404.05405"
LITERATURE = {100: 1.0, 1000: 2.0}
"""Bits per parameter by exposures, language models of 10^6 to 5 10^8 parameters (PAPER, results 1 and 4)."""
MOST = 2.3  # that no model there exceeds (result 1c)
LINEAR = float(1 / (2 * np.log(2)))  # of a linear memory's weight, docs/laws/learner-law.md
OFTEN, AS_MANY = "told ten times as often", "told ten times as often, in as many updates"
POWER, MEMORY, THIRD = "power law", "linear memory", "a third of the rate"
BETTER = " at the better of two rates"
NOTHING = 0.01  # bits per parameter that count as none, where a model holds less or is led astray
SGD_RATE, LOADED = 1.0, 10.6
CAPACITY_LAW = 0.513
"""Bits of facts per parameter that the model of 5,648 parameters holds, less chance, at d = 0.5: docs/results/capacity-law."""


TOLD = "How often each fact is told; the last but one at all widths, the last at all but the last."


@settings
class Config:
    """Bits of equally frequent facts that a parameter holds, by exposures and size, and what else they hang on."""

    widths: Annotated[tuple[int, ...], *ladder, "Widths; everything is tried at the first."] = (16, 32, 64)
    exposures: Annotated[tuple[int, ...], rising(3), TOLD] = (10, 100, 1000)
    load: Annotated[float, between(0, 1000, "()"), "Bits told for each parameter."] = 3.0
    batch: Annotated[int, at_least(1), "Sentences per update."] = 64
    learning_rate: Annotated[float, *RATE] = 1e-2
    replicates: Annotated[
        int, at_least(2).because("an interval needs a spread"), "Models of each kind, each of facts of its own."
    ] = 3


PRESETS = {
    "tiny": Config((4, 8), (1, 2, 4), load=1.0, batch=16, replicates=2),
    "small": Config(),
    "full": Config((16, 32, 64, 128, 192), (10, 30, 100, 300, 1000)),
}


@dataclass(frozen=True)
class Model:
    """A learner, what it is told and how it is taught. Defaults are the base from which one thing is changed at a time."""

    seed: int
    width: int = 16
    exposures: int = 100
    load: float = 3.0
    """Bits told for each parameter."""
    batch: int = 64
    rate: float = 0.01
    layers: int = 1
    optimiser: str = "AdamW"
    """AdamW, SGD or Muon."""
    schedule: str = "stable"
    """stable, then falling; cosine."""
    symbols: int = 64
    """Tokens in which names and values are written, a value in one."""
    length: int = 6
    """Values of a person."""
    alone: bool = False
    """Whether a sentence tells one value, not all of a person's."""
    names: bool = False
    """Whether names are learned too."""
    discount: float = 0.0
    """People are as frequent as rank^(-1/discount), drawn tempered as in the study of the capacity law; 0: equally frequent."""
    learner: str = "transformer"
    """transformer, or memory: linear, one weight for each of `width` inputs and each symbol."""

    def __str__(self) -> str:
        values = ((f.name, getattr(self, f.name), f.default) for f in fields(self) if f.name != "seed")
        return (
            ", ".join(
                f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                for name, value, usual in values
                if value != usual
            )
            or "base"
        )

    @property
    def bits(self) -> float:
        """Of a person's values."""
        return self.length * float(np.log2(self.symbols))


def changes(config: Config) -> dict[str, dict[str, Any]]:
    """What is changed of the base, the last but one of `exposures` at the first width: one thing, or what it says."""
    few, many = config.exposures[-2:]
    batch, rate, width = config.batch, config.learning_rate, config.widths[0]
    return {
        "base": {},
        OFTEN: {"exposures": many},
        AS_MANY: {"exposures": many, "batch": batch * many // few},
        "a tenth of the updates": {"batch": 10 * batch},
        THIRD: {"rate": rate / 3},
        "three times the rate": {"rate": min(1.0, 3 * rate)},
        "a cosine's rate": {"schedule": "cosine"},
        "Muon": {"optimiser": "Muon"},
        "SGD": {"optimiser": "SGD", "rate": SGD_RATE},
        "values in two tokens of 8 symbols": {"symbols": 8, "length": 12},
        "512 symbols": {"symbols": 512, "length": 4},
        "two narrower layers": {"layers": 2, "width": max(2, 3 * width // 8 * 2)},
        "names are learned too": {"names": True},
        "half the load": {"load": config.load / 2},
        "twice the load": {"load": config.load * 2},
        "one fact a sentence": {"alone": True},
        POWER: {"discount": 0.5},
        MEMORY: {"learner": "memory", "width": max(2, width**2 // 4), "exposures": many},
    }


def steps(config: Config) -> dict[str, dict[str, Any]]:
    """From the base to the setting of the capacity law's study, one change after another."""
    row = ({"batch": 8 * config.batch}, {"alone": True}, {"load": LOADED}, {"discount": 0.5})
    names = ("in large batches", "one fact a sentence", "overloaded", POWER)
    return {f"{i}. {name}": {k: v for part in row[:i] for k, v in part.items()} for i, name in enumerate(names, 1)}


def models(config: Config, seed: int) -> dict[str, Model]:
    """Every kind of model by what it is called; some are there twice."""
    few, many = config.exposures[-2:]
    first = Model(seed, config.widths[0], few, config.load, config.batch, config.learning_rate)
    found = {name: replace(first, **change) for name, change in {**changes(config), **steps(config)}.items()}
    told = [(config.widths[0], n) for n in config.exposures] + [(w, few) for w in config.widths]
    told += [(w, many) for w in config.widths[:-1]]
    found |= {sized(w, n): replace(first, width=w, exposures=n) for w, n in told}
    found |= {f"{sized(w, few)}, {THIRD}": replace(first, width=w, rate=first.rate / 3) for w in config.widths}
    return found


def sized(width: int, exposures: int) -> str:
    """What the base is called at a width and a number of exposures."""
    return f"width {width}, {exposures:,} exposures"


def cells(config: Config, seed: int) -> Iterator[Work]:
    for case in dict.fromkeys(models(config, seed).values()):
        yield Work("train_model", case, config.replicates, cost=seconds(case))


def seconds(case: Model) -> float:
    """About how many a model takes on one core: 3 ms an update beside its products, those at 45 GFLOP/s."""
    size = case.width * case.symbols + (0 if case.learner == "memory" else 12.3 * case.layers * case.width**2)
    sentences = case.load * size / case.bits * case.exposures * (case.length if case.alone else 1)
    positions = 5 if case.alone else case.length + 3  # BOS, three digits of a name and what else is read
    return float(sentences * (3e-3 / case.batch + 6 * positions * size / 4.5e10))


def named(found: Found) -> dict[str, Rows[Model]]:
    """What was measured, by what it is called."""
    rows = {t.case: t for t in found.of(Model)}
    return {name: rows[case] for name, case in models(found.config, found.of(Model)[0].case.seed).items()}


def held(t: Rows[Model], counted: str = "held") -> Floats:
    """Bits of facts per parameter, of each replicate (R,), at least the least that has a logarithm worth looking at."""
    return np.asarray(np.maximum(t.array(counted) / t.array("parameters"), NOTHING), float)


HELD = f"bits by the model's losses ({PAPER}, definition 4.3) over all parameters; geometric mean over models"
OTHERS = "natural logarithm of the first ratio less that of the largest other, of {count}, each up or down, at equal replicates"


@claim(within_factor(1.5), "bits per parameter", f"{PAPER}, results 1 and 4", HELD)
def literature(t: Rows[Model], exposures: int, rate: str = "") -> Estimate:
    """{size} parameters{rate}, each fact told {exposures:,} times: a parameter holds as many bits as in large language
    models."""
    expected = LITERATURE.get(exposures)
    size = round(float(t.array("parameters")[0]))
    return ratio(held(t), 1.0).against(expected, size=f"{size:,}")


@claim(
    below(MOST), "bits per parameter", f"{PAPER}, result 1c", "mean of the kind of model that holds most, of {count}"
)
def ceiling(rows: dict[str, Rows[Model]]) -> Estimate:
    """No model, however it is taught, holds more than the most that is known of large ones."""
    best = max(rows.values(), key=lambda t: held(t).mean())
    return mean(held(best)).against(MOST, count=len(rows))


@claim(within(0.1), "log-log slope", f"{PAPER}, result 1", "slope of ln bits per parameter on ln parameters")
def proportional(ts: Sequence[Rows[Model]], exposures: int, rate: str = "") -> Estimate:
    """Told {exposures:,} times{rate}: a parameter holds as many bits in a large model as in a small one."""
    sizes = np.array([t.array("parameters")[0] for t in ts], float)
    return statistic(lambda logs: slope(sizes, np.exp(logs)), np.log(together(*map(held, ts)))).against(0.0)


@claim(within_factor(1.25), "ratio", PAGE, "bits per parameter over those of the base, geometric mean")
def updates_count(t: Rows[Model], base: Rows[Model]) -> Estimate:
    """A fact told ten times as often, in as many updates: as much is held; it is updates that count, not exposures."""
    return ratio(*together(held(t), held(base)).T)


@claim(
    above(1.0),
    "ratio",
    PAGE,
    "bits of equal frequencies over those of the power law, counted fact by fact, less chance",
)
def equal_frequencies(base: Rows[Model], power: Rows[Model]) -> Estimate:
    """Facts of equal frequency fill a model further than those of a power law do in as many sentences."""
    return ratio(*together(held(base, "known"), held(power, "known")).T)


@claim(within_factor(1.25), "ratio", PAGE, "bits counted fact by fact, floored and less chance, over those by losses")
def counting(t: Rows[Model]) -> Estimate:
    """{t}: counting as in the capacity law's study gives the same bits."""
    return ratio(held(t, "known"), held(t))


@claim(within_factor(1.25), "bits per weight", "docs/laws/learner-law.md, many facts", HELD)
def linear(t: Rows[Model]) -> Estimate:
    """A linear memory holds 1/(2 ln 2) bits per weight."""
    return ratio(held(t), 1.0).against(LINEAR)


@claim(above(0.0), "difference of logarithms", PAGE, OTHERS)
def exposures_matter_most(rows: Sequence[Rows[Model]]) -> Estimate:
    """Of all single changes, telling a fact ten times as often moves bits per parameter most."""
    logs = np.log(together(*map(held, rows)))

    def lead(mean: Floats) -> float:
        moved = np.abs(mean[1:] - mean[0])
        return float(moved[0] - moved[1:].max())

    return statistic(lead, logs).against(0.0, count=len(rows) - 2)


@claim(
    within_factor(1.5),
    "bits per parameter",
    "docs/results/capacity-law; docs/laws/capacity.md, what was measured",
    "bits fact by fact, less chance, over all parameters",
)
def explained(t: Rows[Model]) -> Estimate:
    """Changed step by step into the capacity law's setting, a model holds what was measured there."""
    return ratio(held(t, "known"), 1.0).against(CAPACITY_LAW)


def together(*values: Floats) -> Floats:
    """Arrays (R,) as (R, n), of the replicates that all have."""
    least = min(map(len, values))
    return np.stack([v[:least] for v in values], axis=1)


def claims(found: Found) -> Iterator[Claim]:
    rows, config = named(found), found.config
    base, (few, many) = rows["base"], config.exposures[-2:]
    for n, widths in ((few, config.widths), (many, config.widths[:-1])):
        sizes = [rows[sized(w, n)] for w in widths]
        yield from (literature(t, n) for t in sizes)
        if len(sizes) > 1:
            yield proportional(sizes, n)
    pairs = [(rows[sized(w, few)], rows[f"{sized(w, few)}, {THIRD}"]) for w in config.widths]
    better = [max(pair, key=lambda t: held(t).mean()) for pair in pairs]
    yield from (literature(better[-1], few, BETTER), proportional(better, few, BETTER))
    yield exposures_matter_most([rows[name] for name in changes(config) if name not in (AS_MANY, MEMORY)])
    yield from (updates_count(rows[AS_MANY], base), equal_frequencies(base, rows[POWER]), counting(base))
    yield linear(rows[MEMORY])
    yield explained(rows[list(steps(config))[-1]])
    yield ceiling(rows)


def kinds(found: Found) -> Iterator[pl.DataFrame]:
    """Every kind of model, the first ones changed in one thing of the base, those with numbers in one after the other. Bits per
    parameter by the losses, geometric mean and least and greatest model; their ratio to the base; over the parameters that are
    no symbols' rows; counted fact by fact, at least 0 and less chance; share of values that are the best guess; bits told."""
    rows = named(found)
    for name, t in rows.items():
        mine, size = held(t), t.array("parameters")
        numbers = {
            "bits per parameter": float(np.exp(np.log(mine).mean())), "low": mine.min(), "high": mine.max(),
            "over the base": float(np.exp(np.log(mine).mean() - np.log(held(rows["base"])).mean())),
            "not at least nothing": float((t.array("held") / size).mean()),
            "without the table": float((t.array("held") / (size - t.array("table"))).mean()),
            "fact by fact": float((t.array("known") / size).mean()), "of names": float((t.array("names") / size).mean()),
            "right": float(t.array("right").mean()), "told": float((t.array("told") / size).mean()),
        }  # fmt: skip
        sizes = {column: int(t.array(column)[0]) for column in ("parameters", "people", "sentences", "updates")}
        yield pl.DataFrame([{"model": name, "exposures": t.case.exposures} | sizes | numbers])


def by_exposures(found: Found) -> Iterator[pl.DataFrame]:
    """Bits per parameter by exposures: mean, least and greatest model; large language models as published."""
    rows, config = named(found), found.config
    x, y = list(LITERATURE), np.array(list(LITERATURE.values()))
    yield curve({"exposures": x}, {"bits per parameter": y}, series=LARGE)
    for width in config.widths:
        ts = [rows[sized(width, n)] for n in config.exposures if sized(width, n) in rows]
        size = int(ts[0].array("parameters")[0])
        yield curve(
            {"exposures": [t.case.exposures for t in ts]},
            {"bits per parameter": together(*map(held, ts))},
            series=f"{size:,} parameters",
        )


def tables(found: Found) -> Iterator[Table]:
    yield from table("exposures", "Bits per parameter by exposures", by_exposures, found)
    yield from table("models", "What bits per parameter hang on", kinds, found)


LARGE = "large models (published)"
FIGURES = (
    Figure("bits-per-parameter", "Bits per parameter by exposures", "exposures",
           x=Axis("exposures", "times that each fact is told"), y=Axis("bits per parameter", "bits per parameter"),
           kinds={LARGE: "theory", ...: "learner"},
           caption="What small transformers hold per parameter, beside what large ones were found to hold."),
)  # fmt: skip


def summary(found: Found) -> str:
    rows = named(found)
    moved = {name: np.log(held(rows[name]).mean() / held(rows["base"]).mean()) for name in changes(found.config)}
    ranked = sorted(moved, key=lambda name: -abs(moved[name]))[:4]
    base, size = rows["base"], int(rows["base"].array("parameters")[0])
    said = "; ".join(f"{name} (a factor of {np.exp(moved[name]):.2f})" for name in ranked)
    return (
        "How many bits of random facts does a parameter hold? Large language models were found to hold 1 after 100 exposures "
        f"and 2 after 1,000. Here transformers of {size:,} parameters and more are told facts of equal frequency; the "
        f"smallest hold {held(base).mean():.2f} after {base.case.exposures:,}. What moves that most, one thing changed at a "
        f"time: {said}."
    )
