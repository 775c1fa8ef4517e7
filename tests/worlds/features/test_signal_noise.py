"""The signal-noise world: directions and their angles, what patches hold, shares of groups, samples that can be named."""

from dataclasses import replace

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.features import CommonRare, PerClass, SignalNoise, Signed, StrongWeak, Xor

KINDS = (Signed(3.0), PerClass(2.0), Xor(3.0, 0.4), CommonRare(2.0, 1.5, 0.2, 0.5), StrongWeak(3.0, 1.0, 0.3))


def world(features, **changes):
    return SignalNoise(features, **({"dimension": 40, "patches": 4, "seed": 5} | changes))


@pytest.mark.parametrize("features", KINDS)
@pytest.mark.parametrize("slots", ["first", "random", "apart"])
@pytest.mark.parametrize("noise_on", ["empty", "all"])
def test_a_patch_is_a_feature_of_its_group_or_noise_across_all(features, slots, noise_on):
    """Point by point, from the group's own words: nothing else is in the data."""
    made = world(features, slots=slots, noise_on=noise_on, noise=0.7)
    sample, basis = made.sample(60), made.basis
    along = sample.x @ basis.T.astype(np.float32) @ basis.astype(np.float32)
    for i, group in enumerate(sample.group):
        parts = {int(sample.slot[i, part.kind]): part for part in features.groups[group].parts}
        assert len(parts) == len(features.groups[group].parts), "each in a patch of its own"
        assert (sample.slot[i] >= 0).sum() == len(parts)
        assert sample.clean[i] == features.groups[group].label
        for p in range(4):
            feature = parts[p].amount * made.directions[parts[p].direction] if p in parts else np.zeros(40)
            assert along[i, p] == pytest.approx(feature, abs=1e-5)
            assert sample.noisy[i, p] == (noise_on == "all" or p not in parts)
            assert (np.abs(sample.x[i, p] - along[i, p]).max() > 1e-3) == sample.noisy[i, p]


def test_directions_have_their_norms_and_angles():
    gram = lambda features: world(features).directions @ world(features).directions.T  # noqa: E731
    assert gram(Xor(3.0, 0.4)) == pytest.approx(9 * np.array([[1, 0.4], [0.4, 1]]))
    assert gram(PerClass(2.0)) == pytest.approx(4 * np.eye(2))
    assert gram(CommonRare(2.0, 1.5)) == pytest.approx(np.diag([4, 4, 2.25, 2.25]))
    assert gram(StrongWeak(3.0, 1.0)) == pytest.approx(np.diag([1.0, 9.0]))


def test_noise_is_normal_with_its_deviation_off_the_directions():
    """Mean square of n (d - K) numbers: standard error σ² √(2/(n (d-K)))."""
    made = world(Xor(3.0), noise=0.7, dimension=100)
    noise = made.sample(4000).x[:, 1:].astype(float)
    freedom = noise.size * 98 / 100
    assert np.square(noise).sum() / freedom == pytest.approx(0.49, abs=5 * 0.49 * np.sqrt(2 / freedom))
    assert np.abs(noise @ made.basis.T).max() < 1e-5


def test_groups_have_their_shares():
    shares = [group.share for group in KINDS[3].groups]
    assert sum(shares) == pytest.approx(1)
    counts = np.bincount(world(KINDS[3]).sample(97).group, minlength=len(shares))
    assert np.abs(counts - 97 * np.array(shares)).max() < 1
    chance = np.bincount(world(KINDS[3], balanced=False).sample(10_000).group, minlength=len(shares)) / 10_000
    assert np.abs(chance - shares).max() < 5 * np.sqrt(0.25 / 10_000)
    assert len(set(np.bincount(world(Xor(1.0), balanced=False).sample(40).group))) > 1


def test_flips_are_of_labels_alone():
    flipped = world(Signed(3.0), flips=0.2).sample(10_000)
    assert (flipped.label != flipped.clean).mean() == pytest.approx(0.2, abs=5 * 0.4 / 100)
    assert np.array_equal(flipped.clean, world(Signed(3.0)).sample(10_000).clean)


def test_a_feature_removed_leaves_the_same_directions():
    both = world(KINDS[4])
    weak = both.without("strong")
    assert np.array_equal(both.directions, weak.directions)
    assert (weak.sample(50).slot[:, 1] == -1).all()
    common = world(KINDS[3])
    assert (common.without("common").sample(50).slot[:, :2] == [-1, 0]).all()
    assert (common.without("rare").sample(50).slot[:, 1] == -1).all()
    assert (common.without("leak").sample(50).slot[:, 2] == -1).all()
    for features, feature in ((Signed(1.0), "signal"), (KINDS[4], "weak"), (KINDS[3], "other")):
        with pytest.raises(InputError, match="`feature` must be"):
            world(features).without(feature)


def test_samples_are_named_by_seed_and_stream():
    made = world(Xor(3.0))
    assert np.array_equal(made.sample(20, stream=3).x, world(Xor(3.0)).sample(20, stream=3).x)
    assert not np.array_equal(made.sample(20).x, made.sample(20, stream=1).x)
    assert not np.array_equal(made.sample(20).x, replace(made, seed=6).sample(20).x)
    assert len(made.sample(20)) == 20


@pytest.mark.parametrize(
    ("features", "changes", "name"),
    [
        ("xor", {}, "features"),
        (Signed(1.0), {"dimension": 1}, "dimension"),
        (CommonRare(), {"dimension": 4}, "dimension"),
        (StrongWeak(), {"patches": 1}, "patches"),
        (CommonRare(leak=0.1), {"patches": 2, "slots": "apart"}, "patches"),
        (Signed(1.0), {"noise": float("nan")}, "noise"),
        (Signed(1.0), {"flips": 0.5}, "flips"),
        (Signed(1.0), {"slots": "last"}, "slots"),
        (Signed(1.0), {"noise_on": "none"}, "noise_on"),
    ],
)
def test_bad_worlds(features, changes, name):
    with pytest.raises(InputError, match=rf"`{name}` must be .*, got .*; "):
        world(features, **changes)


def test_bad_features_and_samples():
    for make in (
        lambda: Signed(0.0),
        lambda: Xor(1.0, 1.0),
        lambda: CommonRare(rare=2.0),
        lambda: StrongWeak(weak=-1.0),
    ):
        with pytest.raises(InputError, match="must be"):
            make()
    for arguments in ({"n": 0}, {"n": 3, "stream": -1}):
        with pytest.raises(InputError, match="must be"):
            world(Signed(1.0)).sample(**arguments)
