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
from twopart.studies import _study
from twopart.studies.sampling import quantized_transition as study
from twopart.studies.sampling import quantized_transition_cells as torch_cells
from twopart.studies.sampling.quantized_transition import Foretold, Raced, Sampled, Trained

PAGE = Path(__file__).parents[3] / "docs/laws/quantized-transition.md"


def six(eps=0.2):
    return Sampled(1, 6, eps, 1000)


def runs(case, **columns):
    frames = [
        pl.DataFrame({"axis": "run", "replicate": i, **{k: float(v[i]) for k, v in columns.items()}}) for i in range(3)
    ]
    return Rows(case, pl.concat(frames))


def about(value, spread=1e-4):
    return value * (1 + spread * np.array([-1, 0, 1]))


def test_counts_are_judged_against_the_law():
    assert six().evaluations == pytest.approx(64.75, abs=0.01)
    for quantity in ("evaluations", "flips"):
        law = getattr(six(), quantity)
        assert study.counted(runs(six(), **{quantity: about(law)}), quantity).verdict == "holds"
        assert study.counted(runs(six(), **{quantity: about(1.05 * law)}), quantity).verdict == "fails"


def test_bias_is_judged_in_spreads_of_the_floor():
    def planted(gap):
        tv = np.array([0.05, 0.051, 0.052]) + gap
        return study.unbiased(runs(six(), tv=tv, floor=np.full(3, 0.051), spread=np.full(3, 0.001)))

    assert planted(0).verdict == "holds"
    assert planted(0.01).verdict == "fails"


def laws(density, early=(1.2, 1.0, 2.4), start=(1.0, 2.0, 0.1)):
    theorem = pl.DataFrame({"axis": "theorem", "eps": [0.1, 0.2], "density": [density * 0.1, density * 0.05]})
    codes = {"code": ["binary", "gray", "random"], "early_stop": early, "first_order": [1.21, 1.0, 2.42],
             "start_kl": start, "single_bits": [1.0, 2.05, 0.1]}  # fmt: skip
    rows = pl.concat([theorem, pl.DataFrame({"axis": "code", **codes})], how="diagonal_relaxed")
    return Rows(Foretold((0.1, 0.2), 0), rows.with_columns(replicate=0))


def test_exact_claims():
    assert study.certified(laws(0.3)).verdict == "holds"
    assert study.certified(laws(30)).verdict == "fails"
    assert study.stops_early([runs(six(), total=about(0.1), **{"early stop": about(0.0999)})]).verdict == "holds"
    assert study.stops_early([runs(six(), total=about(0.11), **{"early stop": about(0.1)})]).verdict == "fails"
    race = pl.DataFrame(
        {"replicate": 0, "axis": ["QTD, same times", *2 * ["Euler, same times"]], "tv": [0.1, 0.11, 0.2]}
    )
    case = Raced(1, 6, 0.1, 10, 5)
    assert study.beats_euler(Rows(case, race)).measured == pytest.approx(1.1)
    assert study.beats_euler(Rows(case, race.with_columns(tv=-pl.col("tv") + 0.2))).verdict == "fails"


@pytest.mark.parametrize(("exponent", "verdict"), [(1.0, "holds"), (1.2, "fails")])
def test_growth(exponent, verdict):
    cases = [six(eps) for eps in (0.2, 0.02, 0.002)]
    found = study.grows([runs(case, evaluations=about(case.evaluations**exponent)) for case in cases])
    assert found.verdict == verdict
    x, y = [np.log(1 / c.eps) ** 2 for c in cases], [c.evaluations for c in cases]
    assert found.predicted == pytest.approx(np.polyfit(x, y, 1)[0])


def test_codes_are_judged_by_their_first_order():
    off = laws(1, early=(1.4, 1.0, 2.0), start=(1.0, 3.0, 1.0))
    for of, to, columns in (
        ("binary", "gray", study.STOPPED),
        ("random", "binary", study.STOPPED),
        ("gray", "binary", study.STARTED),
    ):
        assert study.coded(laws(1), of, to, columns).verdict == "holds"
        assert study.coded(off, of, to, columns).verdict == "fails"
    assert study.coded(laws(1), "gray", "binary", study.STARTED).measured == pytest.approx(2.0)


