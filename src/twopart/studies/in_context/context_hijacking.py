"""Do more layers protect a transformer's answer from an adverse example that the context repeats?

Linear transformers are trained to classify in context, and then asked about a query after N copies of its neighbour across the
boundary. They are gradient descent with the steps that training found, so that the law has the answer for every N and depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, exact, long, mean, ratio, statistic, table
from twopart.evidence.judges import above, below, within_share
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.in_context import hijack_error, hijack_limits, optimal_steps
from twopart.report import Axis, Figure, Kind
from twopart.settings import among, at_least, between, distinct, every, no_less_than, rising, settings
from twopart.studies import Work, spaced, world_seed
from twopart.worlds.in_context import HijackedClassification

STUDY, TITLE = "context-hijacking", "Hijacking by repetition"
PAPER, PAGE = "Li, Zhang, Chen, Cao, Zou 2025, arXiv 2502.15609", "docs/laws/context-hijacking.md"
CLOSED, ERROR, FAR, BEST, CLIP = (f"{PAGE}, {part}" for part in (
    "the logit", "the error", "where layers overshoot", "the best step", "a layer that overshoots is seen"))  # fmt: skip
KINDS = {"tied": "one step", "free": "matrices"}
DEPTHS = every(at_least(1)).because("a transformer has a layer")
FEW = 32  # the N at which trained transformers are held against their own law end here


@settings
class Training:
    """How each transformer is trained and asked."""

    steps: Annotated[int, at_least(10), "Steps of Adam, each on fresh prompts."] = 600
    prompts: Annotated[int, at_least(8), "Prompts in a step."] = 256
    pairs: Annotated[int, at_least(100), "Queries, each with its hijacker, on which errors are counted."] = 4000


@settings
class Config:
    """Hijacked in-context classification: error by repetitions for several depths, by law and of trained transformers."""

    layers: Annotated[tuple[int, ...], rising(3), DEPTHS, "Depths with one step for all."] = (1, 2, 3, 4, 8, 15, 16)
    matrices: Annotated[tuple[int, ...], distinct(1), every(among("layers")), "Depths with matrices."] = (1, 2, 3, 4)
    context: Annotated[int, at_least(9), no_less_than("short", 2), "n, examples of a prompt in training."] = 40
    short: Annotated[int, at_least(2), "A shorter n, for three depths."] = 10
    dimension: Annotated[int, at_least(3), "d, of inputs."] = 20
    prior_spread: Annotated[float, between(0, np.inf, "[)"), "τ, of tasks around what pretraining knows."] = 1.0
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Transformers of a kind."] = 3
    draws: Annotated[int, at_least(100), "Draws of a context, for the best step."] = 2000
    training: Training = Training()


PRESETS = {
    "tiny": Config((1, 2, 3), (1,), 16, 4, 8, 1.0, 2, 200, Training(10, 32, 100)),
    "small": Config(),
    "full": Config((*range(1, 17), 32), (1, 2, 3, 4, 6, 8), seeds=8, training=Training(4000)),
}


@dataclass(frozen=True)
class Best:
    """A cell: the initial point and step that are best for contexts of n, and what N copies do then, for every depth."""

    world: HijackedClassification
    context: int
    layers: tuple[int, ...]
    draws: int
    seeds: int

    def __str__(self) -> str:
        return f"n = {self.context}"

    @cached_property
    def tokens(self) -> tuple[int, ...]:
        """N, to ten times n."""
        most = 10 * self.context
        return tuple(sorted({2**k for k in range(most.bit_length())} | {self.context, most}))

    @property
    def prior(self) -> dict[str, Any]:
        return {"dimension": self.world.dimension, "prior_spread": self.world.prior_spread}


@dataclass(frozen=True)
class Train:
    """A cell: a transformer, trained and hijacked."""

    kind: str
    layers: int
    best: Best
    training: Training

    def __str__(self) -> str:
        return f"{KINDS[self.kind]}, L = {self.layers}, {self.best}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    world = HijackedClassification(config.dimension, config.prior_spread, seed=world_seed(seed, STUDY))
    usual = Best(world, config.context, config.layers, config.draws, config.seeds)
    short = replace(usual, context=config.short)
    yield from (Work("solve", best, cost=0.1) for best in (usual, short))
    kinds = [("tied", L, usual) for L in config.layers] + [("tied", L, short) for L in config.layers[:3]]
    for kind, L, best in [*kinds, *(("free", L, usual) for L in config.matrices)]:
        yield Work("train", Train(kind, L, best, config.training), config.seeds, cost=5 + L)


def solve(case: Best, cell: Cell) -> pl.DataFrame:
    """By depth, axis "best": step (α n) and scale; axis "error": by N. Replicates draw other contexts."""
    N, rows = np.array(sorted({*case.tokens, *spaced(1, 10 * case.context, 40)})), []
    for done, L in enumerate(case.layers, 1):
        draws = [{"draws": case.draws, "seed": cell.seed + r} for r in range(case.seeds)]
        found = [optimal_steps(case.context, L, **case.prior, **one) for one in draws]
        step = np.array([[one.step * case.context] for one in found])
        errors = np.stack([hijack_error(one.scale, [one.step] * L, N, **case.prior).value for one in found])
        rows += [long("best", {"step": step}, layers=L), long("error", {"tokens": N, "error": errors}, layers=L)]
        cell.progress(done, len(case.layers))
    return pl.concat(rows, how="diagonal")


def law(found: Found, t: Rows[Train], column: str, **where: Any) -> Floats:
    """Of the best steps at the depth of the case, mean over draws."""
    best = found.one(Best, context=t.case.best.context)
    return np.asarray(best.array(column, layers=t.case.layers, **where).mean(0))


def errors(t: Rows[Train], column: str = "error", **where: int) -> Floats:
    """By N, shape (R, K), or at one, `tokens=N`, shape (R,)."""
    return np.asarray(t.array(column, axis="curve", **where))


def beyond_noise(t: Rows[Train], error: Any, law: Any, law_error: float = 0.0) -> Any:
    """|error - law| less three standard errors, of the pairs of all replicates and of the law."""
    pairs = t.case.training.pairs * len(errors(t))
    return np.abs(error - law) - 3 * np.sqrt(law * (1 - law) / pairs + law_error**2)


SHARE, BY_BEST = "share of answers", f"{PAPER}; {BEST}"
OWN = f"largest |error - law| less 3 standard errors, over N = 1 to {FEW}"
RMS = "root mean square of error less law, over N = 1 to {last}"
RISE = "largest rise of the mean error over N = {few} from one depth to the next, L = {depths}"
AT = "error at N = {t.case.best.context}, the training length"
LESS = "error at N = 4 less that with n = {short.case.best.context}"
PLATEAU = "|error - {level:.3f}| less 3 standard errors at N = {n}, the worst depth"


@claim(within_share(0.15), "ratio", BY_BEST, "mean over layers of tr Γ/d, over the best step α")
def steps_are_best(t: Rows[Train], best: float) -> Estimate:
    """{t}: training finds the step that the law says is best."""
    return ratio(t.array("step", axis="model"), best)


@claim(above(0.99), "cosine", BY_BEST, "cosine of the trained initial point with w*")
def knows_the_prior(t: Rows[Train]) -> Estimate:
    """{t}: the initial point is what pretraining knows, w*."""
    return mean(t.array("cosine", axis="model"))


@claim(below(0.02), SHARE, f"{CLOSED}; {ERROR}", OWN)
def follows_its_own_law(t: Rows[Train]) -> Estimate:
    """{t}: errors are those of the law with the trained initial point and steps."""
    few, law = np.array(t.case.best.tokens) <= FEW, errors(t, "law").mean(0)
    return exact(beyond_noise(t, errors(t).mean(0), law, errors(t, "law_error").max())[few].max())


@claim(below(0.05), SHARE, f"{ERROR}; {BEST}", RMS)
def foretold(t: Rows[Train], law: Floats) -> Estimate:
    """{t}: errors are foretold with nothing fitted or trained, by the best initial point and step."""
    found = statistic(lambda e: np.sqrt(np.mean((e - law) ** 2)), errors(t))
    return found.against(None, last=t.case.best.tokens[-1])


@claim(below(1.0), "ratio", BEST, "largest ratio of the best step to that of the next smaller depth")
def finer(t: Rows[Best]) -> Estimate:
    """{t}: the deeper, the finer the best step."""
    return statistic(lambda step: (step[1:] / step[:-1]).max(), t.array("step", axis="best"))


@claim(below(2.5), "ratio", BEST, "α L of {deepest} layers over that of one")
def moves_no_farther(t: Rows[Best]) -> Estimate:
    """{t}: all steps together grow little with depth."""
    L = t.case.layers
    found = statistic(lambda step: L[-1] * step[-1] / (L[0] * step[0]), t.array("step", axis="best"))
    return found.against(None, deepest=L[-1])


@claim(below(0.0), SHARE, PAPER, RISE)
def deeper_is_safer(ts: Sequence[Rows[Train]], few: Floats, where: str) -> Estimate:
    """Deeper is more robust {where}."""
    by_depth = np.stack([np.mean([errors(t, tokens=int(N)) for N in few], axis=0) for t in ts], axis=1)
    found = statistic(lambda e: (e[1:] - e[:-1]).max(), by_depth)
    return found.against(None, depths=", ".join(str(t.case.layers) for t in ts), few=", ".join(map(str, few)))


def at_training_length(t: Rows[Train], what: str) -> Estimate:
    """{t}: {what}."""
    return mean(errors(t, tokens=t.case.best.context))


saved, lost = (claim(judge, SHARE, FAR, AT)(at_training_length) for judge in (below(0.15), above(0.85)))


@claim(below(0.0), SHARE, BY_BEST, LESS)
def longer_is_safer(t: Rows[Train], short: Rows[Train]) -> Estimate:
    """{t}: longer training contexts make a transformer more robust."""
    return mean(errors(t, tokens=4) - errors(short, tokens=4))


@claim(below(0.02), SHARE, CLIP, PLATEAU)
def clipped(ts: Sequence[Rows[Train]]) -> Estimate:
    """Clipped where it overshoots, a transformer of any depth errs as if it had learned the hijacker, and no more."""
    one, best = ts[0], ts[0].case.best
    level = hijack_limits(float(one.array("scale", axis="model").mean()), **best.prior).learned
    off = max(beyond_noise(t, t.array("clipped", axis="model").mean(), level) for t in ts)
    return exact(off).against(None, level=level, n=best.context)


def claims(found: Found) -> Iterator[Claim]:
    best = found.one(Best, context=(n := found.config.context))
    tied, free = (found.of(Train, kind=kind, best=best.case) for kind in KINDS)
    for t in (t for t in free if t.case.layers <= 2):
        yield from (steps_are_best(t, float(law(found, t, "step", axis="best"))), knows_the_prior(t))
    yield from (follows_its_own_law(t) for t in (*tied, *free))
    yield from (foretold(t, law(found, t, "error", axis="error", tokens=best.case.tokens)) for t in tied)
    yield from (finer(best), moves_no_farther(best))
    N, odd = np.array(best.case.tokens), [t for t in tied if t.case.layers % 2]
    first = n / (found.config.dimension * float(law(found, tied[0], "step", axis="best")))  # N_1, which fits at once
    yield deeper_is_safer(tied, N[first > N], "before the shallowest learns the hijacker at once")
    for few, where in (
        (N[(2 * first < N) & (n >= N)], "where the shallowest overshoots"),
        (N[n < N], "beyond n copies"),
    ):
        for ts, which in ((odd, "odd"), (tied, "all")):
            if len(few) and len(ts) > 1:
                yield deeper_is_safer(ts, few, f"{where}, among {which} depths")
    for t in (t for t in (*tied, *free) if t.case.layers <= 4):
        is_odd = t.case.layers % 2
        yield lost(t, "an odd number of layers is lost") if is_odd else saved(t, "an even number of layers is saved")
    for short in found.of(Train, kind="tied"):
        if short.case.best != best.case:
            yield longer_is_safer(found.one(Train, kind="tied", best=best.case, layers=short.case.layers), short)
    yield clipped(tied)


def error_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Law: the best initial point and step, nothing fitted. Trained: mean, least and greatest of the transformers."""
    for t in found.of(Train):
        labels: dict[str, Any] = {"model": f"{KINDS[t.case.kind]}, {t.case.best}", "layers": f"L = {t.case.layers}"}
        tokens, error = (law(found, t, name, axis="error") for name in ("tokens", "error"))
        yield curve({"tokens": tokens}, {"error": error}, series="law", **labels)
        yield curve({"tokens": t.case.best.tokens}, {"error": errors(t)}, series="trained", **labels)


