"""Feature averaging: judges on rows whose verdict is known, cells on networks made by hand, tables against plain loops."""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import polars as pl
import pytest
import torch
from scipy.special import ndtri

from twopart._checks import InputError
from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws.features import feature_averaging as law
from twopart.learners.features import TwoLayer
from twopart.studies.features import feature_averaging as study
from twopart.studies.features import feature_averaging_cells as torch_cells
from twopart.studies.features.feature_averaging import ATTACKS, CERTIFIED, PRESETS, SUMMED, THEORY, Clusters, Pictures
from twopart.worlds.features import OrthogonalClusters

NETWORKS = study.Networks(neurons=4, seeds=3, points=60)
SIZES = [(4, 200), (2, 200), (8, 200), (4, 128)]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def case(labels="binary", k=4, dimension=200, attacked=True):
    return Clusters(labels, 60.0, NETWORKS, OrthogonalClusters(k, dimension, seed=4), 30, attacked)


def planted(case, **factors):
    """Rows as the law has them, but for `factors`, which spoil columns."""
    return Rows(case, lawful(case).with_columns(pl.col(name) * by for name, by in factors.items()))


@cache
def lawful(case):
    """Replicates are 1 % apart, points normal about the median."""
    times, rows = np.geomspace(0.5, 60, 20), []
    spread = ndtri((np.arange(NETWORKS.points) + 0.5) / NETWORKS.points)
    radii = dict.fromkeys((*ATTACKS, CERTIFIED), case.radius)
    radii |= (
        {CERTIFIED: case.radius / (1 + case.share)}
        if case.labels == "binary"
        else {SUMMED: law.summed_radius(case.world, case.share)}
    )
    end = {"ratio": 1.05, "cosine": 1 / case.stretch, "share": case.share, "accuracy": 1.0}
    for i, near in enumerate((0.99, 1.0, 1.01)):
        own = law.coefficient(times, case.outputs) * near
        rows.append(pl.DataFrame({"axis": "time", "replicate": i, "time": times, "own": own}))
        rows.append(pl.DataFrame({"axis": "end", "replicate": i, **end}))
        points = {attack: radius * near + spread for attack, radius in radii.items()}
        rows += [pl.DataFrame({"axis": "radius", "replicate": i, "attack": a, "radius": r}) for a, r in points.items()]
    return pl.concat(rows, how="diagonal_relaxed")


@pytest.mark.parametrize(
    ("claim", "labels", "wrong"),
    [
        (study.coefficients_equal, "binary", {"ratio": 1.3}),
        (study.coefficients_grow, "binary", {"own": 1.3}),
        (study.share, "binary", {"share": 0.7}),
        (study.share, "cluster", {"share": 0.7}),
        (study.direction, "binary", {"cosine": 0.97}),
        (study.clean, "binary", {"accuracy": 0.98}),
        (study.theory_radius, "binary", {"radius": 1.3}),
        (study.robust_curve, "binary", {"radius": 1.3}),
        (study.least_radius, "binary", {"radius": 0.8}),
        (study.certificate, "binary", {"radius": 0.8}),
        (study.decoupled, "cluster", {"radius": 0.8}),
        (study.decoupled_certificate, "cluster", {"radius": 0.8}),
        (study.summed, "cluster", {"radius": 1.3}),
    ],
)
def test_what_the_law_says_holds_and_what_it_denies_fails(claim, labels, wrong):
    assert claim(planted(case(labels))).verdict == "holds"
    assert claim(planted(case(labels), **wrong)).verdict == "fails"


def sizes(labels, power=0.0, of="k"):
    """All sizes, radii off by a power of one of them."""
    return [planted(case(labels, k, D), radius=({"k": k, "D": D}[of]) ** power) for k, D in SIZES]


def test_wrong_exponents_fail():
    for letter, expected in (("k", -0.5), ("D", 0.5)):
        assert study.radius_exponent(sizes("binary"), letter).verdict == "holds"
        steeper = study.radius_exponent(sizes("binary", 0.2, of=letter), letter)
        assert (steeper.verdict, steeper.predicted) == ("fails", expected)
        assert steeper.measured == pytest.approx(expected + 0.2, abs=0.01)
    assert study.gain(sizes("cluster"), sizes("binary")).verdict == "holds"
    assert study.gain(sizes("cluster", -0.2), sizes("binary")).verdict == "fails"