def test_networks_are_judged():
    case = Trained(1, 6, 0.1, 100, study.MIXTURE, 10, 8)
    assert study.bounded(runs(case, kl=about(0.5), bound=about(0.6))).verdict == "holds"
    assert study.bounded(runs(case, kl=about(0.7), bound=about(0.6))).verdict == "fails"
    assert study.never_truncated(runs(case, truncated=np.zeros(3))).verdict == "holds"
    assert study.never_truncated(runs(case, truncated=np.ones(3))).verdict == "fails"


def test_a_density_against_quadrature():
    """TV of the mixture from uniform cells, with the density itself on a fine grid."""
    world = torch_cells.world(Sampled(1, 4, 0.1, 1))
    made = generated(world.mass, 2.0, 0.02)
    x = torch.linspace(-4, 4, 160_001, dtype=torch.float64)[:-1] + 2.5e-5
    exactly = world.target.log_density(x[:, None]).exp().numpy()
    flat = np.repeat(made / 0.5, 10_000)
    assert torch_cells.density_tv(world, made) == pytest.approx(np.abs(exactly - flat).sum() * 2.5e-5, rel=1e-3)


def test_the_reverse_sde_reaches_the_mixture(tmp_path):
    case = Raced(1, 4, 0.1, 5000, 5)
    q = torch_cells.world(case).mass
    gaps = [tv(q, torch_cells.continuous(case, steps, Cell(tmp_path))) for steps in (8, 80)]
    assert gaps[1] < 0.05 < gaps[0]


def test_real_data(tmp_path, monkeypatch):
    """A few updates on two columns, and its counts; all columns' bits."""
    load = torch_cells.load
    monkeypatch.setattr(torch_cells, "load", lambda name: load(name)[:, :8])
    case = Trained(2, 4, 0.9, 10, "wine", 3, 8)
    rows = torch_cells.train(case, Cell(tmp_path))
    assert rows["evaluations"].item() == pytest.approx(case.evaluations, abs=5 * (case.evaluations / 10) ** 0.5)
    assert rows["truncated"].item() == 0
    for name, (columns, bits) in study.DATA.items():
        assert load(name).shape[1] == columns * bits


def test_histograms_by_hand():
    assert torch_cells.histogram(torch.tensor([[0, 1], [1, 1], [0, 1], [0, 0]])).tolist() == [0.25, 0.5, 0, 0.25]


def test_tables_against_their_rows():
    cases = [six(eps) for eps in (0.2, 0.1)]
    found = Found(None, tuple(runs(case, evaluations=about(case.evaluations, 0.01)) for case in cases))
    rows = pl.concat(study.costs(found))
    law, measured = (rows.filter(series=series) for series in ("law", "measured"))
    assert law["1/ε"].to_list() == [5, 10]
    assert law["evaluations"].to_list() == pytest.approx([case.evaluations for case in cases])
    assert measured["evaluations"].to_list() == pytest.approx([case.evaluations for case in cases])
    assert measured["low"].to_list() == pytest.approx([0.99 * case.evaluations for case in cases])


def test_what_needs_scikit_learn_says_so(monkeypatch):
    monkeypatch.setattr(_study, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"`data` must be off without scikit-learn, got \('wine', 'digits'\); or `pip"):
        list(study.cells(study.Config(), 0))
    assert list(study.cells(study.Config(data=()), 0))


def test_the_page_opens_with_code_that_runs():
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)[0]
    names: dict = {}
    torch.manual_seed(0)
    with redirect_stdout(StringIO()) as said:
        exec(code.replace("steps=300", "steps=30").replace("total, 100", "total, 10").replace("=2.0", "=0.2"), names)
    assert names["new"].shape == (10, 13)
    assert float(said.getvalue()) == pytest.approx(names["segments"].rate @ -np.diff(names["segments"].remaining))
    assert np.isfinite(names["new"].numpy()).all()
