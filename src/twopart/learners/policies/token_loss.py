"""The loss of a policy that writes tokens, for any torch model's log-probabilities; and how rollouts are made and read.

tokens = generate(model, prompts, length=6, generator=random)             # (B, P + 6); model: tokens -> logits
logp = log_probs(model(tokens), tokens)[:, P - 1:]                        # (B, 6), of what was generated
loss = policy_loss(logp, advantages, mask, old=logp.detach()).loss        # loss.backward()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from twopart._arrays import finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real

Reduction = Literal["grpo", "bnpo", "dr_grpo"]


class PolicyLoss(NamedTuple):
    loss: Tensor
    """To descend; a scalar with a graph."""
    kl: Tensor
    """The estimated divergence from the reference, mean over tokens; 0 without one."""
    clipped: Tensor
    """Share of tokens whose ratio is clipped, and so has no gradient."""


def policy_loss(
    logp: Tensor,
    advantages: Tensor,
    mask: Tensor | None = None,
    *,
    old: Tensor | None = None,
    weights: Tensor | None = None,
    reference: Tensor | None = None,
    kl: float = 0.0,
    clip: tuple[float, float] | None = (0.2, 0.2),
    reduction: Reduction = "grpo",
) -> PolicyLoss:
    """The clipped loss of log-probabilities (B, T) of generated tokens, TRL's where they overlap (`GRPOTrainer`, loss types).

    A token costs w [-min(ρ A, clip(ρ, 1 - low, 1 + high) A) + kl (e^d - d - 1)], ρ = exp(logp - old), d = reference - logp.
    `advantages` are (B,), or (B, T) one per token; `old` (B, T) are those of the policy that generated, None: this one's.
    `weights` (B, T) say what each token counts; `mask` which tokens are there. `reduction`: "grpo" the mean over each sequence,
    then over sequences; "bnpo" the mean over all tokens; "dr_grpo" the sum over B T, which prefers no length. Weights do not
    enter the denominators. Raises `InputError` for shapes that differ and for nan or infinite numbers where the mask is 1.
    """
    B, T = (int(n) for n in finite_tensor("logp", logp, (None, None), "sequences, their tokens").shape)
    check_choice("reduction", reduction, ("grpo", "bnpo", "dr_grpo"))
    beta = check_real("kl", kl, 0, float("inf"), "0 leaves it out", closed="[)")
    check(
        beta == 0 or reference is not None, "reference", reference, "given for kl > 0", "log-probabilities of the base"
    )
    m = torch.ones_like(logp) if mask is None else _mask(mask, logp)
    per_token = advantages if advantages.ndim == 2 else advantages[:, None].expand(-1, T)
    worth = finite_tensor("advantages", per_token, (B, T), f"({B},) one per sequence, or one per token")
    before = logp.detach() if old is None else finite_tensor("old", old, (B, T), "as `logp`")
    ratio = (logp - before).exp()
    cost, clipped = -ratio * worth, torch.zeros_like(logp, dtype=torch.bool)
    if clip is not None:
        low, high = (check_real("clip", end, 0, float("inf"), "0.2 is usual", closed="[)") for end in clip)
        bounded = -ratio.clamp(1 - low, 1 + high) * worth
        clipped = bounded > cost
        cost = torch.maximum(cost, bounded)
    away = torch.zeros_like(logp)
    if reference is not None:
        d = finite_tensor("reference", reference, (B, T), "as `logp`") - logp
        away = d.exp() - d - 1
        cost = cost + beta * away
    if weights is not None:
        cost = cost * finite_tensor("weights", weights, (B, T), "one per token")
    summed, count = (cost * m).sum(1), m.sum(1)
    if reduction == "grpo":
        loss = (summed / count.clamp(min=1)).mean()
    else:
        loss = summed.sum() / (count.sum().clamp(min=1) if reduction == "bnpo" else B * T)
    tokens = count.sum().clamp(min=1)
    return PolicyLoss(loss, (away * m).sum().detach() / tokens, (clipped * m).sum() / tokens)


def log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability of each token after the first, (B, T - 1), of logits (B, T, V) at tokens (B, T)."""
    shape = tuple(logits.shape)
    check(
        logits.ndim == 3 and shape[:2] == tuple(tokens.shape),
        "logits",
        shape,
        "(B, T, V) of tokens (B, T)",
        "a row each",
    )
    chosen = logits[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]
    return chosen - logits[:, :-1].logsumexp(-1)


@torch.no_grad()
def generate(
    model: Callable[[Tensor], Any],
    prompts: Tensor,
    length: int,
    *,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """`prompts` (B, P) with `length` tokens more drawn from the model, (B, P + length); temperature 0 takes the likeliest.

    `model` maps tokens (B, T) to logits (B, T, V), or to an object with `logits`, as Hugging Face's do. It is asked anew for
    each token: for the short answers of small models. What follows an end of text is drawn too; mask it.
    """
    check_integer("length", length, 1, None, "tokens to generate")
    check_real("temperature", temperature, 0, float("inf"), "1 is the policy itself", closed="[)")
    fits = prompts.ndim == 2 and not prompts.is_floating_point() and prompts.numel() > 0
    check(fits, "prompts", (tuple(prompts.shape), prompts.dtype), "token ids (B, P)", "pad shorter ones on the left")
    tokens = prompts
    for _ in range(length):
        out = model(tokens)
        logits = getattr(out, "logits", out)[:, -1].float()
        if temperature == 0:
            drawn = logits.argmax(-1, keepdim=True)
        else:
            drawn = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
        tokens = torch.cat([tokens, drawn.to(tokens.dtype)], 1)
    return tokens


def _mask(mask: Tensor, logp: Tensor) -> Tensor:
    kind = mask.shape == logp.shape and bool(((mask == 0) | (mask == 1)).all())
    check(kind, "mask", tuple(mask.shape), f"0 and 1 of shape {tuple(logp.shape)}", "1 where a token counts")
    return mask.to(logp)
