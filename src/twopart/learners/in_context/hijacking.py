"""How easily is anybody's in-context classifier hijacked: error by repetitions, and in which layer the answer turned.

curve = hijack_curve(model, world, tokens=(1, 4, 16))                      # a torch module, or a function of arrays
curve = hijack_curve(model, (hijackers, queries, labels), (1, 4, 16))      # one's own data: context N x hijacker, then query
curve = hijack_curve(AsModel(gpt, inputs, readout), world, (1, 4))         # a module with other inputs and outputs
layer_logits(model, prompts, names=["h.0", "h.1"], readout=head)           # (layers, prompts), through hooks
safe_tokens(model, norm=4.5)                                               # repetitions beyond which a layer overshoots
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv
from torch import Tensor, nn

from twopart._arrays import Floats, finite
from twopart._checks import check, check_real
from twopart.learners.in_context.answers import Model, answers
from twopart.learners.in_context.gradient_transformer import GradientTransformer
from twopart.learners.in_context.hooks import caught
from twopart.worlds.in_context.hijacked import HijackedClassification, HijackPairs
from twopart.worlds.in_context.prompts import Prompts


class Curve(NamedTuple):
    """Error by number of hijacking tokens, arrays (K,)."""

    tokens: NDArray[np.int64]
    error: Floats
    """Share of queries that are answered wrongly; a score of 0 is no +1."""
    low: Floats
    """The 95% interval of Clopper and Pearson, over pairs; they are the same for every number of tokens."""
    high: Floats


def hijack_curve(
    classify: Model, world_or_pairs: HijackedClassification | HijackPairs | tuple[ArrayLike, ...], tokens: Sequence[int],
    *, count: int = 2000, jitter: float = 0.0, stream: str | int = 0, batch: int = 256, tensors: bool | None = None,
) -> Curve:  # fmt: skip
    """Error of `classify(x, y, query) -> scores` when the context is N copies of an adverse neighbour, for each N of `tokens`.

    Of a world `count` pairs of that `stream` are asked; pairs are `HijackPairs`, or arrays (hijackers (T, d), queries (T, d),
    labels (T,) = ±1). `jitter` moves copies apart; `batch` and `tensors` are those of `answers`. Raises `InputError`.
    """
    pairs = world_or_pairs
    if isinstance(pairs, HijackedClassification):
        pairs = pairs.pairs(count, stream)
    elif not isinstance(pairs, HijackPairs):
        check(len(pairs) == 3, "world_or_pairs", len(pairs), "three arrays", "give hijackers, queries, labels")
        hijacker, query, label = map(np.asarray, pairs)
        pairs = HijackPairs(hijacker, query, label, np.zeros(query.shape))
    check(len(tokens) > 0, "tokens", tokens, "at least one number", "such as (1, 2, 4, 8)")
    asked = (pairs.prompts(n, jitter) for n in tokens)
    scores = np.stack([answers(classify, prompts, batch=batch, tensors=tensors) for prompts in asked])
    wrong, T = ((scores > 0) != (pairs.label > 0)).sum(1), len(pairs.label)
    low = np.where(wrong == 0, 0, betaincinv(np.maximum(wrong, 1), T - wrong + 1, 0.025))
    high = np.where(wrong == T, 1, betaincinv(wrong + 1, np.maximum(T - wrong, 1), 0.975))
    return Curve(np.asarray(tokens), wrong / T, low, high)


def layer_logits(
    model: nn.Module, prompts: Prompts, names: Sequence[str] = (), readout: Callable[[Tensor], Tensor] | None = None,
    *, batch: int = 256,
) -> Floats:  # fmt: skip
    """The logit after each layer, shape (layers, T), so that one sees where it turned.

    The output of the submodules `names` (the first part of a tuple) is caught by hooks, and `readout(output) -> scores (B,)`
    tells what it says so far, as a logit lens does. A `GradientTransformer` needs neither: its initial point comes first, then
    each layer. Raises `InputError` for names that are not there, and readouts of another shape or that are not finite.
    """
    if isinstance(model, GradientTransformer) and not names:
        names, readout = [f"after.{k}" for k in range(model.layers + 1)], nn.Identity()
    with caught(model, names, readout) as found:
        answers(model, prompts, batch=batch)
    scores = [np.concatenate(found[name]) if found[name] else np.empty(0) for name in names]
    return np.stack([finite("readout", one, (len(prompts),), "one score for each prompt, once") for one in scores])


def safe_tokens(model: GradientTransformer | ArrayLike, norm: float) -> Floats:
    """For each layer the number of equal tokens of length `norm` above which it overshoots: N α |x|² = 2, shape (L,).

    Takes a model or its steps, numbers (L,) or matrices (L, d, d), whose worst direction counts: the largest eigenvalue of the
    symmetric part. 0 where a step is negative there, infinite where it is 0. Half as many is where a layer learns all at once.
    """
    steps = model.step_sizes() if isinstance(model, GradientTransformer) else np.asarray(model)
    length = check_real("norm", norm, 0, np.inf, "it is about the square root of d", closed="()")
    square = (None, steps.shape[-1], steps.shape[-1]) if steps.ndim == 3 else (None,)
    α = finite("model", steps, square, "a number, or a matrix, for each layer")
    α = np.linalg.eigvalsh((α + α.swapaxes(1, 2)) / 2)[:, -1] if α.ndim == 3 else α
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(α < 0, 0.0, 2 / (np.abs(α) * length**2)))
