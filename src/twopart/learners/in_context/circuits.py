"""Attention whose weights are written down, not trained: models with a known mechanism, of the same class as trained ones.

recall_one_layer(pairs=6, vocabulary=16, heads=4)      # heads gate answers through the softmax's denominator
recall_two_layer(pairs=6, vocabulary=16)               # one head copies a question to its answer, the next one matches
templates_two_layer(length=4, inputs=32)               # one head matches equal tokens, the next one reads all matches at once
unequal_one_layer(inputs=32, sharpness=20)             # is x_1 ≠ x_2? by the bump that two sigmoids make
memorise(sequences, labels)                            # random attention, and a readout that solves a linear system

The stream is cut into blocks: token, position, then what heads write. Derivations: docs/laws/transformer-depth.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from twopart._arrays import numbers
from twopart._checks import check, check_integer, check_real
from twopart.laws.in_context.depth import OFFSET, codes
from twopart.learners.in_context.attention_only import AttentionOnly
from twopart.worlds.in_context.sequence_tasks import growth_strings


def recall_two_layer(pairs: int, vocabulary: int, sharpness: float = 12.0) -> AttentionOnly:
    """Recall of any number of pairs: an answer's place attends to the place before, the last place to the copy of its question."""
    n, V, T = *_sizes(pairs, vocabulary), 2 * pairs + 1
    C, prior = _sharp(sharpness), slice(2 * V + T, 3 * V + T)
    model = _blank(2, 1, 2 * V, V, length=T, classes=V, vocabulary=2 * V, head_width=max(V, T))
    question, answer, place = slice(V), slice(V, 2 * V), slice(2 * V, 2 * V + T)
    before = torch.eye(T)[[t - 1 if t % 2 else 1 for t in range(T)]]  # other places read an answer's, which has no question
    _head(model, 0, 0, (place, C * before), (place, torch.eye(T)), (question, torch.eye(V)), prior)
    _head(model, 1, 0, (question, C * torch.eye(V)), (prior, torch.eye(V)), (answer, torch.eye(V)), answer)
    return _read(model, answer, torch.eye(V))


def recall_one_layer(pairs: int, vocabulary: int, heads: int, sharpness: float = 12.0) -> AttentionOnly:
    """Recall of up to C(H, ⌊H/2⌋) pairs by one layer: see `laws.in_context.recall_accuracy`, and `codes` for who covers what.

    Head k scores answers that it covers by 0, questions that it does not cover by C if they match and by -C if not, all
    else by -20 C, and its output is scaled by the number of answers that it covers. Needs distinct answers.
    """
    n, V, T = *_sizes(pairs, vocabulary), 2 * pairs + 1
    C, covered = _sharp(sharpness), torch.from_numpy(codes(heads, n))
    model = _blank(1, heads, 2 * V, 0, length=T, classes=V, vocabulary=2 * V, head_width=V + 1)
    token, answer = slice(V), slice(V, 2 * V)
    match, last = torch.eye(V, V + 1), 2 * V + T - 1
    for k in range(heads):
        bias = torch.full((T,), -20 * C)
        bias[:-1:2][~covered[:, k]], bias[1::2][covered[:, k]] = -C, 0.0
        _head(model, 0, k, (token, 2 * C * match), (token, match), (answer, torch.eye(V)), answer, float(covered[:, k].sum()))
        inner = slice(k * (V + 1) + V, (k + 1) * (V + 1))
        model.query.data[0, last, inner] = (V + 1) ** 0.5
        model.key.data[0, 2 * V : 2 * V + T, inner] = bias[:, None]
    return _read(model, answer, torch.eye(V))


def templates_two_layer(length: int, *, inputs: int | None = None, vocabulary: int | None = None, sharpness: float = 12.0) -> AttentionOnly:
    """The template of each sequence, in the order of `growth_strings`, of tokens never seen; one head in each layer.

    First each place t attends to equal tokens and notes their places; then the last place averages the notes with weights
    w_t ~ 2^t: place s is told the mean w of its class. The readout takes the nearest template. Vectors need `inputs` >= 32,
    so that x·x exceeds x·y.
    """
    templates, size = np.array(growth_strings(length)), inputs or vocabulary or 0
    C, L, told = _sharp(sharpness), length, slice(size + length, size + 2 * length)
    model = _blank(2, 1, size, 2 * L, length=L, classes=len(templates), inputs=inputs, vocabulary=vocabulary, head_width=max(size, L))
    token, place, found = slice(size), slice(size, size + L), slice(size + 2 * L, size + 3 * L)
    w = 2.0 ** torch.arange(L) / (2**L - 1)
    _head(model, 0, 0, (token, C * torch.eye(size)), (token, torch.eye(size)), (place, torch.eye(L)), told)
    last = torch.eye(L)[:, -1:]  # only the last place asks
    _head(model, 1, 0, (place, last), (place, w.log()[:, None]), (told, torch.eye(L)), found)
    same = torch.from_numpy(templates[:, :, None] == templates[:, None, :]).float()
    means = same @ w / same.sum(2)
    return _read(model, found, means, -means.square().sum(1) / 2)


