"""Laplacian smoothing: judges on rows whose verdict is known, cells against plain loops, tables against the law."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from twopart._checks import InputError
from twopart.evidence import Found, Rows
from twopart.fits.distances import gaussian_w2
from twopart.lab import Cell
from twopart.learners.sampling import chains
from twopart.studies.sampling import laplacian_smoothing as study
from twopart.studies.sampling import laplacian_smoothing_cells as cells
from twopart.studies.sampling.laplacian_smoothing import HOURS, Chains, Config, Posterior
from twopart.worlds.posteriors import LogisticPosterior

TINY = study.PRESETS["tiny"]
MANY = Chains(10**8, 10**8, 3)


def gaussians(part, each=MANY, config=TINY):
    return [case for case in study.gaussians(replace(config, each=each)) if case.part == part]


def planted(case, mean=1.0, variance=1.0):
    """Moments as the law has them, replicates 0.1 % apart, spoilt by factors."""
    law, parts = case.law, []
    for replicate, spread in enumerate((0.999, 1.0, 1.001)):
        labels = {"replicate": replicate, "step": np.repeat(case.at, case.dimension)}
        found = {"mean": law.mean.ravel() * mean, "variance": law.variance.ravel() * variance * spread}
        parts.append(pl.DataFrame({**labels, **found}))
    return Rows(case, pl.concat(parts))


def test_what_the_law_says_holds_and_what_it_denies_fails():
    equal = gaussians("equal step")
    assert study.exact_law([planted(case) for case in equal]).verdict == "holds"
    assert study.exact_law([planted(case, variance=1.1) for case in equal]).verdict == "fails"
    assert study.equal_step([planted(case) for case in equal]).verdict == "holds"
    assert study.equal_step([planted(case) for case in equal[::-1]]).verdict == "fails"
    kept = gaussians("invariance")[0]
    assert study.invariant(planted(kept)).verdict == "holds"
    assert study.invariant(planted(kept, variance=1.04)).verdict == "fails"
    for case in gaussians("published"):
        assert study.published(planted(case)).verdict == "holds"
        assert study.published(planted(case, variance=1.1)).verdict == "fails"
    case = gaussians("published", config=replace(TINY, coupling=4.0))[0]
    full = study.published(planted(case))
    assert full.predicted < 1.2 * study.RATE**2 / case.h.max() ** 2
    assert "full gradients" in full.statement


def test_budgets():
    """The ratios that the prototype found, at d = 32; a sampler that is 30 % off fails; too few chains decide nothing."""
    config = Config()
    cases = gaussians("budget", config=config)
    pairs = list(zip(cases[::2], cases[1::2], strict=True))
    claims = [study.budget(planted(a), planted(b)) for a, b in pairs]
    assert [claim.predicted for claim in claims] == pytest.approx([2.00, 1.61, 3.65, 1.19, 7.84], abs=0.01)
    assert {claim.verdict for claim in claims} == {"holds"}
    assert study.budget(planted(pairs[0][0], mean=1.5, variance=1.3), planted(pairs[0][1])).verdict == "fails"
    few = gaussians("budget", each=Chains(100, 100, 3), config=config)
    assert study.budget(planted(few[0]), planted(few[1])).verdict == "inconclusive"


def posterior(model, w2, law):
    steps = np.tile([1, study.DECIDED], 3)
    found = {"replicate": np.repeat(range(3), 2), "step": steps, "w2": w2 * np.repeat([0.99, 1, 1.01], 2), "law": law}
    return Rows(Posterior(model, 1.0, 50, MANY), pl.DataFrame({**found, "pooled": w2}))


def test_posteriors():
    good, bad = posterior("regression", 1.0, 1.0), posterior("regression", 1.12, 1.0)
    assert [study.exact_minibatches([t]).verdict for t in (good, bad)] == ["holds", "fails"]
    ordered = posterior(HOURS[0], 0.5, 0.5)
    assert study.order(ordered, posterior(HOURS[1], 1.1, 1.15)).verdict == "holds"
    assert study.order(ordered, posterior(HOURS[1], 0.8, 1.15)).verdict == "fails"
    assert study.order(ordered, posterior(HOURS[1], 1.1, 1.15)).predicted == pytest.approx(0.65)


def test_a_cell_is_a_plain_loop(monkeypatch):
    """Blocks or not, moments are those of the chains; replicates are told apart."""
    case = replace(gaussians("equal step", Chains(600, 600, 2))[1], steps=20)
    monkeypatch.setattr(cells, "BLOCK", 300)
    frame = cells.sample_modes(case, Cell(Path(), seed=5))
    t, law = Rows(case, frame), case.law
    found = study.moments(t)
    assert found.shape == (2, len(case.at), 2, 16)
    assert frame["step"].unique().sort().to_list() == case.at
    assert (np.abs(found[:, :, 0] - law.mean) < 5.5 * np.sqrt(law.variance / 600)).all()
    assert (np.abs(found[:, :, 1] / law.variance - 1) < 5.5 * np.sqrt(2 / 600)).all()
    assert not np.allclose(found[0], found[1])
    basis = cells.hartley(16).double()
    assert torch.allclose(basis @ basis.T, torch.eye(16).double(), atol=1e-6)


def test_the_hours_are_a_logistic_regression():
    """Score and moments by counts, against the world with one-hot rows and its integrals in one dimension."""
    case = Posterior(HOURS[0], 1.0, 40, Chains(200, 200, 2), seed=3, size=8)
    model = cells.hours(case)
    θ = torch.randn(5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    score = model.score(None, θ)
    ε = 1e-5
    curvature = [float((model.score(None, ε * e[None]) - model.score(None, -ε * e[None]))[0] @ e) / (2 * ε)
                 for e in torch.eye(8).double()]  # fmt: skip
    count = -4 * (np.array(curvature) + 1)
    ones = model.score(None, torch.zeros(1, 8).double())[0].numpy() + count / 2
    assert count.sum() == pytest.approx(800, abs=1)
    for i in (0, 3):
        n, k = round(count[i]), round(ones[i])
        one = LogisticPosterior(np.ones((n, 1)), np.arange(n) < k)
        assert score[:, i] == pytest.approx(one.score(θ[:, i : i + 1])[:, 0])
        assert model.truth[0][i] == pytest.approx(float(one.mean[0]), abs=1e-6)
        assert model.truth[1][i, i] == pytest.approx(float(one.covariance[0, 0]), rel=1e-5)
        assert float(model.near.mean[i]) == pytest.approx(float(one.mode[0]))
    shuffled = cells.hours(replace(case, model=HOURS[1]))
    assert np.sort(shuffled.near.mean) == pytest.approx(np.sort(model.near.mean))
    assert not np.allclose(shuffled.near.mean, model.near.mean)


def test_the_hours_lean_on_their_law(size):
    """A thousand chains, corrected by what their twins miss their law by, stand for twenty thousand that are not."""
    case = Posterior(HOURS[1], 1.0, study.DECIDED, Chains(500, 500, 2), seed=3, size=8)
    model, n = cells.hours(case), size(20_000, 400_000)
    frame = cells.sample_posterior(case, Cell(Path(), seed=5)).filter(step=study.DECIDED)
    how = {"thin": case.steps, "generator": torch.Generator().manual_seed(1)}
    x = chains(lambda x: model.score(None, x), torch.zeros(n, 8), model.rate, case.steps, case.sigma, **how)[-1].numpy()
    expected = float(gaussian_w2(x.mean(0), np.cov(x.T), *model.truth))
    error = np.sqrt(np.linalg.eigvalsh(np.cov(x.T))[-1] * (1 / n + 1 / 1000 / 25))  # of W2, its twins' a fifth at most
    assert frame["pooled"].to_numpy() == pytest.approx(expected, abs=5.5 * error)
    assert frame["w2"].to_numpy() == pytest.approx(expected, abs=2 * 5.5 * error)
    assert abs(frame["law"][0] - expected) > 11 * error


def test_tables_and_settings():
    equal = [planted(case) for case in gaussians("equal step")]
    budgets = [planted(case) for case in gaussians("budget")]
    rows = [*equal, *budgets, posterior("regression", 1.0, 0.9)]
    steps, at_budget, posteriors = study.tables(Found(TINY, tuple(rows)))
    law, chains = (steps.frame.filter(series=name)["w2"].to_numpy() for name in ("law", "chains"))
    assert chains == pytest.approx(law, rel=1e-3)
    dots = at_budget.frame.filter(series="chains")
    assert len(dots) == 10
    assert dots["condition"].to_list()[:2] == [5.0, 1.0]
    assert posteriors.frame.filter(series="law")["w2"].to_list() == [0.9, 0.9]
    assert study.PRESETS["small"].sigmas == (0.0, 0.5, 1.0, 4.0, 16.0)
    with pytest.raises(InputError, match="`sigmas` must be"):
        Config(sigmas=(1.0, 0.0))
