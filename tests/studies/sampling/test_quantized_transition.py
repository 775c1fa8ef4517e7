"""The study of quantised transitions: planted rows whose verdicts are known, its laws of cells, and its page."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from twopart._checks import InputError
from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws.sampling import generated
from twopart.laws.sampling.bit_diffusion import tv
from twopart.learners.sampling import Quantizer
from twopart.studies.sampling import quantized_transition as study
from twopart.studies.sampling import quantized_transition_cells as torch_cells
from twopart.studies.sampling.quantized_transition import (
    Certified,
    Coded,
    Exact,
    Raced,
    Real,
    Sampled,
    Sampling,
    Setting,
    Trained,
    Training,
)

PAGE = Path(__file__).parents[3] / "docs/laws/quantized-transition.md"
SIX, FEW = Setting(1, 6), Sampling(1000, replicates=3, draws=10)


def runs(case, **columns):
    frames = [
        pl.DataFrame({"axis": "run", "replicate": i, **{k: float(v[i]) for k, v in columns.items()}}) for i in range(3)
    ]
    return Rows(case, pl.concat(frames))


def about(value, spread=1e-4):
    return value * (1 + spread * np.array([-1, 0, 1]))


def test_counts_are_judged_against_the_law():
    case = Sampled(SIX, 0.2, "paper", FEW)
    assert case.evaluations == pytest.approx(64.75, abs=0.01)
    for claim, column, law in (
        (study.evaluated, "evaluations", case.evaluations),
        (study.flipped, "flips", case.flips),
    ):
        assert claim(runs(case, **{column: about(law)})).verdict == "holds"
        assert claim(runs(case, **{column: about(1.05 * law)})).verdict == "fails"
    thinned = Sampled(SIX, 0.2, "thinned", FEW)
    assert thinned.evaluations < Sampled(SIX, 0.2, "tight", FEW).evaluations < case.evaluations


def test_bias_is_judged_in_spreads_of_the_floor():
    case = Sampled(SIX, 0.2, "paper", FEW)

    def planted(gap):
        tv = np.array([0.05, 0.051, 0.052]) + gap
        return study.unbiased(runs(case, tv=tv, floor=np.full(3, 0.051), spread=np.full(3, 0.001)))

    assert planted(0).verdict == "holds"
    assert planted(0.01).verdict == "fails"


def test_exact_claims():
    def one(case, **columns):
        return Rows(case, pl.DataFrame({"replicate": [0], **{k: [v] for k, v in columns.items()}}))

    assert study.certified([one(Certified(e), density=0.3 * e) for e in (0.1, 0.2)]).verdict == "holds"
    assert study.certified([one(Certified(e), density=30 * e) for e in (0.1, 0.2)]).verdict == "fails"
    assert study.stops_early([one(Exact(SIX, 0.1), total=0.1, early=0.0999)]).verdict == "holds"
    assert study.stops_early([one(Exact(SIX, 0.1), total=0.11, early=0.1)]).verdict == "fails"
    race = pl.DataFrame({"replicate": 0, "axis": ["QTD", *2 * ["Euler, same times"]], "tv": [0.1, 0.11, 0.2]})
    case = Raced(SIX, 0.1, 10, (5,))
    assert study.beats_euler(Rows(case, race)).measured == pytest.approx(1.1)
    assert study.beats_euler(Rows(case, race.with_columns(tv=-pl.col("tv") + 0.2))).verdict == "fails"


@pytest.mark.parametrize(("exponent", "verdict"), [(1.0, "holds"), (1.2, "fails")])
def test_growth(exponent, verdict):
    cases = [Sampled(SIX, eps, "paper", FEW) for eps in (0.2, 0.02, 0.002)]
    found = study.grows([runs(case, evaluations=about(case.evaluations**exponent)) for case in cases])
    assert found.verdict == verdict
    x, y = [np.log(1 / c.eps) ** 2 for c in cases], [c.evaluations for c in cases]
    assert found.predicted == pytest.approx(np.polyfit(x, y, 1)[0])


def test_codes_are_judged_by_their_first_order():
    rows = {"code": ["binary", "gray", "random"], "early_stop": [1.2, 1.0, 2.4], "first_order": [1.21, 1.0, 2.42],
            "start_kl": [1.0, 2.0, 0.1], "single_bits": [1.0, 2.05, 0.1]}  # fmt: skip
    t = Rows(Coded(8, 0), pl.DataFrame({"replicate": 0, **rows}))
    for claim in (study.rougher(t, "binary", "gray"), study.rougher(t, "random", "binary"), study.lasts(t)):
        assert claim.verdict == "holds"
    assert study.lasts(t).measured == pytest.approx(2.0)
    off = Rows(t.case, t.frame.with_columns(early_stop=pl.Series([1.4, 1.0, 2.0]), start_kl=pl.Series([1.0, 3.0, 1.0])))
    for claim in (study.rougher(off, "binary", "gray"), study.rougher(off, "random", "binary"), study.lasts(off)):
        assert claim.verdict == "fails"


def test_networks_are_judged():
    case = Trained(SIX, 0.1, 100, Training())
    assert study.bounded(runs(case, kl=about(0.5), bound=about(0.6))).verdict == "holds"
    assert study.bounded(runs(case, kl=about(0.7), bound=about(0.6))).verdict == "fails"
    assert study.never_truncated(runs(case, truncated=np.zeros(3))).verdict == "holds"
    assert study.never_truncated(runs(case, truncated=np.ones(3))).verdict == "fails"


def test_a_density_against_quadrature():
    """TV of the mixture from uniform cells, with the density itself on a fine grid."""
    world = torch_cells.world(Setting(1, 4))
    made = generated(world.mass, 2.0, 0.02)
    x = torch.linspace(-4, 4, 160_001, dtype=torch.float64)[:-1] + 2.5e-5
    exactly = world.target.log_density(x[:, None]).exp().numpy()
    flat = np.repeat(made / 0.5, 10_000)
    assert torch_cells.density_tv(world, made) == pytest.approx(np.abs(exactly - flat).sum() * 2.5e-5, rel=1e-3)


def test_the_reverse_sde_reaches_the_mixture():
    case = Raced(Setting(1, 4), 0.1, 5000, (5,))
    q = torch_cells.world(case.setting).mass
    gaps = [tv(q, torch_cells.continuous(case, steps, 0)) for steps in (8, 80)]
    assert gaps[1] < 0.05 < gaps[0]


def test_real_data(tmp_path, monkeypatch):
    """A few updates on two columns: its law; all columns' bits, and levels that are exact."""
    (quantizer, wine), load = torch_cells.load("wine"), torch_cells.load
    two = Quantizer(quantizer.lower[:2], quantizer.upper[:2], (4, 4))
    monkeypatch.setattr(torch_cells, "load", lambda name: (two, wine[:, :2]))
    case = Real(Setting(2, 4), 0.9, "wine", 10, Training(3, width=8, networks=2))
    rows = torch_cells.imitate(case, Cell(tmp_path))
    assert rows["evaluations"].item() == pytest.approx(case.evaluations, abs=5 * (case.evaluations / 10) ** 0.5)
    assert rows["truncated"].item() == 0
    for name, setting in study.DATA.items():
        quantizer, data = load(name)
        assert quantizer.bits == (setting.bits,) * setting.dimension
        assert data.shape[1] == setting.dimension
    assert quantizer.decode(quantizer.encode(data)).numpy() == pytest.approx(data), "16 grey levels"
    assert study.evaluated(runs(case, evaluations=about(case.evaluations))).verdict == "holds"


