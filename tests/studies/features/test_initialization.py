"""The study of output scale: judges on rows whose verdict is known, a cell against weights and plain loops, tables."""

from functools import cache

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows, long
from twopart.laws.features import early, output_scale_error
from twopart.learners.features import PatchNetConfig, initialise_patches, stack, train_patches
from twopart.studies.features import initialization as study
from twopart.studies.features import initialization_cells as torch_cells
from twopart.studies.features.initialization import Config, Networks, Train
from twopart.worlds.features import SignalNoise, Signed

NORMS = (1.0, 2.0, 4.0, 8.0)
NETS = Networks(looks=12, seeds=3)
CONFIG = Config((0.001, 1.0), NORMS, 1.0, networks=NETS)
ACTIVE, MARGIN = 0.76, 6.0


def planted(case, spoiled=()):
    """Rows as the law has them, replicates 0.02 % apart, but for columns that `spoiled` changes."""
    near = np.array([0.9998, 1.0, 1.0002])[:, None]
    place = case.networks.points, case.networks.dimension
    times = np.array([0.0, 0.1, 0.3, 0.5, 1.0, 3.0])[None]
    law = early(times, case.scale, case.norm, *place, 1.0, ACTIVE, output=case.output, rate=case.networks.rate)
    way = {"time": times, "stretched": times, "active": ACTIVE, "loss": np.where(times < 2, 0.69, 0.1)}
    way |= {name: part * near for name, part in vars(law).items()}
    way["balance"] = case.scale**2 * near
    error = output_scale_error(case.scale, case.norm, *place, 10, 1.0, ACTIVE, MARGIN, output=case.output).error
    end = {"error": error * near[:, 0], "margin": MARGIN, "active": ACTIVE, "loss": 0.003}
    end["balance"] = way["balance"][:, 0]
    for kind, axis in (("way", way), ("end", end)):
        axis |= {name: change(case, axis[name]) for (on, name), change in dict(spoiled).items() if on == kind}
    return Rows(case, pl.concat([long("way", way), long("end", end)], how="diagonal"), "train")


@cache
def plain(case):
    return planted(case)


CASES = [work.case for work in study.cells(CONFIG, 0)]


def found(spoiled=()):
    return Found(CONFIG, tuple(planted(case, spoiled) if spoiled else plain(case) for case in CASES))


def test_what_the_law_says_holds():
    claims = list(study.claims(found()))
    assert len(claims) == 11
    assert {claim.verdict for claim in claims} == {"holds"}, [
        (c.statement, c.measured) for c in claims if c.verdict != "holds"
    ]


def steeper(by):
    return lambda case, x: x + by * (x - x[:, :1]) if case.output == "per-patch" else x


def where(condition, change):
    return lambda case, x: change(x) if condition(case) else x


HIDDEN, OUTPUT, SHARE, COUNT, KEPT, KEPT_SHARED, LARGE, LAW, THRESHOLD, HARMS, FORGIVES = range(11)
SPOILED = [
    ({("way", "output_memory"): steeper(0.1)}, set()),
    (
        {
            ("way", "hidden_signal"): lambda case, x: 1.03 * x,
            ("way", "output_memory"): steeper(0.3),
            ("end", "balance"): lambda case, x: 1.04 * x,
            ("end", "error"): where(lambda case: case.output == "fixed", lambda x: x + 0.01),
        },
        {HIDDEN, COUNT, KEPT, LARGE},
    ),
    (
        {
            ("way", "output_signal"): lambda case, x: 0.97 * x,
            ("way", "active"): lambda case, x: 0.6,
            ("end", "balance"): lambda case, x: 0.93 * x,
            ("end", "error"): where(lambda case: case.output == "shared" and case.scale == 1, lambda x: x - 0.05),
        },
        {OUTPUT, COUNT, KEPT, KEPT_SHARED, FORGIVES},
    ),
    (
        {
            ("way", "output_memory"): steeper(1.0),
            ("end", "error"): where(lambda case: case.output != "shared" and case.scale == 1, lambda x: x + 0.03),
        },
        {SHARE, COUNT, LAW},
    ),
    (
        {("end", "error"): where(lambda case: case.output == "per-patch" and case.scale < 1, lambda x: 0.51 * x)},
        {THRESHOLD},
    ),
]


@pytest.mark.parametrize(("spoiled", "failing"), SPOILED)
def test_what_it_denies_fails(spoiled, failing):
    claims = list(study.claims(found(spoiled)))
    assert {place for place, claim in enumerate(claims) if claim.verdict == "fails"} == failing


