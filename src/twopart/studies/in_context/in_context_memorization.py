"""How well does attention memorise the labels of its context, beside ridge on the tokens themselves?

A ridge probe of attention's features is fitted to labels that are random, or that a signal carries which attention's weights
know, oppose or ignore; true softmax and images too. Its error stands beside a law.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curves, exact, long, mean, statistic, table
from twopart.evidence.judges import Judge, above, below, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.in_context import MemorizationLaw, activation_report, feature_power, memorization_law, ridge_law
from twopart.learners.in_context import kernel_attention as attention
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, every, rising, settings
from twopart.studies import Work, check_real_data, world_seed
from twopart.worlds.in_context import DigitTokens, SignalTokens

STUDY, TITLE = "in-context-memorization", "What attention memorises of its context"
PAPER, PAGE = "Liao, Liu, Hou, Zou, Ling 2025, arXiv 2506.18656", "docs/laws/in-context-memorization.md"
NOISE, SATURATED, SOFTMAX, REAL = (f"{PAGE}, {of}" for of in ("the noise", "saturation", "softmax", "real tokens"))
PAPERS, EQUAL = f"{PAPER}; {SATURATED}", f"{PAPER}; {PAGE}, equal power"
F: dict[str, Callable[[Any], Any]] = {
    "linear": lambda t: t,
    "tanh": np.tanh,
    "ReLU": lambda t: np.maximum(t, 0),
    "even": lambda t: (t**2 - 1) / np.sqrt(2),
    "exp": np.exp,
    "cubic": lambda t: t**3 / np.sqrt(15),
}
LIGHT, HEAVY = ("linear", "tanh", "ReLU", "even"), ("exp", "cubic")  # tails
TOKENS, ROWS = "ridge on tokens", "softmax"
RIDGES = np.array([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
TENTH, THIRD, JUDGED = [2], [3], [2, 4]  # where γ is .1; .3; .1 and 1
RATIOS = (0.5, 2.0)  # p/n
ALIGNED, ORTHOGONAL, ANTI, IDENTITY = WAYS = "aligned", "orthogonal", "anti-aligned", "W = I"
QUERY = 0.7  # |w_Q| for |w_K| = 1
SHARE, OF_EVEN, OF_SIGNAL, SMALL = 0.015, 0.03, 0.04, 0.01  # of the law; an error that is not judged
PAIRS = ((1, 8), (3, 8))  # digits that are hardest to tell apart
SPREAD = at_least(3).because("an interval needs a spread")
LADDER = (128, 256, 512, 1024)


@settings
class Config:
    """What attention memorises: random labels, a signal, softmax and images, beside the law."""

    dimension: Annotated[int, at_least(16), "The smaller of p and n; the larger is twice that."] = 256
    draws: Annotated[int, SPREAD, "Contexts of random tokens."] = 20
    ladder: Annotated[tuple[int, ...], rising(2), every(at_least(16)), "p for heavy tails, n = p/2."] = LADDER
    signals: Annotated[tuple[float, ...], rising(2), every(between(0, 10, "(]")), "|μ|."] = (1.0, 2.0, 3.0)
    signal_draws: Annotated[int, SPREAD, "Contexts with a signal."] = 40
    images: Annotated[int, between(50, 300), "Images in a context of digits."] = 200


PRESETS = {
    "tiny": Config(32, 4, (32, 64), (1.0, 2.0), 4, 80),
    "small": Config(),
    "full": Config(2048, 20, (*LADDER, 2048, 4096), (0.5, 1.0, 1.5, 2.0, 3.0, 4.0), 80),
}


@dataclass(frozen=True)
class Context:
    """A cell: contexts read by a probe, its error by γ."""

    part: str
    """Random tokens, heavy tails or digits."""
    kind: str
    """A function's name, `softmax`, or ridge on tokens."""
    world: SignalTokens | DigitTokens
    draws: int
    labels: str = "random"
    """Random: the mean over them; or true."""

    def __str__(self) -> str:
        return f"{self.part}, {self.kind}, {self.world}, p = {self.world.dimension}, {self.labels} labels"

    def features(self, x: Floats) -> Floats:
        """Softmax is taken in units of √p/n, in which it is a function entry by entry."""
        if self.kind == ROWS:
            return np.asarray(attention.features(x) * x.shape[1] / np.sqrt(len(x)))
        return x if self.kind == TOKENS else np.asarray(attention.features(x, None, attention.Entrywise(F[self.kind])))

    def law(self, ridges: Floats, *, equal: bool = False) -> Floats:
        """Error by γ; of features rescaled to the tokens' power if `equal`."""
        p, μ = self.world.dimension, float(np.linalg.norm(self.world.mu))
        c = p / self.world.tokens
        if self.kind == TOKENS:
            return ridge_law(c, ridges, μ * (self.labels == "true"))
        f: Any = F.get(self.kind, attention.RowSoftmax().surrogate)
        how: Any = {"dimension": p, "labels": self.labels}
        return memorization_law(f, c, ridges * (feature_power(f, c) / c if equal else 1), μ, **how).memorization


