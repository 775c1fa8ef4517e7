"""One ReLU neuron: judges on rows whose verdict is known, cells against plain loops and simulation, tables against the law."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws.regression import bernoulli_risk, sgd_floor
from twopart.studies.regression import relu_neuron as study
from twopart.studies.regression import relu_neuron_cells as torch_cells
from twopart.studies.regression.relu_neuron import ALGORITHMS, GROUP, PRESETS, RATE, SIDES, Instances, Pass

GROUPS = 60
CASES = {work.case.use: work.case for work in study.cells(PRESETS["tiny"], 0) if isinstance(work.case, Pass)}
QUIET = {work.case.inputs: work.case for work in study.cells(PRESETS["tiny"], 0) if str(work.case).endswith("no noise")}


def long(axis, columns, **labels):
    """A row for each number, from columns of shape (groups, n)."""
    n = next(iter(columns.values())).shape[1]
    return pl.DataFrame(
        {
            "replicate": np.repeat(np.arange(GROUPS), n),
            "axis": axis,
            **labels,
            **{k: v.ravel() for k, v in columns.items()},
        }
    )


def planted(case, run=1.0, slower=0.0, shift=0.0):
    """Rows as the law has them, groups a little apart: risks times `run`, slopes off by a share, weights by `shift` errors."""
    random, rows, σ = np.random.default_rng(0), [], 0.01
    for a in ALGORITHMS:
        risk = case.laws[a].risk * run * (1 + 0.01 * random.standard_normal((GROUPS, 1)))
        rows.append(long("time", {"risk": risk}, algorithm=a))
        rows.append(long("weight", {"count": np.full((GROUPS, 50), 0.02)}, algorithm=a))
    w = case.mean + σ * (shift + random.standard_normal((GROUPS, case.dimension)))
    rows.append(long("end", {"mean": w, "variance": np.full_like(w, GROUP * σ**2)}))
    left = np.exp((1 - slower) * np.outer(case.marks, np.log1p(-RATE * case.world.spectrum / 2)))
    rows.append(long("path", {"left": left.ravel() + 1e-4 * random.standard_normal((GROUPS, left.size))}))
    return Rows(case, pl.concat(rows, how="diagonal_relaxed"))


@pytest.mark.parametrize(
    ("claim", "case", "wrong"),
    [
        (study.linear_mean, CASES["mean"], {"shift": 1.0}),
        (
            lambda t: study.floor(t, "SGD", "it stays", sgd_floor(t.case.world, t.case.begin)),
            QUIET["bernoulli"],
            {"run": 1.05},
        ),
        (study.slope, CASES["slope"], {"slower": 0.1}),
        (lambda t: study.gaussian([t, t]), CASES["gaussian"], {"run": 0.95}),
        (lambda t: study.bernoulli([t]), CASES["bernoulli"], {"run": 1.05}),
    ],
)
def test_what_the_law_says_holds_and_what_it_denies_fails(claim, case, wrong):
    if claim is study.linear_mean:
        case = replace(case, dimension=300, decay=0.0)  # more directions, less chance
    assert claim(planted(case)).verdict == "holds"
    assert claim(planted(case, **wrong)).verdict == "fails"


def risks(case, **at_the_end):
    rows = [
        pl.DataFrame(
            {"replicate": g, "axis": "time", "algorithm": a, "samples": [1, 2], "risk": [1.0, r * (1 + g / 100)]}
        )
        for a, r in at_the_end.items()
        for g in range(4)
    ]
    return Rows(case, pl.concat(rows).with_columns(pl.col("algorithm").replace("tron", "GLM-tron")))


def test_absolute_rules():
    quiet, gaussian = QUIET["bernoulli"], QUIET["gaussian"]
    begin, kept = gaussian.world.excess(gaussian.begin), sgd_floor(quiet.world, quiet.begin)
    for verdict, by in (("holds", 1.0), ("fails", 30.0)):
        tron, sgd = ("GLM-tron", "it falls", None), ("SGD", "it falls", None)
        assert study.no_floor(risks(quiet, tron=1e-3 * kept * by), *tron, kept).verdict == verdict
        assert study.converges(risks(gaussian, SGD=1e-3 * begin * by), *sgd, begin).verdict == verdict


def instances(*quotients, bias=0.01):
    """Right signs and wrong ones in turn."""
    rows = [
        {"replicate": i, "series": SIDES[i % 2], "quotient": q, "tron": 1.0, "bias": bias}
        for i, q in enumerate(quotients)
    ]
    return Rows(Instances(len(rows), 3, 100, 0), pl.DataFrame(rows))


@pytest.mark.parametrize(
    ("quotients", "bias", "least", "right"),
    [
        ((0.51, 3.0, 0.9, 0.8), 0.01, "holds", "holds"),
        ((0.40, 3.0, 0.9, 0.8), 0.01, "fails", "holds"),
        ((0.51, 3.0, 1.2, 0.8), 0.01, "holds", "fails"),
        ((0.75, 3.0, 0.9, 0.8), 0.30, "inconclusive", "holds"),
    ],
)
def test_instances_are_judged_by_the_least_and_by_right_signs(quotients, bias, least, right):
    rows = instances(*quotients, bias=bias)
    assert study.instance_wise(rows).verdict == least
    assert study.right_signs(rows).verdict == right


def test_an_instance_beside_runs():
    """Both risks at the rates that were best, within five standard errors of simulation."""
    case = Instances(2, 2, 100, 4)
    row, (world, start, tried) = study.compare(case, Cell(Path())).row(1, named=True), case.problem(1)
    assert np.any(start * world.truth < 0)
    for gate, expected in ((False, row["tron"]), (True, row["quotient"] * row["tron"])):
        laws = [bernoulli_risk(world, start, rates, gate=gate, cells=250).risk[-1] for rates in tried]
        w = np.tile(start, (4000, 1))
        for t, rate in enumerate(tried[int(np.argmin(laws))]):
            x, y = world.sample(len(w), t)
            u = (w * x).sum(1)
            w -= rate * ((np.maximum(u, 0) - y) * ((u > 0) | (not gate)))[:, None] * x
        risk = world.excess(w)
        assert risk.mean() == pytest.approx(expected, abs=5 * risk.std() / np.sqrt(len(w)) + 0.01 * expected)
        assert min(laws) == pytest.approx(expected, rel=0.01)


def test_a_cell_is_a_plain_loop():
    case = replace(CASES["bernoulli"], seeds=2 * GROUP, samples=20)
    frame = Rows(case, torch_cells.descend(case, Cell(Path())))
    for a in ALGORITHMS:
        w = np.tile(case.begin, (case.seeds, 1))
        for step, rate in enumerate(case.rates, 1):
            x, y = case.world.sample(case.seeds, step, np.float32)
            for r in range(case.seeds):
                u = w[r] @ x[r]
                if a == "GLM-tron" or u > 0:
                    w[r] -= rate * (max(u, 0) - y[r]) * x[r]
        groups = w.reshape(2, GROUP, -1)
        assert study.risk(frame, a)[:, -1] == pytest.approx(case.world.excess(groups).mean(1), rel=1e-4)
        if a == "GLM-tron":
            end = frame.array("mean", "variance", axis="end")
            assert end[:, 0] == pytest.approx(groups.mean(1), abs=1e-5)
            assert end[:, 1] == pytest.approx(groups.var(1, ddof=1), abs=1e-5)
        i = int(np.flatnonzero(case.begin * case.world.truth < 0)[0])
        edges = np.linspace(-1.2, 1.2, 51)  # half as far again as the truth
        counted = [np.histogram(g * np.sign(case.world.truth[i]), edges)[0] / GROUP for g in groups[:, :, i]]
        assert frame.array("count", axis="weight", algorithm=a) == pytest.approx(np.array(counted))


def test_tables_show_the_laws():
    parts = [planted(case) for case in (*CASES.values(), QUIET["bernoulli"])] + [instances(0.6, 2.0)]
    tables = {table.name: table.frame for table in study.tables(Found(PRESETS["tiny"], tuple(parts)))}
    law = tables["risk"].filter(series="law", algorithm="SGD", world=str(CASES["gaussian"]))["risk"].to_numpy()
    assert law == pytest.approx(CASES["gaussian"].laws["SGD"].risk)
    for a in ALGORITHMS:
        chain = tables["weights"].filter(series="chain", algorithm=a)["share"].sum()
        assert 0.9 < chain <= 1 + 1e-9, "some noise carries beyond the bins"
    assert tables["instances"]["quotient"].to_list() == [0.6, 2.0]
    assert tables["instances"]["tron"].to_list() == [1.0, 1.0]


def test_the_floor_is_reached():
    """Samples enough that f < 1e-4 in the slowest axis, and not many more."""
    case = QUIET["bernoulli"]
    assert case.laws["SGD"].risk[-1] == pytest.approx(sgd_floor(case.world, case.begin), rel=2e-4)
    slowest, rate = case.world.spectrum[-1], case.rates[-1]
    f = (1 - slowest / 2 + slowest / 2 * (1 - rate) ** 2) ** np.array([case.samples - 1, case.samples])
    assert f[1] <= 1e-4 < f[0]
    assert (case.begin * case.world.optimum < 0).sum() == 3