def test_errors_that_never_cross_decide_nothing():
    small = found({("end", "error"): lambda case, x: 0.4 + 0 * x}).of(Train, output="per-patch", scale=0.001)
    assert study.small_threshold(small).verdict == study.small_harms(small, small).verdict == "inconclusive"
    large = found().of(Train, output="per-patch", scale=1.0)
    assert study.small_harms(large, large).verdict == "fails"
    assert study.crossing(small, np.array([0.5, 0.4, 0.3, 0.2])) == pytest.approx(np.sqrt(32.0))


def test_a_map_has_no_gaps_and_its_line_is_the_laws():
    tables = {table.name: table.frame for table in study.tables(found())}
    frame = tables["map"].filter(pl.col("output") == study.NAMES["per-patch"]).sort("v0", "norm")
    assert frame["to"].unique().sort()[:-1].to_list() == pytest.approx(frame["from"].unique().sort()[1:].to_list())
    assert ((frame["below"] < frame["norm"]) & (frame["norm"] < frame["above"])).all()
    for output, v0, norm in tables["boundary"].iter_rows():
        kind = {name: kind for kind, name in study.NAMES.items()}[output]
        law = output_scale_error(v0, norm, 40, 2000, 10, 1.0, ACTIVE, MARGIN, output=kind)
        assert law.error == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("output", ["per-patch", "shared"])
def test_layers_against_plain_loops(output):
    worlds = [SignalNoise(Signed(3.0), 30, seed=s) for s in (1, 2)]
    config = PatchNetConfig(3, output=output, scale="sum", initial=0.01, output_initial=0.3)
    start = initialise_patches(config, 30, [1, 2], dtype=torch.float64)
    now = train_patches(start, *stack([world.sample(10) for world in worlds]), steps=20, rate=0.05)
    found = torch_cells.layers(now, start, worlds)
    for b, world in enumerate(worlds):
        unit, rows = world.directions[0] / 3.0, []
        for j, r in np.ndindex(2, 3):
            w, learned = now.weights[b, j, r].numpy(), (now.weights - start.weights)[b, j, r].numpy()
            a, v = (1, -1)[j] * float(w @ unit), now.second[b, j, r].numpy()
            across = np.linalg.norm(learned - (learned @ unit) * unit)
            rows.append([a, v[0], across, v[-1], v[0] ** 2 - (a**2 if output == "per-patch" else w @ w)])
        assert [float(part[b]) for part in found.values()] == pytest.approx(np.mean(rows, axis=0))


def test_a_cell_is_the_networks_trained_in_weights():
    """And its looks are those of the law: q counted, n = 20, d = 500."""

    class Quiet:
        seed, device = 5, "cpu"

        def progress(self, done, total):
            pass

    net = Networks(16, 400, 5, rate=0.005, steps=200, looks=10, seeds=2, tests=2000)
    case = Train("per-patch", 0.2, 6.0, net, 7)
    rows = Rows(case, torch_cells.train(case, Quiet()), "train")
    worlds = [SignalNoise(Signed(6.0), 400, seed=7 + i) for i in range(2)]
    x, y = stack([world.sample(16) for world in worlds])
    keys = [int(key >> 1) for key in torch_cells._random.keys(7, 2, "patch-net")]
    config = PatchNetConfig(5, output="per-patch", scale="sum", initial=net.initial, output_initial=0.2)
    start = initialise_patches(config, 400, keys, dtype=torch.float64)
    losses, stretched = [], np.zeros(2)

    def watch(moment):
        pull = torch.sigmoid(-moment.outputs * y).mean(1).numpy()
        losses.append(stretched.copy())
        stretched[:] += 0.01 * pull

    end = train_patches(start, x, y, steps=200, rate=0.005, on_step=watch)
    assert study.at_end(rows, "margin") == pytest.approx((end(x) * y).mean(1).numpy(), rel=1e-8)
    assert study.on_way(rows, "stretched")[:, -1] == pytest.approx(losses[-1])
    assert study.on_way(rows, "time")[0, -1] == pytest.approx(1.0)
    assert study.on_way(rows, "hidden_signal")[:, 0] == pytest.approx([0, 0], abs=1e-4)


def test_cells_share_their_worlds_and_none_is_run_twice():
    cases = [work.case for work in study.cells(study.PRESETS["small"], 0)]
    assert len(set(cases)) == len(cases) == 7 * (5 + 5 + 1)
    assert len({case.seed for case in cases}) == 1
