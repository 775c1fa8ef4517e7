"""When does Laplacian smoothing help stochastic-gradient Langevin dynamics, and by how much?

Thousands of chains, with smoothed and with plain steps, are compared with their exact law at finite step, batch and
dimension, on Gaussian targets, on Bayesian regression, and on logistic regression beside a long run of NUTS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Guard, Rows, claim, curve, curves, mean, sign, statistic, table
from twopart.evidence.judges import below, within, within_share
from twopart.findings import Claim, Table
from twopart.laws.sampling.langevin import Modes, Variant, best_learning_rate, mode_moments, smoothing_eigenvalues
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, both, every, multiple_of, rising, settings
from twopart.studies import Work, check_real_data, world_seed
from twopart.worlds.spectra import Name, spectrum

STUDY, TITLE = "laplacian-smoothing", "Laplacian smoothing of Langevin dynamics"
PAPER, PAGE = "Wang, Zou, Gu, Osher 2019, arXiv 1911.00782", "docs/laws/laplacian-smoothing.md"
LAW, FAIR, REGRESSED = f"{PAGE}, the law", f"{PAGE}, the fair comparison", f"{PAGE}, minibatches"
ORDERED, PUBLISHED = f"{PAGE}, order", f"{PAGE}, the published code"
INVARIANT = f"{PAPER}, the diffusion; {LAW}"
WORST = "largest deviation of W2, over σ and steps where it is 10 floors or more"
RATIO = "W2 after {k} steps at σ = {loser:g} over that at σ = {winner:g}"

RATE = 1.7
"""Learning rate over 1/‖H‖ of chains that are compared at an equal step: 0.1 for the field; from 2 on they diverge."""
FLOORS = 10.0
"""By how many floors of what finitely many chains can tell a law's W2 must lie above them for a ratio to be judged."""
BUDGETS: tuple[tuple[Name, bool, float, float], ...] = (
    ("isotropic", False, 1.0, 0.0),
    ("isotropic", True, 1.0, 0.0),
    ("field", False, 0.0, 4.0),
    ("field", True, 0.0, 1.0),
    ("reversed", False, 4.0, 0.0),
)
"""Spectrum, whether gradients are noisy, and the smoothings whose W2 are compared: the first is the one that loses."""
HOURS = ("hours in order", "hours shuffled")
DECIDED = 30
"""After how many steps the orders of the hours are compared: both chains are on their way then."""
ZERO = both(rising(2), every(between(0, 100))).because("0 is SGLD; W2 falls along them at an equal step")
EVEN = both(at_least(8), multiple_of(2)).because("32 has modes enough")
COURSE, SPREAD = at_least(30).because("a transient takes longer"), at_least(2).because("an interval needs a spread")
CHAINS = at_least(100).because("moments are measured over them")


@settings
class Chains:
    """How many chains stand for a law."""

    chains: Annotated[int, CHAINS, "Chains of a replicate."] = 4000
    budget_chains: Annotated[int, CHAINS, "Chains of a replicate where budgets are compared."] = 50_000
    replicates: Annotated[int, SPREAD, "Replicates."] = 8


@settings
class Config:
    """Laplacian smoothing: W2 of chains from their target by steps, smoothing and spectrum, beside its exact law."""

    dimension: Annotated[int, EVEN, "Dimension d of Gaussian targets."] = 32
    coupling: Annotated[float, between(0.1, 100), "Coupling κ of the field."] = 4.0
    sigmas: Annotated[tuple[float, ...], ZERO, "Smoothings σ."] = (0.0, 0.5, 1.0, 4.0, 16.0)
    noise: Annotated[float, between(1, 1e4), "Variance c of the gradients' noise."] = 50.0
    steps: Annotated[int, COURSE, "Steps of chains compared at an equal step."] = 300
    gentle: Annotated[float, between(0.001, 0.1), "Learning rate over 1/‖H‖ of chains that keep the target."] = 0.02
    budget: Annotated[int, COURSE, "Steps of chains compared at an equal budget."] = 100
    bins: Annotated[int, at_least(8), "Hours of the day, one-hot, in the logistic regression with an order."] = 24
    cancer: Annotated[bool, "Sample the posterior of the breast cancer data, too."] = True
    cancer_steps: Annotated[int, COURSE, "Steps on the breast cancer data."] = 300
    each: Chains = Chains()


