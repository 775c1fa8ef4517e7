"""The loss of a policy that writes tokens, for any torch model's log-probabilities; and how rollouts are made and read.

tokens = generate(model, prompts, length=6, generator=random)             # (B, P + 6); model: tokens -> logits
logp = log_probs(model(tokens), tokens)[:, P - 1:]                        # (B, 6), of what was generated
policy_loss(logp, advantages, mask, old=logp.detach()).backward()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from twopart._arrays import finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real

Reduction = Literal["grpo", "bnpo", "dr_grpo"]


def policy_loss(
    logp: Tensor, advantages: Tensor, mask: Tensor | None = None,
    *, old: Tensor | None = None, weights: Tensor | None = None, reference: Tensor | None = None, kl: float = 0.0,
    clip: tuple[float, float] | None = (0.2, 0.2), reduction: Reduction = "grpo", length: int | None = None,
) -> Tensor:  # fmt: skip
    """The clipped loss of log-probabilities (B, T) of generated tokens, a scalar: `GRPOTrainer._compute_loss` of TRL 1.16.

    A token costs -w min(ρ A, clip(ρ, 1 - low, 1 + high) A) + kl (e^d - d - 1), ρ = exp(logp - old), d = reference - logp.
    `advantages` are (B,), or (B, T) one per token; `old` (B, T) are those of the policy that generated, None: this one's.
    `weights` w (B, T) say what each token counts; `mask` which tokens are there. `reduction`: "grpo" the mean over each
    sequence, then over sequences; "bnpo" the mean over all tokens (TRL's "dapo", of one batch); "dr_grpo" the sum over
    B `length`, which prefers no length: the most tokens that a response may have, None: T. Raises `InputError` for shapes that
    differ and for nan or infinite numbers, masked ones too.
    """
    B, T = (int(n) for n in finite_tensor("logp", logp, (None, None), "sequences, their tokens").shape)
    check_choice("reduction", reduction, ("grpo", "bnpo", "dr_grpo"))
    most = T if length is None else check_integer("length", length, T, None, "no response is longer")
    beta = check_real("kl", kl, 0, float("inf"), "0 leaves it out", closed="[)")
    check(
        reference is not None or beta == 0, "reference", reference, "given for kl > 0", "log-probabilities of the base"
    )
    m = torch.ones_like(logp) if mask is None else mask.to(logp)
    fits = m.shape == logp.shape and bool(((m == 0) | (m == 1)).all())
    check(fits, "mask", tuple(m.shape), f"0 and 1 of shape {(B, T)}", "1 where a token counts")
    each = (B, T) if advantages.ndim == 2 else (B,)
    worth = finite_tensor("advantages", advantages, each, "one per sequence, (B,), or per token, (B, T)").view(B, -1)
    before = logp.detach() if old is None else finite_tensor("old", old, (B, T), "as `logp`")
    ratio = (logp - before).exp()
    gain = ratio * worth
    if clip is not None:
        check(len(clip) == 2, "clip", clip, "how far down and how far up", "(0.2, 0.2) is usual")
        low, high = (check_real("clip", end, 0, float("inf"), "0.2 is usual", closed="[)") for end in clip)
        gain = torch.minimum(gain, ratio.clamp(1 - low, 1 + high) * worth)
    cost = -gain if weights is None else -gain * finite_tensor("weights", weights, (B, T), "one per token")
    if reference is not None:
        d = finite_tensor("reference", reference, (B, T), "as `logp`") - logp
        cost = cost + beta * (d.exp() - d - 1)
    summed, count = (cost * m).sum(1), m.sum(1)
    if reduction == "grpo":
        return (summed / count.clamp(min=1)).mean()
    return summed.sum() / (count.sum().clamp(min=1) if reduction == "bnpo" else B * most)


def log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability of each token after the first, (B, T - 1), of logits (B, T, V) at tokens (B, T).

    Logits of -inf rule a token out. Raises `InputError` for other shapes, tokens that are none of the V, and nan.
    """
    shape = tuple(logits.shape)
    fits = logits.ndim == 3 and shape[:2] == tuple(tokens.shape)
    check(fits, "logits", shape, "(B, T, V) of tokens (B, T)", "a row each")
    known = not tokens.is_floating_point() and bool(((tokens >= 0) & (tokens < shape[2])).all())
    check(known, "tokens", tokens, f"whole numbers in 0..{shape[2] - 1}", "give padding one, and mask it")
    chosen = logits[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]
    found = chosen - logits[:, :-1].logsumexp(-1)
    check(not bool(found.isnan().any()), "logits", "some that are nan", "numbers or -inf", "see its weights")
    return found


@torch.no_grad()
def generate(
    model: Callable[[Tensor], Any], prompts: Tensor, length: int, *, generator: torch.Generator | None = None
) -> Tensor:
    """`prompts` (B, P) with `length` tokens more drawn from the model, (B, P + length).

    `model` maps tokens (B, T) to logits (B, T, V), or to an object with `logits`, as Hugging Face's do. It is asked anew for
    each token: for the short answers of small models. What follows an end of text is drawn too; mask it.
    """
    check_integer("length", length, 1, None, "tokens to generate")
    fits = prompts.ndim == 2 and not prompts.is_floating_point() and prompts.numel() > 0
    check(fits, "prompts", (tuple(prompts.shape), prompts.dtype), "token ids (B, P)", "pad shorter ones on the left")
    tokens = prompts
    for _ in range(length):
        out = model(tokens)
        logits = getattr(out, "logits", out)
        fits = logits.ndim == 3 and logits.shape[:2] == tokens.shape and not bool(logits[:, -1].isnan().any())
        check(fits, "model", tuple(logits.shape), "one that gives logits (B, T, V), none nan", "see what it returns")
        drawn = torch.multinomial(logits[:, -1].float().softmax(-1), 1, generator=generator)
        tokens = torch.cat([tokens, drawn.to(tokens.dtype)], 1)
    return tokens