def test_exponents_of_a_power_law_are_found():
    sized = [Rows(case("binary", k, D), pl.DataFrame()) for k, D in SIZES]
    values = np.array([[3 * k**-0.5 * D**0.5, 2 * k**0.25 * D**-1.0] for k, D in SIZES]).T
    assert study.exponents(sized, values) == pytest.approx(np.array([[-0.5, 0.5], [0.25, -1.0]]))


def images(labels, factor):
    frames = [
        pl.DataFrame({"axis": "radius", "replicate": i, "attack": attack, "radius": factor * (1 + i + np.arange(9.0))})
        for i, attack in product(range(3), ATTACKS[1:])
    ]
    return Rows(Pictures(labels, 20.0, NETWORKS, "digits", "", 0), pl.concat(frames))


def test_images_are_judged_in_proportion():
    holds = study.images(images("cluster", 1.5), images("binary", 1.0))
    assert (holds.verdict, holds.measured) == ("holds", pytest.approx(1.5))
    assert study.images(images("cluster", 1.0), images("binary", 1.5)).verdict == "fails"
    assert holds.statement.startswith("digits: ")


def by_hand(case, path, decoupled=False):
    """Weights as the law has them, or each of two neurons along a single centre."""
    centres = torch.stack([torch.from_numpy(world.centres.astype(np.float32)) for world in case.worlds])
    own = torch.from_numpy(case.own.astype(np.float32))
    signs = (own - case.share * (1 - own))[:, None].expand(-1, 2, -1)
    if decoupled:
        signs = torch.stack([own * (torch.cumsum(own, 1) == i) for i in (1, 2)], 1)
    weights = 5 / case.world.dimension * (signs @ centres[:, None])
    network = TwoLayer(weights, torch.zeros(weights.shape[:3]))
    test = [world.sample(NETWORKS.points, stream=1) for world in case.worlds]
    bench = torch_cells.Bench(case, Cell(path), case.worlds, [world.sample(120) for world in case.worlds], test)
    rows = pl.concat(torch_cells.examined(bench, network, case), how="diagonal")
    return Rows(case, rows), network, test


def test_networks_as_the_law_has_them_are_recognised(tmp_path):
    binary, cluster = (by_hand(case(labels, attacked=False), tmp_path)[0] for labels in study.LABELS)
    learned = study.coefficients_equal, study.share, study.direction, study.clean
    for claim in (*learned, study.theory_radius, study.certificate):
        assert claim(binary).verdict == "holds", claim(binary)
    for claim in (study.share, study.decoupled_certificate, study.summed):
        assert claim(cluster).verdict == "holds", claim(cluster)


def test_a_network_that_does_not_average_is_seen(tmp_path):
    found = by_hand(case(attacked=False), tmp_path, decoupled=True)[0]
    assert study.coefficients_equal(found).verdict == "inconclusive", "a coefficient is 0: there is no ratio"
    assert study.direction(found).verdict == study.share(found).verdict == "fails"