def step_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Law: n α of the least loss. Trained: n tr Γ/d, mean over layers."""
    for what, power in (("each step", 0), ("all L together", 1)):
        for best in found.of(Best):
            L = np.array(best.case.layers)
            step = best.array("step", axis="best").mean(0) * L**power
            yield curve({"layers": L}, {"step": step}, what=what, length=str(best), series="law")
        for t in found.of(Train):
            x, step = t.case.layers, t.array("step", axis="model")[:, None] * t.case.layers**power
            series = f"trained, {KINDS[t.case.kind]}"
            yield curve({"layers": [x]}, {"step": step}, what=what, length=str(t.case.best), series=series)


def layer_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean logit over queries, whose label is 1, after each layer of the matrices: by their own law, and read from them."""
    for t in found.of(Train, kind="free"):
        for N in t.where(axis="layers")["tokens"].unique(maintain_order=True):
            own, read = (t.array(name, axis="layers", tokens=N) for name in ("law", "logit"))
            labels = {"model": f"L = {t.case.layers}", "tokens": f"N = {N}"}
            yield curves({"layer": np.arange(own.shape[1])}, "logit", {"law": own.mean(0), "trained": read}, **labels)


def tables(found: Found) -> Iterator[Table]:
    yield from table("errors", "Error by repetitions", error_rows, found)
    yield from table("steps", "The best step", step_rows, found)
    yield from table("layers", "Logit by layer", layer_rows, found)