@dataclass(frozen=True)
class Signal:
    """A cell: contexts with a signal along the first axis, n = 2 p, read by attention and by ridge."""

    kind: str
    way: str
    world: SignalTokens
    ridge: float
    draws: int

    def __str__(self) -> str:
        return f"{self.kind}, {self.way}, |μ| = {self.world.signal:g}"

    @property
    def sides(self) -> Floats:
        """w_K and w_Q, shape (2, p)."""
        axis = np.eye(2, self.world.dimension)[int(self.way == ORTHOGONAL)] * (self.way != IDENTITY)
        return np.stack([axis, (-QUERY if self.way == ANTI else QUERY) * axis])

    def law(self, saturated: bool | None = None, signals: ArrayLike | None = None) -> MemorizationLaw:
        """At this |μ|, or at others, shape (...); None: saturated where it can be."""
        μ = np.asarray(self.world.signal if signals is None else signals)[..., None, None]
        V = np.concatenate([μ * np.eye(1, self.world.dimension), self.sides + 0 * μ], -2)
        how: Any = {"dimension": self.world.dimension, "saturated": saturated}
        return memorization_law(F[self.kind], 0.5, self.ridge, gram=V @ V.mT, **how)


def cells(config: Config, seed: int) -> Iterator[Work]:
    check_real_data("images", config.images)
    d, seeds = config.dimension, {name: world_seed(seed, STUDY, name) for name in ("noise", "signal", "digits")}
    random = [SignalTokens(round(d * max(1, c)), round(d * max(1, 1 / c)), seed=seeds["noise"]) for c in RATIOS]
    rising = [SignalTokens(p, p // 2, seed=seeds["noise"]) for p in config.ladder]
    images = [DigitTokens(pair, 40, config.images, seeds["digits"]) for pair in PAIRS]
    n, both = config.draws, ("tanh", TOKENS)
    cases = [Context("random tokens", kind, world, n) for kind in (*F, ROWS, TOKENS) for world in random]
    cases += [Context("heavy tails", kind, world, n) for kind in HEAVY for world in rising]
    cases += [Context("digits", *by, n, labels) for by in product(both, images) for labels in ("random", "true")]
    for case in cases:
        yield Work("memorise", case, cost=case.draws * case.world.dimension**3)
    settings = [("tanh", way, μ, 0.5) for way in WAYS[:3] for μ in config.signals]
    settings += [(kind, IDENTITY, 1.5, 0.3) for kind in ("tanh", "even")]
    for kind, way, μ, γ in settings:
        signal = Signal(kind, way, SignalTokens(d, 2 * d, μ, seeds["signal"]), γ, config.signal_draws)
        yield Work("attend", signal, cost=3 * signal.draws * d**3)


def memorise(case: Context, cell: Cell) -> pl.DataFrame:
    """Errors by γ, of the features as they are and rescaled to the power of the tokens."""
    found = np.empty((case.draws, 2 * len(RIDGES)))
    for draw in range(case.draws):
        x, y = case.world.sample(draw)
        A = case.features(x)
        ridges = np.append(RIDGES, RIDGES * np.square(A).sum() / np.square(x).sum())
        found[draw] = attention.memorization_curve(A, y if case.labels == "true" else None, ridges)
        cell.progress(draw + 1, case.draws)
    own, equal = np.split(found, 2, axis=1)
    return long("ridge", {"error": own, "equal": equal})


def attend(case: Signal, cell: Cell) -> pl.DataFrame:
    """Errors of attention and of ridge on the same contexts."""
    W, kind, found = np.eye(case.world.dimension) + np.outer(*case.sides), attention.Entrywise(F[case.kind]), []
    for draw in range(case.draws):
        x, y = case.world.sample(draw)
        both = attention.features(x, W, kind), x
        found.append([attention.memorization_error(A, y, case.ridge) for A in both])
        cell.progress(draw + 1, case.draws)
    return long("draw", dict(zip(("attention", TOKENS), np.array(found).T[..., None], strict=True)))


def worst(values: Floats, law: Floats, share: float) -> Estimate:
    """|mean - law| over what is allowed, a share of the law and 3 standard errors, the largest of several; (R, k) and (k,)."""
    allowed = share * law + 3 * values.std(0, ddof=1) / np.sqrt(len(values))
    over = np.abs(values.mean(0) - law) / allowed
    i = int(np.argmax(over))
    return exact(over[i]).against(None, law=f"{law[i]:.4f}", seen=f"{values[:, i].mean():.4f}", count=over.size)


def beside(ts: Sequence[Rows[Context]], at: list[int] = JUDGED) -> tuple[Floats, Floats]:
    """Of all cases at these γ: errors (R, k) and the law (k,)."""
    return np.hstack([t.array("error")[:, at] for t in ts]), np.concatenate([t.case.law(RIDGES[at]) for t in ts])


RULE = "deviation of the mean from the law, over a share of the law and 3 standard errors, the largest of {count}"
NEARER = "the limit's distance from the mean less the saturated law's, the least of {count} with S > 0.3"


@claim(below(1.0), "of what is allowed", NOISE, f"{RULE}: γ = 0.1, 1 and p/n; 1.5%, even f 3%")
def law_of_noise(ts: Sequence[Rows[Context]]) -> Estimate:
    """{ts[0].case.kind}: on random labels the error is the fixed point's (where it is farthest: law {law}, measured {seen})."""
    return worst(*beside(ts), OF_EVEN if ts[0].case.kind == "even" else SHARE)


@claim(below(1.0), "of what is allowed", SATURATED, f"{RULE}: |μ| with a law above {SMALL:g}; {{share:.1%}}")
def law_with_signal(ts: Sequence[Rows[Signal]], share: float) -> Estimate:
    """{ts[0].case.kind}, {ts[0].case.way}: with a signal the error is the law's (at worst: law {law}, measured {seen})."""
    law = np.array([float(t.case.law().memorization) for t in ts])
    keep, values = law > SMALL, np.column_stack([t.array("attention") for t in ts])
    return worst(values[:, keep], law[keep], share)


@claim(above(0.0), "error", SATURATED, NEARER)
def saturation_matters(ts: Sequence[Rows[Signal]]) -> Estimate:
    """tanh: where a signal moves f's argument by more than 0.3, the saturated law is nearer than the limit."""
    laws = np.array([[t.case.law(kept).memorization for t in ts] for kept in (False, True)])
    values = np.column_stack([t.array("attention") for t in ts])
    gains = statistic(lambda means: float((abs(means - laws[0]) - abs(means - laws[1])).min()), values)
    return gains.against(None, count=len(ts))


@claim(within_range(-1.5, -0.4), "log-log slope", NOISE, "slope of ln |error/law - 1| on ln p, γ = 0.1")
def converges(ts: Sequence[Rows[Context]]) -> Estimate:
    """{ts[0].case.kind}: heavy tails come to the law as a power of p ({first:.1%} off at first, {last:.1%} at last)."""
    errors, law = beside(ts, TENTH)
    x = np.log([t.case.world.dimension for t in ts])
    far = (x - x.mean()) / np.square(x - x.mean()).sum()
    off = errors / law - 1
    found = statistic(lambda means: float(far @ np.log(np.abs(means))), off)
    return found.against(None, first=off.mean(0)[0], last=off.mean(0)[-1])


@claim(above(0.0), "error", EQUAL, "attention's error less ridge's, γ = 0.1, the least of six f")
def worse_on_noise(ts: Sequence[Rows[Context]], tokens: Rows[Context]) -> Estimate:
    """{tokens.case.world}: with features of equal power attention memorises less of random labels than ridge, for every f."""
    more = np.hstack([(t.array("equal") - tokens.array("error"))[:, TENTH] for t in ts])
    law = min(t.case.law(RIDGES[TENTH], equal=True)[0] for t in ts) - tokens.case.law(RIDGES[TENTH])[0]
    return statistic(lambda means: float(means.min()), more).against(law)


def quotients(ts: Sequence[Rows[Signal]], of: Callable[[Floats], float], level: float = 0.95) -> Estimate:
    """A statistic of attention's mean error over ridge's, by |μ|, contexts paired."""
    values = np.stack([t.array("attention", TOKENS).reshape(-1, 2) for t in ts], axis=1)
    tokens = [ridge_law(0.5, t.case.ridge, t.case.world.signal) for t in ts]
    law = np.array([t.case.law().memorization for t in ts]) / tokens
    return statistic(lambda means: of(means[:, 0] / means[:, 1]), values, level=level).against(of(law))


@claim(above(0.0), "ratio", PAPERS, "error over ridge's: its least fall from one |μ| to the next")
def signal_closes_the_gap(ts: Sequence[Rows[Signal]]) -> Estimate:
    """tanh, aligned: the stronger the signal, the smaller attention's error is beside ridge's."""
    return quotients(ts, lambda ratios: float(-np.diff(ratios).max()))


FORETOLD = Judge("the prediction is below 1, too", lambda e: "holds" if (e.predicted or 0) < 1 else "fails")


@claim(below(1.0) & FORETOLD, "ratio", PAPERS, "error over ridge's, the least, 3 standard errors")
def reverses(ts: Sequence[Rows[Signal]]) -> Estimate:
    """tanh, aligned: with a strong signal attention memorises more than ridge, as the saturated law says."""
    return quotients(ts, lambda ratios: float(ratios.min()), level=0.9973)


@claim(within(0.05), "ratio", SOFTMAX, "error over the law's, γ = 0.1, 1 and p/n, the farthest from 1")
def softmax_is_entrywise(ts: Sequence[Rows[Context]]) -> Estimate:
    """true softmax: on random labels the error is that of exp entry by entry."""
    errors, law = beside(ts)
    return statistic(lambda means: float(means[np.argmax(np.abs(np.log(means)))]), errors / law).against(1.0)


@claim(within_share(0.1), "error", REAL, "mean over contexts, γ = 0.3")
def law_on_digits(t: Rows[Context]) -> Estimate:
    """{t.case.world}, {t.case.kind}: on {t.case.labels} labels images obey the law of Gaussian tokens."""
    return mean(t.array("error")[:, THIRD[0]]).against(t.case.law(RIDGES[THIRD])[0])


def noise(found: Found, kind: str) -> list[Rows[Context]]:
    return found.of(Context, part="random tokens", kind=kind)


def claims(found: Found) -> Iterator[Claim]:
    ways = [found.of(Signal, way=way) for way in WAYS]
    yield from (law_of_noise(noise(found, kind)) for kind in LIGHT)
    yield from (law_with_signal(ts, OF_SIGNAL) for ts in ways[:3])
    far = [t for ts in ways[:3] for t in ts if t.case.law().saturation > 0.3]
    if far:
        yield saturation_matters(far)
    yield from (law_with_signal([t], OF_EVEN if t.case.kind == "even" else SHARE) for t in ways[3])
    yield from (signal_closes_the_gap(ways[0]), reverses(ways[0]))
    yield from (converges(found.of(Context, part="heavy tails", kind=kind)) for kind in HEAVY)
    yield from (worse_on_noise([noise(found, kind)[i] for kind in F], noise(found, TOKENS)[i]) for i in (0, 1))
    yield softmax_is_entrywise(noise(found, ROWS))
    yield from map(law_on_digits, found.of(Context, part="digits"))


FINE = np.geomspace(RIDGES[0], RIDGES[-1], 25)


def ridge_rows(ts: Sequence[Rows[Context]]) -> Iterator[pl.DataFrame]:
    """Error by γ, over random labels the mean, ± 2 standard errors; equal power: tr A A' = tr X X'; share: a_1²/(ν - a_0²)."""
    shares = {kind: activation_report(f).linear_share for kind, f in F.items()}
    for t, (column, power) in product(ts, (("error", "as it is"), ("equal", "equal power"))):
        labels: Any = {"features": t.case.kind, "share": shares.get(t.case.kind, np.nan), "of": str(t.case.world)}
        labels |= {"labels": f"{t.case.labels} labels", "power": power}
        law = t.case.law(FINE, equal=column == "equal")
        yield curves({"ridge": FINE}, "error", {"law": law}, **labels)
        yield curves({"ridge": RIDGES}, "error", {"measured": t.array(column)}, 2.0, **labels)


def signal_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean squared error of tanh and of ridge by |μ|, measured with 2 standard errors; the limit is the law of p = ∞."""
    for way in WAYS[:3]:
        ts = found.of(Signal, way=way)
        case, sizes = ts[0].case, np.array([t.case.world.signal for t in ts])
        fine = np.linspace(sizes[0], sizes[-1], 25)
        law, limit = (case.law(kept, fine).memorization for kept in (True, False))
        lines: Any = {"attention": {"law": law, "limit": limit}, TOKENS: {"law": ridge_law(0.5, case.ridge, fine)}}
        for name, series in lines.items():
            labels = {"features": name, "way": way}
            yield curves({"signal": fine}, "error", series, **labels)
            seen = np.column_stack([t.array(name) for t in ts])
            yield curves({"signal": sizes}, "error", {"measured": seen}, 2.0, **labels)


def convergence_rows(found: Found) -> Iterator[pl.DataFrame]:
    """|error/law - 1| at γ = 0.1, p/n = 2, with 2 standard errors; 1/p is drawn through the first."""
    x = np.array(found.config.ladder)
    for kind in HEAVY:
        errors, law = beside(found.of(Context, part="heavy tails", kind=kind), TENTH)
        off = (errors / law - 1) * np.sign(errors.mean(0) - law)
        series = {"measured": off, "1/p": off.mean(0)[0] * x[0] / x}
        yield curves({"dimension": x}, "error", series, 2.0, features=kind)


def tables(found: Found) -> Iterator[Table]:
    yield from table("ridge", "Error by γ on random labels", ridge_rows, found.of(Context, part="random tokens"))
    yield from table("signal", "Error by signal", signal_rows, found)
    yield from table("convergence", "Distance from the law by p", convergence_rows, found)
    yield from table("digits", "Error by γ on digits", ridge_rows, found.of(Context, part="digits"))


KINDS: dict[Any, Kind] = {"law": "theory", "1/p": "asymptote", "limit": "asymptote", "measured": "simulation"}
AS_IS, SHOWN = pl.col("power") == "as it is", pl.col("features").is_in(["tanh", "ReLU", "exp", ROWS, TOKENS])
RIDGE, SIZE, P = Axis("ridge", "γ"), Axis("signal", "|μ|", log=False), Axis("dimension", "p")
ERROR, LOG = Axis("error", "error", log=False, domain=(0, 1)), Axis("error", "error")
OFF, LINEAR = Axis("error", "distance, relative"), Axis("share", "linear share of f", log=False)
EQUALS = (pl.col("power") == "equal power") & pl.col("features").is_in(list(F)) & ((pl.col("ridge") - 0.1).abs() < 1e-6)
LESS = "Rescaled to the tokens' power, attention memorises less of random labels than ridge; as it is, exp may memorise more."
POWER = "The error hangs on f's linear share alone: even 0, exp 0.58, cubic 0.60, ReLU 0.73, tanh 0.93, linear 1."
CROSSES = "Where W is aligned with a strong signal, attention passes below ridge; only the saturated law says so."
IMAGES = "On random labels images are as Gaussian tokens are; on their own, probes miss up to a sixth more than by law."
by = partial(Figure, kinds=KINDS, colour="features")
FIGURES = (
    by("signal", "A signal", "signal", SIZE, LOG, columns="way", caption=CROSSES),
    by("ridge", "Random labels", "ridge", RIDGE, ERROR, columns="of", rows="power", shown=SHOWN, caption=LESS),
    by("share", "Equal power", "ridge", LINEAR, ERROR, columns="of", colour=None, shown=EQUALS, caption=POWER),
    by("convergence", "Heavy tails", "convergence", P, OFF, caption="Heavy tails come to the law slowly."),
    by("digits", "Images", "digits", RIDGE, ERROR, columns="of", rows="labels", shown=AS_IS, caption=IMAGES),
)


def summary(found: Found) -> str:
    config = found.config
    return (
        f"Attention over {config.dimension} and {2 * config.dimension} tokens, {config.draws} contexts of random ones and "
        f"{config.signal_draws} with each signal, and digits: what a ridge probe memorises, beside a law."
    )