@pytest.mark.parametrize("labels", study.LABELS)
def test_radii_against_points_moved_one_by_one(labels, tmp_path):
    """Just before the radius a point is right along every direction that theory names, just after it wrong along one."""
    of = case(labels, attacked=False)
    rows, network, test = by_hand(of, tmp_path)
    weights, centres, positive = network.weights[1].numpy().astype(float), of.worlds[1].centres, of.world.is_positive
    for attack in (THEORY,) if labels == "binary" else (THEORY, SUMMED):
        radii = rows.array("radius", attack=attack)[1]
        for x, cluster, radius in zip(test[1].x[:9], test[1].cluster, radii, strict=False):
            mine = positive == positive[cluster]
            if labels == "binary":
                ways = [centres[~mine].sum(0) - centres[mine].sum(0)]
            elif attack == THEORY:
                ways = [centre - centres[cluster] for centre in centres[~mine]]
            else:
                ways = [centres[~mine].sum(0) - centres[cluster]]

            def margin(x, mine=mine, label=positive[cluster], by=sum if attack == SUMMED else max):
                outputs = np.maximum(weights @ x, 0).mean(1)
                of_class = np.array([not label, label]) if labels == "binary" else mine
                return by(outputs[of_class]) - by(outputs[~of_class])

            before, after = (
                [margin(x + r * w / np.linalg.norm(w)) for w in ways] for r in (0.999 * radius, 1.001 * radius)
            )
            assert min(before) > 0 >= min(after)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Both reference cells of a small run."""
    cell = Cell(tmp_path_factory.mktemp("cell"))
    return {labels: Rows(case(labels), torch_cells.train_on_clusters(case(labels), cell)) for labels in study.LABELS}


def test_training_averages_under_binary_labels_and_decouples_under_cluster_labels(trained):
    """Margins as in the claims; at k = 4, D = 200 with 30 points a cluster."""
    binary, cluster = trained["binary"], trained["cluster"]
    assert binary.array("ratio", axis="end").mean() < 1.2
    for found in (binary, cluster):
        assert found.array("share", axis="end").mean() == pytest.approx(found.case.share, rel=0.25)
        late = study.moments(found) >= study.LATE
        expected = law.coefficient(study.moments(found)[late], found.case.outputs)
        assert found.array("own", axis="time").mean(0)[late] == pytest.approx(expected, rel=0.1)
        assert study.medians(found).mean() == pytest.approx(found.case.radius, rel=0.1)
    assert study.least_radius(binary).verdict == study.decoupled(cluster).verdict == "holds"
    assert np.median(study.smallest(cluster)) / np.median(study.smallest(binary)) == pytest.approx(np.sqrt(2), rel=0.15)


def test_no_attack_does_with_less_than_the_certificate(trained):
    for found in trained.values():
        for attack in ATTACKS:
            assert np.all(found.array("radius", attack=attack) >= found.array("radius", attack=CERTIFIED) * (1 - 1e-4))


def test_tables_against_plain_loops(trained):
    found = Found(None, tuple(trained.values()))
    frames = {table.name: table.frame for table in study.tables(found)}
    rows = frames["robust-accuracy"].filter(labels="binary labels", series="PGD")
    radii = [trained["binary"].where(attack="PGD", replicate=i)["radius"].to_list() for i in range(3)]
    for row in rows.iter_rows(named=True):
        shares = [sum(r > row["radius"] for r in of_one) / len(of_one) for of_one in radii]
        assert (row["accuracy"], row["low"], row["high"]) == pytest.approx((np.mean(shares), min(shares), max(shares)))
    assert frames["cosines"].filter(labels="cluster labels").height == 4 * 4 * 4
    named = frames["radii"].select("labels", "series").rows()
    assert [labels for labels, series in named if series == "law"] == [
        "binary labels",
        "cluster labels",
        "cluster labels, summed",
    ]
    measured = frames["radii"].row(1, named=True)
    medians = [np.median(trained["binary"].where(attack=THEORY, replicate=i)["radius"]) for i in range(3)]
    assert (measured["radius"], measured["low"], measured["high"]) == pytest.approx(
        (np.mean(medians), min(medians), max(medians))
    )


def test_images_are_grouped_in_halves(tmp_path):
    networks = replace(NETWORKS, seeds=2, points=20)
    coarse, fine = (Pictures(labels, 20.0, networks, "digits", "", 3) for labels in study.LABELS)
    assert {len(fine.world(i).positive) for i in range(2)} == {5}
    assert fine.world(0) == coarse.world(0) != coarse.world(1)
    found = Rows(fine, torch_cells.train_on_images(fine, Cell(tmp_path)))
    assert found.array("accuracy", axis="end").mean() > 0.8
    assert study.smallest(found, ATTACKS[1:]).shape == (2, 20)


def test_the_reference_comes_first_and_every_size_once():
    for config in PRESETS.values():
        cases = [work.case for work in study.cells(config, 0) if work.function == "train_on_clusters"]
        assert [c.attacked for c in cases if c.labels == "binary"] == [True] + [False] * (len(config.sizes) - 1)
        assert len(set(config.sizes)) == len(config.sizes)
    assert len(PRESETS["full"].sizes) == 6 * 5


def test_what_cannot_be_run_is_told_before_anything_is(tmp_path):
    with pytest.raises(InputError, match=r"mnist"):
        list(study.cells(replace(PRESETS["tiny"], images="mnist", folder=str(tmp_path)), 0))
    with pytest.raises(InputError, match=r"`clusters` must be at most 64, the least dimension, got .*; "):
        replace(PRESETS["tiny"], clusters=(2, 4, 128))
    assert {w.function for w in study.cells(replace(PRESETS["tiny"], images="none"), 0)} == {"train_on_clusters"}
