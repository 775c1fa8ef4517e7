"""Learning rates against values worked out by hand."""

from __future__ import annotations

import pytest

from twopart._checks import InputError
from twopart.learners import Constant, Cosine, InverseRoot, Linear, Schedule, WarmupStableDecay


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (Constant(warmup=3), [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        (Constant(warmup=0), [1] * 8),
        (InverseRoot(warmup=1, hold=2), [0.5, 1, 1, 0.816497, 0.707107, 0.632456, 0.577350, 0.534522]),
        (Linear(warmup=0, final=0.2), [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]),
        (Linear(warmup=4, final=0.2), [0.2, 0.4, 0.6, 0.8, 1, 0.8, 0.6, 0.4]),
        (Cosine(warmup=1, final=0.5), [0.5, 1, 0.975242, 0.905872, 0.805630, 0.694370, 0.594128, 0.524758]),
        (WarmupStableDecay(warmup=0, decay=0.5, final=0.2), [1, 1, 1, 1, 1, 0.8, 0.6, 0.4]),
        (WarmupStableDecay(warmup=4, decay=1.0, final=0.2), [0.2, 0.4, 0.6, 0.8, 1, 0.8, 0.6, 0.4]),
    ],
)
def test_eight_updates(schedule: Schedule, factors: list[float]) -> None:
    assert [schedule.factor(step, 8) for step in range(8)] == pytest.approx(factors, abs=1e-6)


@pytest.mark.parametrize("schedule", [Constant(9), Linear(9), Cosine(9), WarmupStableDecay(9)])
def test_a_run_shorter_than_its_warm_up_only_rises(schedule: Schedule) -> None:
    assert [schedule.factor(step, 3) for step in range(3)] == pytest.approx([0.1, 0.2, 0.3])


def test_bad_values_are_refused() -> None:
    with pytest.raises(InputError, match="`warmup` must be a whole number >= 0, got -1"):
        Constant(-1)
    for kind in (Linear, Cosine, WarmupStableDecay):
        with pytest.raises(InputError, match=r"`final` must be a number in \(0, 1\], got 0"):
            kind(final=0)
    with pytest.raises(InputError, match="`hold` must be a whole number >= `warmup`, got 3"):
        InverseRoot(9, 3)
    with pytest.raises(InputError, match="`decay`"):
        WarmupStableDecay(decay=1.5)