FEW, MANY = Chains(100, 100, 2), Chains(10_000, 50_000, 8)
PRESETS = {
    "tiny": Config(16, 1.0, (0.0, 1.0), steps=30, gentle=0.05, budget=30, bins=8, cancer_steps=30, each=FEW),
    "small": Config(),
    "full": Config(256, steps=3000, cancer_steps=10_000, each=MANY),
}


@dataclass(frozen=True)
class Gaussian:
    """A cell: chains on a Gaussian whose precision is circulant, so that each Fourier mode has its own law."""

    part: str
    """What they are for: equal step, budget, invariance, published."""
    target: Name
    dimension: int
    coupling: float
    sigma: float
    noise: float
    rate: float
    steps: int
    each: Chains
    variant: Variant = "langevin"

    def __str__(self) -> str:
        noise = f", c = {self.noise:g}" if self.noise else ""
        return f"{self.part}: {self.target}, σ = {self.sigma:g}{noise}"

    @property
    def chains(self) -> int:
        """Budgets with noise have larger distances, and need fewer chains."""
        return self.each.chains if self.part != "budget" else self.each.budget_chains // (4 if self.noise else 1)

    @cached_property
    def h(self) -> Floats:
        """Eigenvalues of the precision: 3 where all are equal, else 1 to 1 + 4 κ."""
        mass = 3.0 if self.target == "isotropic" else 1.0
        return spectrum(self.target, self.dimension, mass=mass, coupling=self.coupling)

    @property
    def at_target(self) -> bool:
        """Whether chains start at samples of the target; else at a point a unit off in every mode."""
        return self.part in ("invariance", "published")

    @property
    def at(self) -> list[int]:
        """The steps that are looked at."""
        return spread(self.steps, 16) if self.part == "equal step" else [self.steps]

    @cached_property
    def law(self) -> Modes:
        """Moments in every mode at those steps."""
        start: dict[str, Any] = {"mean": 0.0, "variance": 1 / self.h} if self.at_target else {}
        return mode_moments(self.h, self.sigma, self.rate, self.at, noise=self.noise, variant=self.variant, **start)

    @property
    def w2(self) -> Floats:
        """The law's distance from the target at those steps."""
        return self.law.w2(self.h)

    @property
    def floor(self) -> float:
        """W2 that exact samples would show, as many as there are chains: √(3/2 Σ 1/h / C)."""
        return float(np.sqrt(1.5 * (1 / self.h).sum() / (self.chains * self.each.replicates)))


@dataclass(frozen=True)
class Posterior:
    """A cell: chains on the posterior of a Bayesian model; its rows have their law beside them."""

    model: str
    """regression, hours in order, hours shuffled, or breast cancer."""
    sigma: float
    steps: int
    each: Chains
    seed: int = 0
    size: int = 8
    """Weights of the model, where it has any number of them."""
    variant: Variant = "langevin"

    @property
    def chains(self) -> int:
        """Of a replicate; on the breast cancer data each step reads a batch of 31 numbers for each chain."""
        return self.each.chains // (2 if self.model == "breast cancer" else 1)

    def __str__(self) -> str:
        return f"{self.model}, σ = {self.sigma:g}" + (", published code" if self.variant == "published" else "")


def cells(config: Config, seed: int) -> Iterator[Work]:
    for case in gaussians(config):
        yield Work("sample_modes", case, cost=case.steps * case.chains * case.dimension * case.each.replicates)
    check_real_data("cancer", config.cancer)
    for p in posteriors(config, world_seed(seed, STUDY, "models")):
        yield Work("sample_posterior", p, cost=40 * p.steps * p.chains * p.each.replicates)


def spread(steps: int, count: int) -> list[int]:
    """So many steps at most, evenly spread on a logarithmic scale."""
    return sorted({int(k) for k in np.geomspace(1, steps, count).round()})


