"""The study of tokenizers: planted rows whose verdicts are known, and parts of its cells against other libraries."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.mixture import GaussianMixture

from twopart.evidence import Rows, long
from twopart.lab import Cell
from twopart.studies.diffusion import maetok as study
from twopart.studies.diffusion import maetok_cells as torch_cells
from twopart.studies.diffusion.maetok import Images, Linear, Modes
from twopart.worlds.diffusion import ClusterPixels
from twopart.worlds.targets import MixtureTarget

R = 4
SPREAD = 1e-3 * np.array([-1.5, -0.5, 0.5, 1.5])
CASE = Linear(codes=(1,), ratios=(0, 0.35, 0.45, 0.6), seeds=R)


def linear(steps=(0, 0, 1, 1), factor=1.0, jump=1.0):
    frames = []
    for r, aligned in zip(CASE.ratios, steps, strict=True):
        law = CASE.law(1, r)
        seen = {name: factor * law[name] + SPREAD for name in ("untuned", "tuned")}
        seen |= {"alignment": aligned + SPREAD, "probe": 0.25 + jump * (law["probe"] - 0.25) + SPREAD}
        frames.append(long("coded", seen, k=1, ratio=r))
    return Rows(CASE, pl.concat(frames))


def test_linear_codes_are_judged():
    assert study.switches(linear(), 1).verdict == "holds"
    assert study.switches(linear(), 1).predicted == pytest.approx(0.392, abs=5e-4)
    assert study.switches(linear((0, 1, 1, 1)), 1).verdict == "fails"
    assert study.switches(linear((0, 0, 0, 0)), 1).verdict == "fails"
    for when in ("untuned", "tuned"):
        assert study.costs(linear(), 1, when).verdict == "holds"
        assert study.costs(linear(factor=1.06), 1, when).verdict == "fails"
    assert study.reads(linear(), 1).verdict == "holds"
    assert study.reads(linear(jump=0.8), 1).verdict == "fails"


def modes(power=1.0, factor=1.0):
    case, frames = Modes((2, 4, 8), mixtures=R), []
    for how in study.HOW:
        for K, far in ((2, True), (4, True), (8, True), (8, False)):
            law = 1e-3 * K
            error = factor * 1e-3 * K**power * (1 + SPREAD)
            columns = {"replicate": np.arange(R), "how": how, "far": far, "law": law, "error": error}
            frames.append(pl.DataFrame(columns))
    return Rows(case, pl.concat(frames))


def test_modes_are_judged():
    for how in study.HOW:
        assert study.is_linear(modes(), how).verdict == "holds"
        assert study.is_linear(modes(4.0), how).verdict == "fails"
        assert study.has_its_constant(modes(), how, True).verdict == "holds"
        assert study.has_its_constant(modes(factor=1.12), how, True).verdict == "fails"
        assert study.overlaps(modes(factor=1.12), how, False).verdict == "holds"
        assert study.overlaps(modes(factor=1.2), how, False).verdict == "fails"
    assert "far apart, centres of maximum likelihood" in study.has_its_constant(modes(), "likelihood", True).statement


def images(nll=(4, 3, 2, 1), probe=(0.1, 0.2, 0.3, 0.4), distance=(4, 3, 2, 1), kl=0.1, other=0.3):
    rows = []
    kinds = zip(study.KINDS, (*nll, 1, 1), (*probe, other, other), (*distance, *[distance[2] + kl] * 2), strict=True)
    for name, n, p, d in kinds:
        columns = {"axis": "run", "name": name, "replicate": np.arange(R), "nll": n, "probe": p}
        rows.append(pl.DataFrame({**columns, "distance": d + SPREAD * (1 + (name in study.KL))}))
    return Rows(Images(tokenizers=R), pl.concat(rows, how="vertical_relaxed"))


def test_images_are_judged():
    for column in ("nll", "probe"):
        for along in ("mask", "distance"):
            assert study.goes_with(images(), "so", column, along).verdict == "holds"
    assert study.goes_with(images(nll=(1, 2, 3, 4)), "so", "nll", "mask").verdict == "fails"
    assert study.goes_with(images(probe=(4, 3, 2, 1)), "so", "probe", "mask").verdict == "fails"
    assert study.goes_with(images(distance=(1, 2, 3, 4)), "so", "nll", "distance").verdict == "fails"
    name = next(iter(study.KL))
    assert study.is_no_better(images(), name).verdict == "holds"
    assert study.is_no_better(images(kl=-0.1), name).verdict == "fails"
    assert study.is_no_better(images(kl=-0.1, other=0.4), name).verdict == "inconclusive"


def test_trained_codes_are_the_law_s(tmp_path: Path):
    """Below and above the switch; the price as the law has it, within what 20,000 images tell."""
    world = ClusterPixels(12, 8, 2, 1.2, 0.1, (2.0,))
    case = Linear(world, (1,), (0, 0.7), 240, 2)
    t = Rows(case, torch_cells.encode(case, Cell(tmp_path, seed=1)))
    for r in case.ratios:
        law = case.law(1, r)
        for name in ("untuned", "tuned"):
            assert t.array(name, ratio=r) == pytest.approx([law[name]] * 2, rel=0.03)
        assert t.array("alignment", ratio=r) == pytest.approx([law["alignment"]] * 2, abs=0.03)
        assert t.array("probe", ratio=r) == pytest.approx([law["probe"]] * 2, abs=0.06)


class Known(GaussianMixture):
    """scikit-learn's EM with weights and covariances kept."""

    def _m_step(self, X, log_resp, xp=None):
        kept = self.weights_, self.covariances_, self.precisions_cholesky_
        super()._m_step(X, log_resp) if xp is None else super()._m_step(X, log_resp, xp)
        self.weights_, self.covariances_, self.precisions_cholesky_ = kept


