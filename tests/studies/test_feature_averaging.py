"""The feature-averaging study: networks made by hand whose verdicts are known, trained ones, tables against loops, resuming."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import twopart as tp
from twopart._checks import InputError
from twopart.lab import Cell, Lab
from twopart.laws.features import feature_averaging as law
from twopart.learners.features import TwoLayer
from twopart.studies.feature_averaging import PRESETS, cells, claims, images, plan, run
from twopart.studies.feature_averaging.evidence import Evidence, Measured, Trained, exponents
from twopart.studies.feature_averaging.study import _cluster_cells, _image_cells
from twopart.studies.feature_averaging.tables import tables

CONFIG = replace(PRESETS["tiny"], dimensions=(128, 200), reference_dimension=200, points=100)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trained():
    """Both reference cells of a small run."""
    chosen = [cell for cell in _cluster_cells(CONFIG, 17) if cell.attacked]
    return {c.supervision: Trained(cells.train_on_clusters(c, Cell(Path())), c) for c in chosen}


def by_hand(supervision, decoupled=False, share=None):
    """Weights as the law has them, or, under binary labels, with each neuron along a single centre."""
    cell = next(c for c in _cluster_cells(CONFIG, 4) if c.attacked and c.supervision == supervision)
    worlds = [replace(cell.world, seed=cell.world.seed + i) for i in range(cell.replicates)]
    centres = torch.stack([torch.from_numpy(world.centres.astype(np.float32)) for world in worlds])
    own = torch.from_numpy(cells.membership(cell).astype(np.float32))
    s = law.share(cell.world, cell.outputs) if share is None else share
    signs = (own - s * (1 - own))[:, None].expand(-1, 2, -1)
    if decoupled:
        signs = torch.stack([own * (torch.cumsum(own, 1) == i) for i in (1, 2)], 1)
    weights = 5 / cell.world.dimension * (signs @ centres[:, None])
    network = TwoLayer(weights, torch.zeros(weights.shape[:3]))
    test = [world.sample(cell.points, stream=1) for world in worlds]
    frames = [cells._end(cell, network, centres, test), *cells._radii(cell, network, centres, test, Cell(Path()))]
    return Trained(pl.concat(frames, how="diagonal"), cell)


def test_networks_as_the_law_has_them_are_recognised():
    binary, cluster = by_hand("binary"), by_hand("cluster")
    for claim in (
        *(judge(binary) for judge in (claims.coefficients_equal, claims.share, claims.direction, claims.clean)),
        *(judge(binary) for judge in (claims.theory_radius, claims.least_radius, claims.certificate)),
        *(judge(cluster) for judge in (claims.share, claims.decoupled, claims.decoupled_certificate, claims.summed)),
    ):
        assert claim.verdict == "holds", claim


def test_a_network_that_does_not_average_fails():
    found = by_hand("binary", decoupled=True)
    assert claims.coefficients_equal(found).verdict in ("fails", "inconclusive")
    assert claims.direction(found).verdict == "fails"
    assert claims.share(found).verdict == "fails"


def test_wrong_radii_and_growth_fail(trained):
    binary = trained["binary"]
    scaled = Trained(binary.table.with_columns(pl.col("radius") * 1.3, pl.col("own") * 1.3), binary.cell)
    for judge in (claims.theory_radius, claims.robust_curve, claims.least_radius, claims.coefficients_grow):
        assert judge(scaled).verdict == "fails"
        assert judge(binary).verdict != "fails"
    steeper = [replace_radius(binary, k, (k / 4) ** -0.7) for k in (2, 4, 8)] + [replace_radius(binary, 4, 1.2, 128)]
    k, _ = claims.radius_exponents(steeper)
    assert k.verdict == "fails"
    assert k.measured == pytest.approx(-0.7, abs=1e-6)


def replace_radius(trained, clusters, factor, dimension=200):
    cell = replace(trained.cell, world=tp.worlds.features.OrthogonalClusters(clusters, dimension))
    return Trained(trained.table.with_columns(pl.col("radius") * factor), cell)


def test_exponents_of_a_power_law_are_found():
    shapes = [(2, 100), (8, 100), (4, 400), (4, 900)]
    sized = [Trained(pl.DataFrame(), _cell(k, dimension)) for k, dimension in shapes]
    values = np.array([[3 * k**-0.5 * d**0.5, 2 * k**0.25 * d**-1.0] for k, d in shapes]).T
    assert exponents(sized, values) == pytest.approx(np.array([[-0.5, 0.5], [0.25, -1.0]]))


def _cell(clusters, dimension):
    return replace(_cluster_cells(CONFIG, 0)[0], world=tp.worlds.features.OrthogonalClusters(clusters, dimension))


def test_training_averages_under_binary_labels_and_decouples_under_cluster_labels(trained):
    """Margins as in the claims; at k = 4, D = 200 with 30 points a cluster."""
    binary, cluster = trained["binary"], trained["cluster"]
    assert binary.end("ratio").mean() < claims.AVERAGED
    for found in (binary, cluster):
        expected = law.share(found.world, found.cell.outputs)
        assert found.end("share").mean() == pytest.approx(expected, rel=0.25)
        late = found.moments >= claims.LATE
        law_of = law.coefficient(found.moments[late], found.cell.outputs)
        assert found.along("own").mean(0)[late] == pytest.approx(law_of, rel=claims.GROWTH_MARGIN)
    assert binary.median("theory").mean() == pytest.approx(law.averaged_radius(binary.world), rel=0.1)
    assert cluster.median("theory").mean() == pytest.approx(law.decoupled_median(cluster.world), rel=0.1)
    assert np.median(cluster.smallest()) / np.median(binary.smallest()) == pytest.approx(np.sqrt(2), rel=0.15)


def test_no_attack_does_with_less_than_the_certificate(trained):
    for found in trained.values():
        for merge, attack in found.attacks:
            if merge == "max":
                assert np.all(found.radii(attack) >= found.radii("certificate") * (1 - 1e-4))


def test_tables_against_plain_loops(trained):
    evidence = Evidence(tuple(trained.values()), {}, "none")
    frames = {table.name: table.frame for table in tables(evidence)}
    rows = frames["robust-accuracy"].filter((pl.col("labels") == "binary labels") & (pl.col("series") == "PGD"))
    radii = trained["binary"].table.filter(pl.col("attack") == "PGD")
    for row in rows.iter_rows(named=True):
        shares = [
            np.mean([r > row["radius"] for r in radii.filter(pl.col("replicate") == i)["radius"]]) for i in range(3)
        ]
        assert (row["accuracy"], row["low"], row["high"]) == pytest.approx((np.mean(shares), min(shares), max(shares)))
    assert frames["cosines"].filter(pl.col("labels") == "cluster labels").height == 4 * 4 * 4
    assert frames["radii"]["labels"].to_list() == ["binary labels", "cluster labels", "cluster labels, summed"]


def test_images_are_grouped_in_halves_and_judged_in_proportion():
    config = replace(CONFIG, points=30, seeds=2, image_time=30.0)
    measured = {c.supervision: Measured(images.train_on_images(c, Cell(Path()))) for c in _image_cells(config, 3)}
    assert {len(c.world(i).positive) for c in _image_cells(config, 3) for i in range(2)} == {5}
    assert _image_cells(config, 3)[0].world(0) == _image_cells(config, 3)[1].world(0)
    for found in measured.values():
        assert found.end("accuracy").mean() > 0.8
        assert found.smallest().shape == (2, 30)
    claim = claims.images(Evidence((), measured, "digits"))
    fine, coarse = (np.median(measured[kind].smallest(), axis=1) for kind in ("cluster", "binary"))
    assert claim.measured == pytest.approx(np.exp(np.log(fine / coarse).mean()))
    swapped = {"cluster": measured["binary"], "binary": measured["cluster"]}
    assert claims.images(Evidence((), swapped, "digits")).measured == pytest.approx(1 / claim.measured)


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_name_every_cell(preset):
    config = PRESETS[preset]
    rows = plan(config)
    assert sum(row.cells for row in rows) == 2 * len(config.sizes()) + 2
    assert all(row.seconds > 0 and row.memory > 0 and row.flops > 0 for row in rows)
    assert len(set(config.sizes())) == len(config.sizes())


def test_without_images_there_are_none():
    assert len(plan(replace(CONFIG, images="none"))) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"clusters": (4, 256)},
        {"clusters": (3, 4)},
        {"clusters": (4,)},
        {"clusters": (4, 4)},
        {"clusters": (0, 4)},
        {"dimensions": (200,)},
        {"dimensions": (200, 2)},
        {"reference_clusters": 16},
        {"reference_clusters": 2},
        {"reference_dimension": 100},
        {"samples": 4},
        {"neurons": 0},
        {"time": 1.0},
        {"step": 2.5},
        {"initial": 0.0},
        {"seeds": 1},
        {"points": 5},
        {"images": "faces"},
        {"image_time": float("nan")},
    ],
)
def test_bad_settings(change):
    with pytest.raises(InputError, match=r"`\w+` must be .*, got .*; "):
        replace(CONFIG, **change)


def test_a_missing_data_set_is_noticed_before_anything_is_trained(tmp_path):
    with pytest.raises(InputError, match=r"mnist"):
        tp.studies.run(
            "feature-averaging", "tiny", tmp_path / "run", progress="none", images="mnist", folder=str(tmp_path / "no")
        )
    assert not list((tmp_path / "run").glob("cells/*"))


@pytest.mark.slow
def test_a_run_that_lost_a_cell_ends_as_it_was(tmp_path):
    config = replace(CONFIG, clusters=(2, 4), points=20, seeds=2, time=20.0, images="none")

    def findings():
        with Lab(tmp_path / "run", seed=3, device="cpu", workers=1, progress="none") as lab:
            return run(config, lab)

    first = findings()
    stored = {path: path.read_bytes() for path in (tmp_path / "run").glob("cells/*/metrics.parquet")}
    assert len(stored) == 6
    next(iter(stored)).unlink()
    again = findings()
    assert again.claims == first.claims
    assert len(again.claims) == 16
    assert again.charts == first.charts
    assert {path: path.read_bytes() for path in stored} == stored
