"""Models kept on the way of a run, and sentences that count more than others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.learners.sources import ragged
from twopart._checks import InputError
from twopart.learners import (
    ArrayStream,
    Batch,
    Linear,
    Progress,
    TrainingConfig,
    Transformer,
    TransformerConfig,
    evaluate,
    load_model,
    train,
)
from twopart.learners.losses import sentence_bits, to_tensors
from twopart.roles import Role

SHAPE = TransformerConfig(20, 6, layers=1, width=16, heads=2)
CONFIG = TrainingConfig(batch=16, learning_rate=1e-2)


def same(a: Transformer, b: Transformer) -> bool:
    pairs = zip(a.state_dict().items(), b.state_dict().items(), strict=True)
    return all(i == j and torch.equal(x, y) for (i, x), (j, y) in pairs)


def test_a_snapshot_is_the_model_of_the_shorter_run(tmp_path: Path) -> None:
    """With a constant rate a prefix of a run is a run."""
    stream = ragged(96)
    trained = train(CONFIG, SHAPE, stream, folder=tmp_path, snapshots=(96, 20, 48))
    assert list(trained.snapshots) == [20, 48, 96]
    first = stream.batch(0, 48)
    shorter = train(CONFIG, SHAPE, ArrayStream(first.tokens, first.roles))
    assert same(trained.snapshots[48], shorter.model)
    assert same(trained.snapshots[96], trained.model)
    assert same(load_model(tmp_path / "snapshot-20"), trained.snapshots[20])
    wider = stream.batch(0, 32)  # 20 is rounded up to a whole update
    assert same(trained.snapshots[20], train(CONFIG, SHAPE, ArrayStream(wider.tokens, wider.roles)).model)


class KilledError(Exception):
    pass


def test_snapshots_outlive_an_interruption(tmp_path: Path) -> None:
    stream, config = ragged(400), TrainingConfig(batch=16, learning_rate=1e-2, schedule=Linear(5), checkpoint_every=64)
    whole = train(config, SHAPE, stream, folder=tmp_path / "whole", snapshots=(50, 200, 400))
    seen = []

    def kill(state: Progress) -> None:
        seen.append(state.done)
        if state.done >= 150:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twopart.learners.training.REPORT_SECONDS", 0.0)
        with pytest.raises(KilledError):
            train(config, SHAPE, stream, folder=tmp_path / "cut", snapshots=(50, 200, 400), on_progress=kill)
    again = train(config, SHAPE, stream, folder=tmp_path / "cut", snapshots=(50, 200, 400))
    assert all(same(again.snapshots[n], whole.snapshots[n]) for n in (50, 200, 400))
    with pytest.raises(InputError, match="no snapshot at 100"):
        train(config, SHAPE, stream, folder=tmp_path / "cut", snapshots=(100,))


def test_bad_snapshots(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        train(CONFIG, SHAPE, ragged(32), snapshots=(16,))
    with pytest.raises(InputError, match="snapshots"):
        train(CONFIG, SHAPE, ragged(32), folder=tmp_path, snapshots=(33,))


def test_weights_are_repetitions() -> None:
    """A sentence of weight 2 pulls like two of weight 1."""
    plain = ragged(6).batch(0, 6)
    doubled = np.array([1, 2, 1, 3, 1, 1], np.float32)
    repeated = np.repeat(np.arange(6), doubled.astype(int))
    gradients = []
    for batch in (
        Batch(plain.tokens, plain.roles, doubled),
        Batch(plain.tokens[repeated], plain.roles[repeated]),
    ):
        model = Transformer(SHAPE, seed=3)
        objective, _ = sentence_bits(model, *to_tensors(batch, model))
        torch.autograd.backward(objective * float((batch.roles[:, 1:] != Role.PADDING).sum()))
        gradients.append([w.grad.clone() for w in model.parameters() if w.grad is not None])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_weights_change_what_is_learned_but_not_what_is_recorded() -> None:
    stream = ragged(64)
    batch = stream.batch(0, 64)
    heavy = ArrayStream(batch.tokens, batch.roles, np.full(64, 3.0))
    model = Transformer(SHAPE)
    np.testing.assert_array_equal(evaluate(model, heavy).total, evaluate(model, stream).total)
    ones = ArrayStream(batch.tokens, batch.roles, np.ones(64))
    assert same(train(CONFIG, SHAPE, ones).model, train(CONFIG, SHAPE, stream).model)


@pytest.mark.parametrize("weights", [np.ones(3), np.array([1.0, -1.0]), np.array([1.0, np.nan]), np.zeros(2)])
def test_bad_weights(weights: np.ndarray) -> None:
    with pytest.raises(InputError, match="weights"):
        ArrayStream(np.ones((2, 3), np.int64), np.zeros(3, np.uint8), weights)