def gaussians(config: Config) -> Iterator[Gaussian]:
    """An equal step, gentle steps from the target, the published noise, and equal budgets."""
    d, κ, c, each = config.dimension, config.coupling, config.noise, config.each
    case = Gaussian("equal step", "field", d, κ, 0.0, c, 1.0, config.steps, each)
    equal, h = replace(case, rate=RATE / case.h.max()), case.h
    yield from (replace(equal, sigma=sigma) for sigma in config.sigmas)
    gentle = replace(case, part="invariance", noise=0.0, rate=config.gentle / h.max())
    for sigma in (s for s in config.sigmas if s <= 4):
        slowest = (h / smoothing_eigenvalues(d, sigma)).min()
        yield replace(gentle, sigma=sigma, steps=int(np.ceil(1.5 * h.max() / (config.gentle * slowest))))
    yield from (replace(equal, part="published", sigma=1.0, noise=n, variant="published") for n in (0.0, c))
    for target, noisy, *pair in BUDGETS:
        of = replace(case, part="budget", target=target, noise=c if noisy else 0.0, steps=config.budget)
        for sigma in pair:
            best = best_learning_rate(of.h, sigma, config.budget, noise=of.noise)
            yield replace(of, sigma=sigma, rate=best.learning_rate)


def posteriors(config: Config, seed: int) -> Iterator[Posterior]:
    """Linear regression, logistic regression on the hours of the day in two orders, and on the breast cancer data."""
    for sigma in (0.0, 1.0, 3.0):
        yield Posterior("regression", sigma, 80, config.each, seed)
    for model in HOURS:
        yield Posterior(model, 1.0, 50, config.each, seed, config.bins)
    real: list[tuple[float, Variant]] = [(0.0, "langevin"), (1.0, "langevin"), (4.0, "langevin"), (1.0, "published")]
    for sigma, variant in real if config.cancer else []:
        yield Posterior("breast cancer", sigma, config.cancer_steps, config.each, seed, 31, variant)


def moments(t: Rows[Gaussian]) -> Floats:
    """Means and variances in every mode, shape (R, steps, 2, d)."""
    values = t.array("mean", "variance")
    return values.reshape(len(values), 2, len(t.case.at), t.case.dimension).swapaxes(1, 2)


def w2(case: Gaussian, moments: Floats) -> Floats:
    """W2 of chains from their target by moments in every mode, (..., steps, 2, d) to (..., steps)."""
    return Modes(moments[..., 0, :], moments[..., 1, :]).w2(case.h)


def distances(found: Sequence[Rows[Gaussian]], of: Callable[[Floats], float]) -> Estimate:
    """`of` the W2 of all cases by steps, shape (cases, steps), from their moments over all chains."""

    def together(mean: Floats) -> float:
        return of(np.stack([w2(t.case, m) for t, m in zip(found, mean, strict=True)]))

    return statistic(together, np.stack([moments(t) for t in found], 1))


def trace(t: Rows[Gaussian]) -> Estimate:
    """The trace of the chains' covariance in the end, over the target's."""
    return statistic(lambda m: float(m[-1, 1].sum() / (1 / t.case.h).sum()), moments(t))


@claim(below(0.03), "relative deviation", LAW, WORST)
def exact_law(found: Sequence[Rows[Gaussian]]) -> Estimate:
    """Gaussian targets, equal step: chains are as far from their target as the recursion says, at every step and smoothing."""
    law, floor = (np.stack([getattr(t.case, name) for t in found]) for name in ("w2", "floor"))
    return distances(found, lambda seen: float(np.abs(seen / law - 1)[law > FLOORS * floor[:, None]].max())).against(
        0.0
    )


@claim(below(0.05), "relative deviation", REGRESSED, "largest deviation of W2 over σ and steps")
def exact_minibatches(found: Sequence[Rows[Posterior]]) -> Estimate:
    """Bayesian regression, batches of 5 of 200: so they are with minibatches, whose noise depends on where the chain is."""
    shares = np.concatenate([t.array("w2") / t.array("law") for t in found], 1)
    return statistic(lambda mean: float(np.abs(mean - 1).max()), shares).against(0.0)