KIND: dict[Any, Kind] = {"law": "theory", ...: "learner"}
TOKENS, WRONG = Axis("tokens", "repetitions N of the hijacker"), Axis("error", "share of wrong answers", log=False)
LAYERS, STEP = Axis("layers", "layers L"), Axis("step", "step times n")
LAYER, LOGIT = Axis("layer", "after layer", log=False), Axis("logit", "mean logit", log=False)
SIX, MANY = pl.col("layers").is_in([f"L = {L}" for L in (1, 2, 3, 4, 8, 16)]), pl.col("tokens") == "N = 16"
ODD = "Few copies hijack all depths, deeper ones sooner; where all layers overshoot, odd depths are lost, even ones saved."
FINER = "A layer's best step falls with depth, so that all together move hardly farther."
THROWN = "Where layers overshoot, each throws the mean logit to the other side, farther than the one before."
FIGURES = (
    Figure("errors", "Parity decides", "errors", TOKENS, WRONG, KIND, "model", None, "layers", shown=SIX, caption=ODD),
    Figure("steps", "Deeper is finer", "steps", LAYERS, STEP, KIND, "what", None, "length", band=None, caption=FINER),
    Figure("layers", "To and fro", "layers", LAYER, LOGIT, KIND, "tokens", None, "model", shown=MANY, caption=THROWN),
)


def summary(found: Found) -> str:
    config = found.config
    return (
        f"Linear transformers of up to {config.layers[-1]} layers, trained on contexts of {config.context} examples in "
        f"{config.dimension} dimensions, after up to {10 * config.context} copies of a true but adverse example."
    )