CENTRES = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 2)))
TARGET = MixtureTarget(np.ones(3), CENTRES, 1.0)


def test_em_is_scikit_learn_s():
    x = TARGET.sample(400, 1)
    theirs = Known(3, covariance_type="spherical", max_iter=100, tol=0, reg_covar=0, means_init=CENTRES.numpy())
    theirs._initialize_parameters = lambda *args, **kept: None
    theirs.weights_, theirs.means_ = np.ones(3) / 3, CENTRES.numpy()
    theirs.covariances_ = theirs.precisions_cholesky_ = np.ones(3)
    for _ in range(100):
        _, log = theirs._e_step(x.numpy())
        theirs._m_step(x.numpy(), log)
    assert torch_cells.likeliest(x, CENTRES).numpy() == pytest.approx(theirs.means_, abs=1e-8)


def test_matched_centres_leave_no_slope():
    """By the kit's mixtures, which the cell does not use."""
    x, z = TARGET.sample(300, 2), torch.randn(2, 300, 2, generator=torch.Generator().manual_seed(0)).double()
    found = torch_cells.matched(x, z, CENTRES).requires_grad_()
    noise = torch.cat([z, -z])
    law = MixtureTarget(torch.ones(3), found, 1.0).diffused(torch_cells.A, torch_cells.S)
    error = (law.score(torch_cells.A * x + torch_cells.S * noise) + noise / torch_cells.S).square().mean()
    error.backward()
    assert found.grad.abs().max() < 1e-5
    start = TARGET.diffused(torch_cells.A, torch_cells.S).score(torch_cells.A * x + torch_cells.S * noise)
    assert error.item() < (start + noise / torch_cells.S).square().mean().item()


@pytest.mark.parametrize("network", ["mlp", "transformer"])
@pytest.mark.parametrize("weight", [0.0, 1e-3])
def test_networks_take_any_images(network, weight):
    case = replace(Images(), network=network, width=16, patch=4)
    x = torch.zeros(2, 3, 8, 8)
    model = torch_cells.network(case, x, (0.2, 0.4, weight), 0)
    assert model.encode(x).shape == (2, 3, 2)
    assert model(x).shape == x.shape
    assert model.variational == weight


def test_a_user_s_folder_runs_through(tmp_path, monkeypatch):
    """From files to samples, by transformers that learn HOG."""
    image = pytest.importorskip("PIL.Image")
    random, kept = np.random.default_rng(0), list(study.KINDS.items())[4:5]
    monkeypatch.setattr(torch_cells, "KINDS", dict(kept))  # with KL
    for name in ("dark", "light"):
        (tmp_path / name).mkdir()
        for i in range(20):
            pixels = random.integers(0, 100, (10, 12, 3)).astype(np.uint8) + 100 * (name == "light")
            image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{i}.png")
    case = Images("folder", str(tmp_path), 8, "transformer", 4, 2, 2, 16, 6, 2, 2, 2)
    frame = torch_cells.tokenise(case, Cell(tmp_path, seed=1))
    found = Rows(case, frame)
    for name, _ in kept:
        assert np.isfinite(found.array("distance", "nll", "probe", axis="run", name=name)).all()
    assert len(found.where(axis="pixel", name="held out")) == 24 * 24
