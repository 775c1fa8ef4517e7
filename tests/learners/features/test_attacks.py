"""Attacks against an established library and against classifiers whose radii are known; the certificate below them all."""

import numpy as np
import pytest
import torch
from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescent
from art.estimators.classification import PyTorchClassifier

from twopart._checks import InputError
from twopart.learners.features import (
    Merge,
    TwoLayer,
    certified_radius,
    fast_gradient,
    gradient,
    projected_gradient,
    radii_by_attack,
    radius_along,
    smallest_radius,
    through_a_leak,
)

POSITIVE = torch.tensor([False, True, True])


def network(B=1, C=3, m=4, D=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return TwoLayer(torch.randn(B, C, m, D, generator=generator), 0.3 * torch.randn(B, C, m, generator=generator))


def points(B=1, n=30, D=7, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, n, D, generator=generator), torch.randint(2, (B, n), generator=generator)


class Scores(torch.nn.Module):
    """The scores of the two classes, as ART wants them."""

    def __init__(self, network, merge):
        super().__init__()
        self.network, self.merge = network, merge

    def forward(self, x):
        F = self.network.outputs(x[None])[0]
        return torch.stack([self.merge._score(F, ~self.merge.positive), self.merge._score(F, self.merge.positive)], 1)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("by", ["max", "sum"])
def test_fgsm_and_pgd_are_those_of_the_adversarial_robustness_toolbox(norm, by):
    merge, (x, label) = Merge(POSITIVE, by), points()
    model = network()
    art = PyTorchClassifier(Scores(model, merge), torch.nn.CrossEntropyLoss(), (7,), 2, device_type="cpu")
    options = {"norm": 2 if norm == "l2" else np.inf, "eps": 0.8, "batch_size": 30}
    margin, radius = merge.of(model, label), torch.full((1, 30), 0.8)
    given = (x[0].numpy(), label[0].numpy())
    fgsm = FastGradientMethod(art, **options).generate(*given)
    assert fast_gradient(margin, x, radius, norm)[0].numpy() == pytest.approx(fgsm, abs=1e-5)
    pgd = ProjectedGradientDescent(art, eps_step=2.5 / 8 * 0.8, max_iter=8, verbose=False, **options).generate(*given)
    assert projected_gradient(margin, x, radius, 8, norm)[0].numpy() == pytest.approx(pgd, abs=1e-4)


def test_a_linear_classifiers_radii_are_distances_to_its_plane():
    """F_1 - F_0 of two neurons that are always on is linear."""
    w, (x, label) = torch.randn(2, 5, generator=torch.Generator().manual_seed(2)), points(D=5)
    model = TwoLayer(w.view(1, 2, 1, 5), torch.full((1, 2, 1), 100.0))
    merge = Merge(torch.tensor([False, True]))
    margin = merge.of(model, label)
    slope = w[1] - w[0]
    distance = (margin(x) / slope.norm()).clamp(min=0)
    for attack in (fast_gradient, projected_gradient):
        assert torch.allclose(smallest_radius(attack, margin, x, 20.0, rounds=16), distance, atol=1e-3)
    towards = -slope * (2 * label - 1)[..., None]
    assert torch.allclose(radius_along(model, merge, x, label, towards, 20.0), distance, atol=1e-4)


def test_no_attack_beats_the_certificate():
    for seed in range(5):
        model, (x, label) = network(B=2, seed=seed), points(B=2, seed=seed + 100)
        merge = Merge(POSITIVE)
        margin, certified = merge.of(model, label), certified_radius(model, merge, x, label)
        found = smallest_radius(projected_gradient, margin, x, 20.0)
        leaky = smallest_radius(through_a_leak(projected_gradient, merge.of(model, label, 0.2)), margin, x, 20.0)
        assert bool((torch.minimum(found, leaky) >= certified * (1 - 1e-5)).all())
        assert bool(((certified > 0) == (margin(x) > 0)).all())


def test_the_certificate_is_exact_for_decoupled_groups():
    """One neuron along each axis: from the point (a, 0, ...) the nearest flip is half way to another axis, a/√2."""
    model = TwoLayer(torch.eye(4).view(1, 4, 1, 4), torch.zeros(1, 4, 1))
    merge = Merge(torch.tensor([False, False, True, True]))
    x, label = 3 * torch.eye(4)[None], torch.tensor([[0, 0, 1, 1]])
    assert certified_radius(model, merge, x, label)[0].tolist() == pytest.approx([3 / np.sqrt(2)] * 4, rel=1e-5)
    sideways = torch.tensor([-1.0, 0.0, 1.0, 0.0]).view(1, 1, 4)
    assert float(radius_along(model, merge, x[:, :1], label[:, :1], sideways, 10.0)) == pytest.approx(3 / np.sqrt(2))


def test_the_crossing_on_a_ray_is_the_first_one():
    """Against a walk in small steps through the network itself."""
    model, (x, label) = network(seed=5), points(seed=6)
    direction = torch.randn(1, 30, 7, generator=torch.Generator().manual_seed(7))
    merge = Merge(POSITIVE)
    found = radius_along(model, merge, x, label, direction, 6.0, grid=600)[0]
    unit = direction / direction.norm(dim=-1, keepdim=True)
    walk = torch.linspace(0, 6, 2401)
    wrong = torch.stack([merge.of(model, label)(x + t * unit)[0] <= 0 for t in walk])
    first = torch.where(wrong.any(0), walk[wrong.int().argmax(0)], torch.inf)
    assert torch.equal(found.isinf(), first.isinf())
    assert torch.allclose(found[~found.isinf()], first[~first.isinf()], atol=3e-3)


def test_points_that_are_wrong_need_nothing_and_points_out_of_reach_stay_right():
    model, (x, label) = network(), points()
    merge = Merge(POSITIVE)
    margin = merge.of(model, label)
    radii = smallest_radius(projected_gradient, margin, x, 1e-6)
    assert bool(((radii == 0) == (margin(x) <= 0)).all())
    assert bool((radii[margin(x) > 1e-3] == torch.inf).all())


def test_a_leak_finds_what_a_dead_relu_hides():
    """F_1 is off at the point and has no gradient: PGD goes to where F_0 is off too, the leaky stand-in to where F_1 is on."""
    model = TwoLayer(torch.tensor([[[[1.0, 0.0]], [[-0.2, 1.0]]]]), torch.zeros(1, 2, 1))
    merge, x, label = Merge(torch.tensor([False, True])), torch.tensor([[[1.0, 0.0]]]), torch.tensor([[0]])
    margin = merge.of(model, label)
    plain = float(smallest_radius(fast_gradient, margin, x, 4.0, 16))
    leaky = through_a_leak(projected_gradient, merge.of(model, label, 0.5))
    assert plain == pytest.approx(1.0, abs=1e-3)
    assert float(smallest_radius(leaky, margin, x, 4.0, 16)) == pytest.approx(1.2 / np.hypot(1.2, 1), abs=1e-2)


def test_all_ways_to_see_a_radius_are_those_that_stand_alone():
    model, (x, label), merge, done = network(), points(), Merge(POSITIVE), []
    found, margin = radii_by_attack(model, merge, x, label, 5.0, 0.2, done.append), merge.of(model, label)
    leaky = through_a_leak(projected_gradient, merge.of(model, label, 0.2))
    tries = [smallest_radius(attack, margin, x, 5.0) for attack in (projected_gradient, leaky)]
    assert torch.equal(found["PGD"], torch.minimum(*tries))
    assert torch.equal(found["certified"], certified_radius(model, merge, x, label))
    assert torch.equal(found["FGSM"], radius_along(model, merge, x, label, -gradient(margin, x), 5.0))
    assert bool((found["PGD"] >= found["certified"] * (1 - 1e-5)).all())
    assert done == pytest.approx(np.arange(1, 23) / 22)


def test_merging_against_plain_loops():
    scores = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(3))
    label = torch.randint(2, (2, 9), generator=torch.Generator().manual_seed(4))
    members = torch.tensor([[[False, True, True]], [[True, True, False]]])
    for by, top in (("max", max), ("sum", sum)):
        margin = Merge(members, by).margin(scores, label)
        for b in range(2):
            for i in range(9):
                classes = [[], []]
                for c in range(3):
                    classes[int(members[b, 0, c])].append(float(scores[b, i, c]))
                right = int(label[b, i])
                assert float(margin[b, i]) == pytest.approx(top(classes[right]) - top(classes[1 - right]), abs=1e-6)


def test_bad_input():
    with pytest.raises(InputError, match="`positive` must be"):
        Merge(torch.tensor([True, True]))
    with pytest.raises(InputError, match="`by` must be"):
        Merge(POSITIVE, "mean")
    model, (x, label) = network(), points()
    with pytest.raises(InputError, match="`by` must be"):
        certified_radius(model, Merge(POSITIVE, "sum"), x, label)
    margin = Merge(POSITIVE).of(model, label)
    with pytest.raises(InputError, match="`norm` must be"):
        fast_gradient(margin, x, torch.ones(1, 30), "l1")
    with pytest.raises(InputError, match="`steps` must be"):
        projected_gradient(margin, x, torch.ones(1, 30), 0)
