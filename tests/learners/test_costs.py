"""Estimates: arithmetic by hand, memory against what a run really holds."""

from __future__ import annotations

import pytest

from twopart._checks import InputError
from twopart.learners import TrainingConfig, TransformerConfig, estimate, peak_flops


def test_flops_are_those_of_all_positions() -> None:
    model = TransformerConfig(300, 7)
    cost = estimate(TrainingConfig(), model, 1000, 8)
    assert cost.flops == 1000 * 7 * model.flops_per_token
    assert cost.seconds > cost.flops / peak_flops() / 2  # the peak is that of all threads


def test_memory_holds_at_least_weights_gradients_moments_and_lengths() -> None:
    model = TransformerConfig(300, 7)
    assert estimate(TrainingConfig(), model, 1000, 8).memory > 16 * model.parameters + 12 * 1000
    longer = estimate(TrainingConfig(), model, 2_001_000, 8).memory - estimate(TrainingConfig(), model, 1000, 8).memory
    assert longer == pytest.approx(36 * 2_000_000)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="`sentences`"):
        estimate(TrainingConfig(), TransformerConfig(300, 7), 0, 8)
    with pytest.raises(InputError, match="`tokens_per_sentence`"):
        estimate(TrainingConfig(), TransformerConfig(300, 7), 10, 1)
