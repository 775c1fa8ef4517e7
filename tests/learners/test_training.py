"""Training against Hugging Face's model in a plain loop, and against sources whose entropy is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.learners.sources import VOCABULARY, ragged, toy
from twopart._checks import InputError
from twopart.learners import (
    ArrayStream,
    Cosine,
    Linear,
    Progress,
    TokenStream,
    Trained,
    TrainingConfig,
    Transformer,
    TransformerConfig,
    evaluate,
    save_model,
    train,
)
from twopart.roles import ROLES, CodeLengths

SHAPE = TransformerConfig(20, 6, layers=2, width=16, heads=2)
SHORT = TrainingConfig(batch=16, learning_rate=1e-2, schedule=Linear(warmup=5, final=0.1), weight_decay=0.1)


def plain_loop(config: TrainingConfig, stream: TokenStream, folder: Path, seed: int) -> tuple[np.ndarray, Any]:
    """The same run, slowly: Hugging Face's model in float64, PyTorch's plain AdamW, one sentence's bits after another."""
    from transformers import LlamaForCausalLM

    save_model(Transformer(SHAPE, seed), folder)
    model = LlamaForCausalLM.from_pretrained(folder).double()
    matrices = [w for w in model.parameters() if w.ndim > 1]
    gains = [w for w in model.parameters() if w.ndim == 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": gains, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=(config.first_decay, config.second_decay), foreach=False)
    total, bits = len(stream), np.zeros((len(stream), 3))
    steps = math.ceil(total / config.batch)
    for step, start in enumerate(range(0, total, config.batch)):
        batch = stream.batch(start, min(total, start + config.batch))
        tokens, roles = torch.from_numpy(batch.tokens), batch.roles
        logs = model(tokens[:, :-1]).logits.log_softmax(-1)
        scored = []
        for b, t in np.argwhere(roles[:, 1:] < 3):
            nats = -logs[b, t, tokens[b, t + 1]]
            bits[start + b, roles[b, t + 1]] += nats.item() / math.log(2)
            scored.append(nats)
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * config.schedule.factor(step, steps)
        optimiser.zero_grad()
        torch.stack(scored).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip, foreach=False)
        optimiser.step()
    return bits, model


@pytest.mark.parametrize("clip", [0.3, math.inf])
def test_lengths_and_weights_are_those_of_a_plain_loop(clip: float, tmp_path: Path) -> None:
    """Twenty updates: forward pass, roles, gradients, clipping, schedule, weight decay and AdamW, all at once."""
    config = TrainingConfig(
        batch=16, learning_rate=3e-3, schedule=Cosine(5, 0.1), weight_decay=0.1, second_decay=0.95, clip=clip
    )
    stream = ragged(310)
    ours = train(config, SHAPE, stream, seed=5)
    bits, theirs = plain_loop(config, stream, tmp_path / "start", seed=5)
    for i, role in enumerate(ROLES):
        np.testing.assert_allclose(getattr(ours.lengths, role), bits[:, i], atol=2e-3)
    save_model(ours.model, tmp_path / "end")
    from transformers import LlamaForCausalLM

    end = LlamaForCausalLM.from_pretrained(tmp_path / "end").state_dict()
    for name, weight in theirs.state_dict().items():
        torch.testing.assert_close(end[name].double(), weight, rtol=0, atol=2e-3, msg=name)