@claim(within(0.02), "ratio of traces", INVARIANT, "trace of the chains' covariance over the target's")
def invariant(t: Rows[Gaussian]) -> Estimate:
    """σ = {t.case.sigma:g}: with small steps and full gradients the target is kept, whatever the smoothing."""
    return trace(t).against(1.0)


@claim(sign(-1), "W2", f"{PAPER}, theorems; {LAW}", "largest difference of W2 at the last step between neighbouring σ")
def equal_step(found: Sequence[Rows[Gaussian]]) -> Estimate:
    """At an equal step the distance in the end falls with every increase of the smoothing."""
    expected = np.diff([t.case.w2[-1] for t in found]).max()
    return distances(found, lambda seen: float(np.diff(seen[:, -1]).max())).against(expected)


def blurred(losing: Rows[Gaussian], winning: Rows[Gaussian]) -> bool:
    """Finitely many chains lengthen W2 by floor² / 2 W2: by 2 % at a fifth."""
    return any(t.case.w2[-1] < 5 * t.case.floor for t in (losing, winning))


BLURRED = Guard("a law's W2 lies below 5 floors of so many chains", blurred)


@claim(within_share(0.1), "ratio of W2", FAIR, RATIO, BLURRED)
def budget(losing: Rows[Gaussian], winning: Rows[Gaussian]) -> Estimate:
    """{losing.case.target} target, c = {losing.case.noise:g}, each at its best step: by how much σ = {winner:g} is nearer."""
    expected = float(losing.case.w2[-1] / winning.case.w2[-1])
    words = {"loser": losing.case.sigma, "winner": winning.case.sigma, "k": losing.case.steps}
    return distances([losing, winning], lambda seen: float(seen[0, -1] / seen[1, -1])).against(expected, **words)


@claim(within_share(0.2), "W2", ORDERED, f"W2 of shuffled less that of ordered hours, after {DECIDED} steps")
def order(ordered: Rows[Posterior], shuffled: Rows[Posterior]) -> Estimate:
    """Logistic regression on the hour of the day: shuffling the hours costs what the law of its Laplace approximation says."""
    measured, law = (shuffled.array(of, step=DECIDED) - ordered.array(of, step=DECIDED) for of in ("w2", "law"))
    return mean(measured).against(float(law[0]))


@claim(within_share(0.05), "ratio of traces", PUBLISHED, "trace of the chains' covariance over the target's")
def published(t: Rows[Gaussian]) -> Estimate:
    """The published code's noise, {kind}: chains spread as the law of that noise says, and not as their target."""
    kind = f"gradients with noise c = {t.case.noise:g}" if t.case.noise else "full gradients"
    return trace(t).against(float(t.case.law.variance[-1].sum() / (1 / t.case.h).sum()), kind=kind)


def claims(found: Found) -> Iterator[Claim]:
    equal = found.of(Gaussian, part="equal step")
    yield exact_law(equal)
    yield exact_minibatches(found.of(Posterior, model="regression"))
    yield from map(invariant, found.of(Gaussian, part="invariance"))
    yield equal_step(equal)
    budgets = found.of(Gaussian, part="budget")
    yield from map(budget, budgets[::2], budgets[1::2])
    yield order(*(found.one(Posterior, model=model) for model in HOURS))
    yield from map(published, found.of(Gaussian, part="published"))


def by_step(cases: Sequence[Rows[Gaussian]]) -> Iterator[pl.DataFrame]:
    """Distance W2 of chains from a Gaussian field by steps, at one learning rate for all smoothings, from a point a unit off
    in every Fourier mode. Law: the exact moments. Chains: from the moments in every mode, mean, least and greatest replicate;
    what lies below is noise of finitely many chains.
    """
    for t in cases:
        series = {"law": t.case.w2, "chains": w2(t.case, moments(t))}
        yield curves({"steps": t.case.at}, "w2", series, smoothing=f"σ = {t.case.sigma:g}")


