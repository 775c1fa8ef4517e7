"""Published tables of training runs give the published fits, to the digits that rounding and objective leave."""

from pathlib import Path

import numpy as np
import pytest

from tests.fits.scaling.published import greek
from tests.fits.scaling.test_published_laws import CHINCHILLA
from twopart.cli import main
from twopart.fits.scaling import Law, scaling_law

CEREBRAS = Path(__file__).parent / "tables/cerebras_gpt.csv"


def read(path):
    """The columns of a table of numbers; lines of # are about the table."""
    table = np.genfromtxt([line for line in path.read_text().splitlines() if line[0] != "#"], delimiter=",", names=True)
    return {name: table[name] for name in table.dtype.names}


def cerebras(**options):
    runs = read(CEREBRAS)
    return scaling_law(flops=runs["flops"], loss=runs["loss"], form="compute", objective="squares", **options)


def published(flops):
    """Dey et al. 2023, arXiv 2304.03208, equation 1."""
    return (flops / 5.984e22) ** -0.0737 + 0.5066


def test_cerebras_gpt():
    """7 runs at 20 tokens per parameter. Within the interval, and within the 0.5 % that the paper claims, at every budget."""
    found = cerebras(resamples=1000)
    for name, value in {"E": 0.5066, "A": 5.984e22**0.0737, "gamma": 0.0737}.items():
        low, high = found.interval(name)
        assert low < value < high, name
    flops = np.geomspace(2.6e18, 2.3e22, 20)
    ours = found.E + found.A * flops**-found.gamma
    assert ours == pytest.approx(published(flops), rel=0.005)


def test_cerebras_gpt_by_command(tmp_path):
    """A table with names and without tokens."""
    command = ["fit", str(CEREBRAS), "--form", "compute", "--objective", "squares", "--resamples", "100"]
    assert main([*command, "--out", str(tmp_path / "fit")]) == 0
    found, law = cerebras(resamples=0), Law.read(tmp_path / "fit/law.json")
    assert [law.E, law.A, law.gamma] == pytest.approx([found.E, found.A, found.gamma], rel=1e-6)


@pytest.mark.skipif(not CHINCHILLA.exists(), reason="the table of Besiroglu et al. 2024 is not here")
def test_217_runs_below_1e21_operations():
    """Runs of Hoffmann et al. 2022 in apple/ml-scalefit, and their fit of squares of ln L by Open-Athena/scaling-law-analysis,
    results/experiments/exp0/reproductions.txt, "Approach 3 (lse+logloss)"; N in millions and D in thousand millions."""
    runs = read(CHINCHILLA)
    small = 6 * runs["params"] * runs["tokens"] < 1e21
    columns = {name: runs[name][small] for name in ("params", "tokens", "loss")}
    found = scaling_law(**columns, drop_highest=5, objective="squares", resamples=0)
    assert len(found.runs) == 217
    ours = [found.E, found.A / 1e6**found.alpha, found.B / 1e9**found.beta, found.alpha, found.beta]
    assert ours == pytest.approx([1.8926, 4.0146, 1.0571, 0.3522, 0.4430], rel=0, abs=5.1e-5)


def test_a_law_with_a_steep_break():
    """Caballero et al. 2022, arXiv 2210.14891, figure 4 right: their fit to the addition of numbers of four digits, whose
    loss falls as D^-5.7 beyond the break, found again from exact losses at the 14 sizes of the figure's fit."""
    E, B, c0, c1, D_1, f = law = (0.41388453, 2.27727229, 0.055077348, 5.66290382, 612.583617, 0.059193036)
    tokens = np.array([160, 192, 256, 320, 384, 448, 480, 512, 544, 576, 608, 640, 672, 736.0])
    loss = E + B * tokens**-c0 * (1 + (tokens / D_1) ** (1 / f)) ** (-c1 * f)
    found = scaling_law(tokens=tokens, loss=loss, form="broken", objective="squares", resamples=0)
    assert [found.E, found.B, found.c0, found.c1, found.D_1, found.f] == pytest.approx(law, rel=1e-5)


def test_twelve_greek_runs_by_compute():
    """`compute_slope` of fourlhs/greek-scaling-laws, scaling_fits.json: a straight line in ln L and ln C. Ours has no floor
    either; the table's sizes are rounded to three and four digits."""
    runs = greek()
    found = scaling_law(
        flops=6 * runs["params"] * runs["tokens"], loss=runs["loss"], form="compute", objective="squares", resamples=0
    )
    assert found.E == 0
    assert found.gamma == pytest.approx(0.11711, abs=0.0005)
