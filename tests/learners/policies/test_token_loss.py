"""The token loss against TRL's formulas, as its source has them, and the plain policy gradient; rollouts of known models."""

from types import SimpleNamespace

import pytest
import torch

from twopart._checks import InputError
from twopart.learners import Transformer, TransformerConfig
from twopart.learners.policies import generate, log_probs, policy_loss

B, T = 4, 5


def numbers(dtype=torch.float64):
    random = torch.Generator().manual_seed(0)
    logp, old, reference = (-torch.rand(B, T, generator=random, dtype=dtype) for _ in range(3))
    mask = torch.ones(B, T, dtype=dtype)
    mask[1, 3:] = mask[2, 1:] = 0
    return logp.requires_grad_(), old, reference, torch.randn(B, generator=random, dtype=dtype), mask


def trl(logp, old, reference, advantages, mask, weights, beta, kind, longest, low=0.2, high=0.28):
    """`GRPOTrainer._compute_loss` of TRL 1.16.0, loss types "grpo", "bnpo", "dr_grpo"; weights as it has an `entropy_mask`."""
    kl = torch.exp(reference - logp) - (reference - logp) - 1
    first = torch.exp(logp - old)
    second = torch.clamp(first, 1 - low, 1 + high)
    per_token = -torch.min(first * advantages[:, None], second * advantages[:, None]) * weights + beta * kl
    if kind == "grpo":
        return ((per_token * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)).mean()
    if kind == "bnpo":
        return (per_token * mask).sum() / mask.sum().clamp(min=1.0)
    return (per_token * mask).sum() / (per_token.size(0) * longest)


@pytest.mark.parametrize("kind", ["grpo", "bnpo", "dr_grpo"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_trl(kind, dtype):
    logp, old, reference, worth, mask = numbers(dtype)
    weights = torch.arange(B * T).view(B, T).to(dtype)
    more = {"old": old, "reference": reference, "weights": weights, "kl": 0.04, "clip": (0.2, 0.28)}
    found = policy_loss(logp, worth, mask, **more, reduction=kind, length=T + 3)
    expected = trl(logp, old, reference, worth, mask, weights, 0.04, kind, T + 3)
    torch.testing.assert_close(found, expected)
    for one, other in zip(*(torch.autograd.grad(x, logp) for x in (found, expected)), strict=True):
        torch.testing.assert_close(one, other)


def test_on_policy_it_is_the_policy_gradient():
    """With token weights and an advantage for each token: the gradient is -w A/T of each log-probability, over B."""
    logp, _, _, worth, _ = numbers()
    weights, each = torch.rand(B, T).double(), worth[:, None] * torch.arange(1, T + 1)
    for clip in (None, (0.2, 0.2)):
        (found,) = torch.autograd.grad(policy_loss(logp, each, weights=weights, clip=clip), logp)
        torch.testing.assert_close(found, -weights * each / (B * T))
    mask = torch.zeros(B, T, dtype=torch.bool)
    assert float(policy_loss(logp, worth, mask).detach()) == 0


def test_log_probs_and_generation():
    model = Transformer(TransformerConfig(7, 8, 1, 8, 2), seed=3)
    prompts = torch.tensor([[1, 2, 3], [4, 5, 6]])
    tokens = generate(model, prompts, 4, generator=torch.Generator().manual_seed(0))
    assert tokens.shape == (2, 7)
    assert torch.equal(tokens[:, :3], prompts)
    logits = model(tokens)
    expected = logits.log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]
    torch.testing.assert_close(log_probs(logits, tokens), expected)


def test_generation_draws_from_the_model():
    """A chain of two tokens: 5 standard errors of 20,000 draws; Hugging Face's outputs have `logits`."""
    table = torch.tensor([[0.3, 0.7], [0.9, 0.1]]).log()
    tokens = generate(
        lambda t: SimpleNamespace(logits=table[t]),
        torch.zeros(20_000, 1, dtype=torch.long),
        2,
        generator=torch.Generator().manual_seed(0),
    )
    first, second = tokens[:, 1], tokens[:, 2]
    assert float(first.double().mean()) == pytest.approx(0.7, abs=5 * (0.21 / 20_000) ** 0.5)
    assert float(second[first == 1].double().mean()) == pytest.approx(0.1, abs=5 * (0.09 / 14_000) ** 0.5)


def test_refusals():
    logp, old, reference, worth, mask = numbers()
    nan = torch.full((B, T), torch.nan).double()
    cases = [
        (lambda: policy_loss(nan, worth), "`logp` must be finite"),
        (lambda: policy_loss(logp[0], worth), "`logp` must be of shape"),
        (lambda: policy_loss(logp, worth[:3]), "`advantages` must be of shape"),
        (lambda: policy_loss(logp, worth * torch.nan), "`advantages` must be finite"),
        (lambda: policy_loss(logp, worth, mask[:, :2]), "`mask` must be"),
        (lambda: policy_loss(logp, worth, mask * 2), "`mask` must be"),
        (lambda: policy_loss(logp, worth, old=nan), "`old` must be finite"),
        (lambda: policy_loss(logp, worth, weights=old[:2]), "`weights` must be of shape"),
        (lambda: policy_loss(logp, worth, kl=0.1), "`reference` must be"),
        (lambda: policy_loss(logp, worth, kl=-0.1, reference=reference), "`kl` must be"),
        (lambda: policy_loss(logp, worth, clip=(-0.1, 0.2)), "`clip` must be"),
        (lambda: policy_loss(logp, worth, reduction="mean"), "`reduction` must be"),
        (lambda: policy_loss(logp, worth, length=T - 1), "`length` must be"),
        (lambda: log_probs(torch.zeros(2, 3), torch.zeros(2, 3).long()), "`logits` must be"),
        (lambda: generate(lambda t: t, torch.zeros(1, 1).long(), 0), "`length` must be"),
        (lambda: generate(lambda t: t, torch.zeros(1, 1), 1), "`prompts` must be"),
    ]
    for call, said in cases:
        with pytest.raises(InputError, match=f"^{said}.*, got .+; .+"):
            call()