def by_budget(cases: Sequence[Rows[Gaussian]]) -> Iterator[pl.DataFrame]:
    """W2 after a budget of steps, by smoothing, each smoothing at the learning rate that the law finds best for it; from a
    point a unit off in every mode. Law: exact. Chains: pooled moments of each replicate. Condition number of A: 1 + 4σ.
    """
    for pair in sorted(zip(cases[::2], cases[1::2], strict=True), key=lambda pair: pair[0].case.noise):
        case, sigmas = pair[0].case, (np.geomspace(1, 100, 25) - 1) / 4
        labels: dict[str, Any] = {"target": case.target, "gradients": f"c = {case.noise:g}"}
        best = [best_learning_rate(case.h, s, case.steps, noise=case.noise).w2 for s in sigmas]
        yield curve({"condition": 1 + 4 * sigmas}, {"w2": best}, series="law", **labels)
        for t in pair:
            x = {"condition": [1 + 4 * t.case.sigma]}
            yield curve(x, {"w2": w2(t.case, moments(t))}, series="chains", **labels)


def by_model(cases: Sequence[Rows[Posterior]]) -> Iterator[pl.DataFrame]:
    """W2 of chains from the moments of the posterior, by steps from 0 on. Law: the recursion for the Gaussian with the mode and
    the curvature there; for regression exact. Chains: from the moments of all of them. The posterior's moments are exact for
    regression and the hours of the day, and NUTS's for the breast cancer data. Chains on the hours are corrected by what those
    of the Laplace approximation, moved with the same noise, miss their law by.
    """
    for t in cases:
        first, label = t.where(replicate=0), f"σ = {t.case.sigma:g}"
        labels = {"model": t.case.model, "smoothing": label, "code": t.case.variant}
        labels["label"] = f"{label}, published code" if t.case.variant == "published" else label
        yield curves({"steps": first["step"]}, "w2", {"law": first["law"], "chains": first["pooled"]}, **labels)


def tables(found: Found) -> Iterator[Table]:
    yield from table("steps", "Distance by steps", by_step, found.of(Gaussian, part="equal step"))
    yield from table("budgets", "Distance at an equal budget", by_budget, found.of(Gaussian, part="budget"))
    yield from table("posteriors", "Distance from posteriors", by_model, found.of(Posterior))


STEPS, CONDITION = Axis("steps", "steps"), Axis("condition", "condition number of A, 1 + 4σ")
KINDS: dict[Any, Kind] = {"law": "theory", "chains": "simulation"}
figure = partial(Figure, y=Axis("w2", "distance W2 from the target"), kinds=KINDS)
FIGURES = (
    figure("laplacian-smoothing", "Smoothing at an equal step", "steps", STEPS, colour="smoothing",
           caption="More smoothing ends nearer to the target and takes longer to get there: it is a smaller step in every "
           "mode."),
    figure("budgets", "At an equal budget", "budgets", CONDITION, columns="gradients", colour="target",
           caption="With the best step for each, smoothing wins where stiff modes are rough, and loses where they are not."),
    figure("order", "The order of coordinates", "posteriors", STEPS, colour="model", shown=pl.col("model").is_in(HOURS),
           caption="Smoothing goes by the order of coordinates: shuffled hours are slower."),
    figure("cancer", "Real data", "posteriors", STEPS, colour="label", shown=pl.col("model") == "breast cancer",
           caption="Measurements have no order, and smoothing loses, by more than noise at the mode explains. Published code "
           "collapses."),
)  # fmt: skip


def summary(found: Found) -> str:
    budgets = found.of(Gaussian, part="budget", target="field", noise=0.0)
    plain, smoothed = (t.case.w2[-1] for t in budgets)
    return (
        "Laplacian smoothing multiplies gradient and noise of a Langevin step by a fixed circulant matrix. In Fourier modes it "
        "is a learning rate of its own for each: at an equal step all that it does is to take smaller steps. At an equal "
        f"budget of {budgets[0].case.steps} steps, each smoothing at its best step, it wins {plain / smoothed:.2f} times on a "
        "field, whose rough modes are stiff, and loses wherever stiffness does not grow with roughness. Every law is exact at "
        "finite step, batch and dimension; none has a fitted constant."
    )
