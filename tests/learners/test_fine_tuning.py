"""Training from a model's weights on: all of them or low-rank changes, with old sentences strewn in."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.learners.sources import VOCABULARY, ragged, toy
from tests.learners.test_checkpoints import Interrupting, RunEndedError
from twopart._checks import InputError
from twopart.learners import (
    ArrayStream,
    LoRA,
    ReplayStream,
    Trained,
    TrainingConfig,
    Transformer,
    TransformerConfig,
    evaluate,
    load_model,
    train,
)
from twopart.learners.checkpoints import NAME
from twopart.learners.lora import MAPS, merged

CONFIG = TrainingConfig(batch=32, learning_rate=5e-3, checkpoint_every=100)
SHAPE = TransformerConfig(VOCABULARY, 6, layers=2, width=16, heads=2)
STREAM = toy(1000)[0]
BEFORE = Transformer(SHAPE, seed=9)


def tune(adapters: LoRA | None = None, stream: ArrayStream = STREAM, folder: Path | None = None) -> Trained:
    return train(CONFIG, SHAPE, stream, seed=3, start=BEFORE, adapters=adapters, folder=folder)


def same(a: Transformer, b: Transformer) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_a_run_starts_as_the_model_it_is_given() -> None:
    untouched = Transformer(SHAPE, seed=9)
    first = tune().lengths.total[:32]
    np.testing.assert_allclose(first, evaluate(BEFORE, STREAM, batch=32).total[:32], rtol=1e-6)
    assert same(BEFORE, untouched)


def test_starting_from_the_weights_of_a_seed_is_starting_from_the_seed() -> None:
    plain = train(CONFIG, SHAPE, STREAM, seed=9)
    assert same(tune().model, plain.model)


def test_two_halves_of_a_run_need_the_optimisers_memory_too() -> None:
    """The optimiser starts anew: a second run from the first one's end is no continuation of it."""
    tokens, roles = STREAM.batch(0, 1000).tokens, STREAM.batch(0, 1000).roles
    half = [ArrayStream(tokens[part], roles[part]) for part in (slice(0, 512), slice(512, 1000))]
    first = train(CONFIG, SHAPE, half[0], seed=9).model
    second = train(CONFIG, SHAPE, half[1], seed=9, start=first)
    whole = train(CONFIG, SHAPE, STREAM, seed=9)
    np.testing.assert_allclose(second.lengths.total[:32], whole.lengths.total[512:544], rtol=1e-5)
    assert not same(second.model, whole.model)


def test_adapters_change_nothing_before_they_learn() -> None:
    model = Transformer(SHAPE, seed=9)
    LoRA(rank=2).attach(model, seed=1)
    assert sum(w.numel() for w in model.parameters() if w.requires_grad) == 2 * 2 * (
        (16 + 48) + (16 + 16) + (16 + 2 * SHAPE.inner) + (SHAPE.inner + 16)
    )
    assert same(merged(model), BEFORE)
    assert all(weight.requires_grad for weight in merged(model).parameters())


@pytest.mark.parametrize("rank", [1, 3])
def test_adapters_change_maps_by_their_rank_and_nothing_else(rank: int) -> None:
    tuned = tune(LoRA(rank))
    assert tuned.lengths.total[-200:].mean() < tuned.lengths.total[:200].mean() - 0.1
    changes = {name: (tuned.model.get_parameter(name) - weight).detach() for name, weight in BEFORE.named_parameters()}
    for name, change in changes.items():
        if name.endswith(MAPS):
            sizes = torch.linalg.svdvals(change.double())
            assert sizes[rank - 1] > 1e-3
            assert sizes[rank] < 1e-6
        else:
            assert not change.any()


def test_a_step_of_the_adapters_is_that_of_the_written_out_formula() -> None:
    """One step of gradient descent on A and B of W + (scale/rank) A B, by the chain rule from merged ones."""
    from twopart.learners.losses import sentence_bits, to_tensors

    model = Transformer(SHAPE, seed=9)
    LoRA(rank=2, scale=6.0).attach(model, seed=1)
    for block in model.blocks:
        for name in MAPS:
            torch.nn.init.normal_(block.parametrizations[name][0].right, std=0.1)
    batch = to_tensors(STREAM.batch(0, 32), model)
    sentence_bits(model, *batch)[0].backward()
    plain = Transformer(SHAPE, seed=9)
    with torch.no_grad():
        for mine, theirs in zip(plain.blocks, model.blocks, strict=True):
            for name in MAPS:
                change = theirs.parametrizations[name][0]
                getattr(mine, name).copy_(getattr(mine, name) + 3.0 * change.left @ change.right)
    sentence_bits(plain, *batch)[0].backward()
    for mine, theirs in zip(plain.blocks, model.blocks, strict=True):
        for name in MAPS:
            change, gradient = theirs.parametrizations[name][0], getattr(mine, name).grad
            torch.testing.assert_close(change.left.grad, 3.0 * gradient @ change.right.detach().t())
            torch.testing.assert_close(change.right.grad, 3.0 * change.left.detach().t() @ gradient)