def test_a_transformer_of_columns_starts_from_the_noisy_bits():
    """With nothing written its logits are ± ln coth u; each column sees the others."""
    model = torch_cells.ColumnTransformer(Setting(3, 2), 8)
    bits = torch.randint(2, (5, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    other = bits.clone()
    other[:, 5] ^= 1
    u = torch.full((5,), 0.3)
    assert (model(bits, u) - model(other, u))[:, :2].abs().min() > 0
    torch.nn.init.zeros_(model.write.weight)
    torch.nn.init.zeros_(model.write.bias)
    assert model(bits, u).detach().numpy() == pytest.approx((2.0 * bits.numpy() - 1) * -np.log(np.tanh(0.3)), rel=1e-5)


def test_summaries_of_samples_by_hand():
    real, made = np.array([[0, 1], [0, 1], [1, 0], [1, 0.0]]), np.array([[0, 1], [0, 0], [0, 1], [1, 0.0]])
    assert torch_cells.columns_tv(real, made) == pytest.approx((0.25 + 0) / 2)
    assert torch_cells.correlation_error(real, made) == pytest.approx(1 - 1 / 3**0.5)
    assert torch_cells.histogram(torch.tensor([[0, 1], [1, 1], [0, 1], [0, 0]])).tolist() == [0.25, 0.5, 0, 0.25]


def test_tables_against_their_rows():
    cases = [Sampled(SIX, eps, rate, FEW) for eps, rate in ((0.1, "paper"), (0.2, "paper"), (0.1, "thinned"))]
    found = Found(None, tuple(runs(case, evaluations=about(case.evaluations, 0.01)) for case in cases))
    rows = pl.concat(study.costs(found))
    law = rows.filter(series="law", rate="thinned")
    assert law["1/ε"].to_list() == [5, 10]
    assert law["evaluations"][1] == pytest.approx(cases[2].evaluations)
    measured = rows.filter(series="measured", rate="paper")
    assert sorted(measured["evaluations"]) == pytest.approx(sorted(case.evaluations for case in cases[:2]))
    assert measured["low"].to_list() == pytest.approx([0.99 * case.evaluations for case in cases[:2]])


def test_what_needs_scikit_learn_says_so(monkeypatch):
    monkeypatch.setattr(study, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"`data` must be empty without scikit-learn, got \('wine', 'digits'\); `pip"):
        study.Config()
    assert study.Config(data=()).data == ()


def test_the_page_opens_with_code_that_runs():
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)[0]
    names: dict = {}
    torch.manual_seed(0)
    with redirect_stdout(StringIO()) as said:
        exec(code.replace("steps=300", "steps=30").replace("total, 100", "total, 10"), names)
    assert names["new"].shape == (10, 13)
    assert float(said.getvalue()) == pytest.approx(names["segments"].rate @ -np.diff(names["segments"].remaining))
    assert np.isfinite(names["new"].numpy()).all()