def unequal_one_layer(inputs: int, sharpness: float = 20.0) -> AttentionOnly:
    """Of three vectors, class 1 if x_1 ≠ x_2, by one layer of two heads; errs as `laws.in_context.bump_error` says."""
    s, e = _sharp(sharpness), check_integer("inputs", inputs, 1, None, "dimensions of a token")
    model = _blank(1, 2, e, 1, length=3, classes=2, inputs=e)
    along, place, found = slice(1), slice(e, e + 3), slice(e + 3, e + 4)
    for k, side in enumerate((1.0, -1.0)):
        first = torch.eye(3)[:, :1]
        _head(model, 0, k, (place, torch.eye(3)[:, 2:]), (along, torch.tensor([[s]])), (place, first), found, side)
        model.key.data[0, place, k * model.head_width] = torch.tensor([side * OFFSET, 0.0, -20 - 12 * s])
    half = float(np.tanh(OFFSET / 2)) / 2
    return _read(model, found, torch.tensor([[1.0], [0.0]]), torch.tensor([-half, 0.0]))


def memorise(sequences: ArrayLike, labels: ArrayLike, *, width: int | None = None, heads: int = 1, seed: int = 0) -> AttentionOnly:
    """One layer that knows the labels of N sequences (N, T): random attention, and a readout that solves a linear system.

    Its features must be independent: a width of N (None) does, if tokens and places, times `heads`, are as many. Raises
    `InputError` if they are not.
    """
    x = torch.from_numpy(numbers("sequences", sequences, 0, np.inf, "[)", "they are numbers of tokens").astype(np.int64))
    y = torch.from_numpy(numbers("labels", labels, 0, np.inf, "[)", "they are classes").astype(np.int64))
    check(x.ndim == 2 and y.shape == x.shape[:1], "labels", tuple(y.shape), f"one for each of {len(x)} sequences", "see shapes")
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        shape = {"length": x.shape[1], "classes": int(y.max()) + 1, "vocabulary": int(x.max()) + 1}
        model = AttentionOnly(1, heads, width or len(x), head_width=width or len(x), **shape).double()
    with torch.no_grad():
        features = model.stream(x)
        rank = int(torch.linalg.matrix_rank(features))
        check(rank == len(x), "width", model.positions.shape[1], f"such that {len(x)} features are independent, {rank} are", "more heads, or fewer sequences")
        solved = torch.linalg.lstsq(features, torch.eye(shape["classes"], dtype=torch.float64)[y]).solution
    return _read(model, slice(None), solved.T).to(torch.get_default_dtype())


def _sizes(pairs: int, vocabulary: int) -> tuple[int, int]:
    V = check_integer("vocabulary", vocabulary, 2, None, "questions, and as many answers")
    return check_integer("pairs", pairs, 1, V, "questions are distinct"), V


def _sharp(sharpness: float) -> float:
    return check_real("sharpness", sharpness, 0, 1e3, "12 is usual", closed="()")


def _blank(layers: int, heads: int, tokens: int, written: int, **shape: Any) -> AttentionOnly:
    """All weights 0, but for tokens and places in blocks of their own."""
    width = tokens + shape["length"] + written
    model = AttentionOnly(layers, heads, width, **shape)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    model.embed.data[:, :tokens] = torch.eye(tokens)
    model.positions.data[:, tokens : tokens + shape["length"]] = torch.eye(shape["length"])
    return model


def _head(
    model: AttentionOnly, layer: int, head: int, query: tuple[slice, Tensor], key: tuple[slice, Tensor],
    value: tuple[slice, Tensor], to: slice, times: float = 1.0,
) -> None:  # fmt: skip
    """Write one head: maps of blocks into it, and where its values go; scores are inner products, without the root."""
    first, scale = head * model.head_width, model.head_width**0.5
    for weights, (block, matrix), by in ((model.query, query, scale), (model.key, key, 1.0), (model.value, value, 1.0)):
        weights.data[layer, block, first : first + matrix.shape[1]] = by * matrix
    model.out.data[layer, first : first + value[1].shape[1], to] = times * torch.eye(value[1].shape[1])


def _read(model: AttentionOnly, block: slice, weight: Tensor, bias: Tensor | None = None) -> AttentionOnly:
    with torch.no_grad():
        model.readout.weight[:, block] = weight
        model.readout.bias.copy_(torch.zeros(len(weight)) if bias is None else bias)
    return model