def test_evaluation_is_the_cross_entropy_and_changes_nothing() -> None:
    stream, model = ragged(90), Transformer(SHAPE, seed=1)
    before = [weight.clone() for weight in model.parameters()]
    lengths = evaluate(model, stream, batch=32)
    batch = stream.batch(0, 90)
    logits = model(torch.from_numpy(batch.tokens[:, :-1])).flatten(0, 1)
    nats = functional.cross_entropy(logits, torch.from_numpy(batch.tokens[:, 1:]).flatten(), reduction="none")
    bits = (nats.view(90, -1) / math.log(2)).detach().double().numpy()
    for i, role in enumerate(ROLES):
        expected = (bits * (batch.roles[:, 1:] == i)).sum(1)
        np.testing.assert_allclose(getattr(lengths, role), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(lengths.total, (bits * (batch.roles[:, 1:] < 3)).sum(1), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_evaluation_in_double_precision_differs_by_rounding_only() -> None:
    model = Transformer(SHAPE, seed=1)
    single, double = evaluate(model, ragged(90)).total, evaluate(model.double(), ragged(90)).total
    np.testing.assert_allclose(single, double, rtol=1e-5)
    assert not np.array_equal(double, double.astype(np.float32))


def test_the_first_batch_costs_what_an_untrained_model_says() -> None:
    stream = ragged(60)
    lengths = train(SHORT, SHAPE, stream, seed=2).lengths
    untrained = evaluate(Transformer(SHAPE, seed=2), stream, batch=16)
    np.testing.assert_allclose(lengths.total[:16], untrained.total[:16], rtol=1e-5)
    assert not np.allclose(lengths.total[16:32], untrained.total[16:32], rtol=1e-5)


@pytest.mark.slow
def test_a_source_is_learned_down_to_its_entropy() -> None:
    """No code beats the oracle by more than chance, and after 20,000 sentences little is left above it."""
    stream, oracle = toy(30_000)
    config = TrainingConfig(batch=64, learning_rate=3e-3, schedule=Linear(warmup=20, final=0.01))
    trained = train(config, TransformerConfig(VOCABULARY, 3, layers=1, width=32, heads=2), stream)
    late = (trained.lengths - oracle)[20_000:]
    for role in ROLES:
        excess = getattr(late, role)
        error = excess.std() / math.sqrt(len(excess))
        assert -5 * error < excess.mean() < 0.01, role
    assert (trained.lengths - oracle)[:500].total.mean() > 0.5
    fresh, its_oracle = toy(5_000, seed=1)
    assert abs((evaluate(trained.model, fresh) - its_oracle).total.mean()) < 0.02


def test_same_seed_same_bytes() -> None:
    stream = ragged(200)
    one, two, other = (train(SHORT, SHAPE, stream, seed=seed) for seed in (7, 7, 8))
    assert one.lengths.total.tobytes() == two.lengths.total.tobytes()
    assert one.lengths.total.tobytes() != other.lengths.total.tobytes()
    same = zip(one.model.parameters(), two.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_training_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    train(SHORT, SHAPE, ragged(40))
    assert torch.equal(torch.rand(3), expected)


def test_progress_ends_at_the_end_and_speaks_of_new_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twopart.learners.training.REPORT_SECONDS", 0.0)
    seen: list[Progress] = []
    lengths = train(SHORT, SHAPE, ragged(100), on_progress=seen.append).lengths
    assert [report.done for report in seen] == [16, 32, 48, 64, 80, 96, 100]
    assert seen[2].bits == pytest.approx(lengths[32:48].mean())
    assert all(report.total == 100 for report in seen)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's compiler imports parts that PyTorch deprecates
def test_the_compiled_step_gives_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: Callable[[Any, Any], Any]
) -> None:
    """Usually traced, differentiated and run by PyTorch's own operators; in `make long` made into C++ by Inductor too, whose
    fifteen kernels take three quarters of a minute."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=size("aot_eager", "inductor")))
    stream = ragged(200)

    def lengths(compile: str) -> CodeLengths:
        config = TrainingConfig(batch=16, learning_rate=3e-3, schedule=Linear(5), compile=compile)
        return train(config, replace(SHAPE, layers=1), stream).lengths

    compiled, plain = lengths("on"), lengths("off")
    for role in ROLES:
        np.testing.assert_allclose(getattr(compiled, role), getattr(plain, role), atol=1e-3)


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match="no-such-compiler"):
        train(TrainingConfig(compile="on"), SHAPE, ragged(10))


def test_a_diverging_run_is_refused_and_leaves_no_checkpoint(tmp_path: Path) -> None:
    config = TrainingConfig(batch=16, learning_rate=1e30, clip=math.inf)
    with pytest.raises(InputError, match=r"`learning_rate` 1e\+30 made training diverge at sentence"):
        train(config, SHAPE, ragged(100), folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch", 0),
        ("learning_rate", 0),
        ("learning_rate", math.inf),
        ("weight_decay", -0.1),
        ("first_decay", 1),
        ("second_decay", -1),
        ("clip", 0),
        ("clip", math.nan),
        ("device", "tpu"),
        ("compile", True),
        ("checkpoint_every", -1),
    ],
)
def test_bad_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"`{field}` must be .*got"):
        TrainingConfig(**{field: value})


def test_a_stream_that_does_not_fit_the_model_is_refused() -> None:
    def attempt(tokens: np.ndarray, roles: list[int]) -> Trained:
        return train(SHORT, SHAPE, ArrayStream(tokens, np.array(roles, np.uint8)))

    ones = np.ones((5, 7), np.int64)
    with pytest.raises(InputError, match="`vocabulary` must be > 20"):
        attempt(ones * 20, [3, 0, 0, 0, 1, 1, 2])
    with pytest.raises(InputError, match="`vocabulary`"):
        attempt(-ones, [3, 0, 0, 0, 1, 1, 2])
    with pytest.raises(InputError, match="`context` must be >= 7, got 6"):
        attempt(np.ones((5, 8), np.int64), [3, 0, 0, 0, 1, 1, 2, 2])
    with pytest.raises(InputError, match="`roles`"):
        attempt(ones, [3] * 7)
    with pytest.raises(InputError, match="`roles`"):
        attempt(ones, [3, 0, 0, 0, 1, 1, 4])
    with pytest.raises(InputError, match=r"`len\(stream\)`"):
        attempt(ones[:0], [3, 0, 0, 0, 1, 1, 2])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="sees no GPU"):
        train(TrainingConfig(device="cuda"), SHAPE, ragged(10))