@pytest.mark.parametrize("adapters", [None, LoRA(2)])
def test_an_interrupted_run_ends_with_the_same_bytes(adapters: LoRA | None, tmp_path: Path) -> None:
    undisturbed = tune(adapters, folder=tmp_path / "whole")
    with pytest.raises(RunEndedError):
        tune(adapters, Interrupting(STREAM, 500), tmp_path / "cut")
    again = tune(adapters, folder=tmp_path / "cut")
    assert same(again.model, undisturbed.model)
    assert (tmp_path / "cut" / NAME).read_bytes() == (tmp_path / "whole" / NAME).read_bytes()


def test_snapshots_of_a_run_with_adapters_are_plain_models(tmp_path: Path) -> None:
    tuned = train(CONFIG, SHAPE, STREAM, seed=3, start=BEFORE, adapters=LoRA(2), folder=tmp_path, snapshots=(320, 1000))
    assert same(tuned.snapshots[1000], tuned.model)
    assert same(load_model(tmp_path / "snapshot-1000"), tuned.model)
    assert not same(tuned.snapshots[320], tuned.model)


def test_a_checkpoint_of_another_start_is_refused(tmp_path: Path) -> None:
    tune(folder=tmp_path)
    with pytest.raises(InputError, match=r"start: .* there, None here"):
        train(CONFIG, SHAPE, STREAM, seed=3, folder=tmp_path)
    with pytest.raises(InputError, match=r"start: .* there, .* here"):
        train(CONFIG, SHAPE, STREAM, seed=3, folder=tmp_path, start=Transformer(SHAPE, seed=8))
    with pytest.raises(InputError, match="adapters: None there, LoRA"):
        tune(LoRA(), folder=tmp_path)
    with pytest.raises(InputError, match="`start` must be of shape"):
        train(CONFIG, replace(SHAPE, width=32), STREAM, start=BEFORE)


@pytest.mark.parametrize("bad", [{"rank": 0}, {"rank": 1.5}, {"scale": 0.0}])
def test_bad_adapters(bad: dict) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        LoRA(**bad)


@given(st.integers(1, 60), st.integers(0, 20), st.integers(0, 60), st.integers(0, 60))
def test_replay_is_strewn_in_evenly(sentences: int, twentieths: int, start: int, stop: int) -> None:
    """Against a loop in exact fractions; 1/32 is a share that floats hold."""
    exact = Fraction(twentieths, 32)
    rows = {name: np.arange(60)[:, None] + offset for name, offset in (("new", 100), ("old", 200))}
    streams = {name: ArrayStream(np.hstack([row, row, row]), np.array([3, 0, 2])) for name, row in rows.items()}
    mixed = ReplayStream(streams["new"], streams["old"], float(exact), sentences)
    expected, new, old = [], 0, 0
    for i in range(sentences):
        if floor((i + 1) * exact) > floor(i * exact):
            expected.append(200 + old)
            old += 1
        else:
            expected.append(100 + new)
            new += 1
    start, stop = min(start, sentences - 1), min(max(stop, start + 1), sentences)
    assert len(mixed) == sentences
    assert mixed.batch(start, stop).tokens[:, 1].tolist() == expected[start:stop]


def test_sentences_of_different_lengths_and_weights_mix() -> None:
    long, short = ragged(40), ArrayStream(np.ones((40, 3), int), np.array([3, 0, 2]), np.full(40, 0.5))
    batch = ReplayStream(long, short, 0.5, 60).batch(10, 20)
    assert batch.tokens.shape == batch.roles.shape == (10, long.batch(5, 10).tokens.shape[1])
    assert batch.weights is not None
    assert batch.weights.tolist() == [1.0, 0.5] * 5
    assert (batch.roles[1::2, 3:] == 3).all()
    np.testing.assert_array_equal(batch.tokens[::2], long.batch(5, 10).tokens)


@pytest.mark.parametrize(
    ("share", "sentences", "said"),
    [(1.5, 10, "share"), (0.5, 0, "sentences"), (0.1, 50, r"len\(new\)"), (0.9, 50, r"len\(replay\)")],
)
def test_mixtures_that_cannot_be(share: float, sentences: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        ReplayStream(ragged(40), ragged(40), share, sentences)
