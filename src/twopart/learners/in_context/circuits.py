"""Attention whose weights are written down, not trained: known mechanisms, in modules of the same class as trained ones.

recall_one_layer(pairs=6, vocabulary=16, heads=4)      # heads gate answers through the softmax's denominator
recall_two_layer(pairs=6, vocabulary=16)               # one head copies a question to its answer, the next one matches
templates_two_layer(length=4, inputs=32)               # one head matches equal tokens, the next one reads all matches at once
context_templates_three_layer(task)                    # both in every sequence, then the last one matches those before
memorise(sequences, labels)                            # random attention, and a readout that solves a linear system

The stream has a block for the token, one for its place, then those that heads write. See docs/laws/transformer-depth.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, eye

from twopart._arrays import numbers
from twopart._checks import check
from twopart.laws.in_context.depth import codes
from twopart.learners.in_context.attention_only import AttentionOnly
from twopart.worlds.in_context.sequence_tasks import ContextTemplates, Recall, growth_strings

C = 12.0  # how sharp scores are: gates leak e^-C


def recall_two_layer(pairs: int, vocabulary: int) -> AttentionOnly:
    """Any number of pairs: an answer's place attends to the place before, the last place to answers with a copy of q."""
    shape, V, T = Recall(pairs, vocabulary).shape, vocabulary, 2 * pairs + 1
    question, answer, copied = slice(V), slice(V, 2 * V), slice(2 * V + T, 3 * V + T)
    model = _blank(2, 1, V, head_width=max(V, T) + 1, **shape)
    before = [t - 1 if t % 2 else 1 for t in range(T)]  # other places read an answer's, which has no question
    _head(model, 0, 0, slice(2 * V, 2 * V + T), C * eye(T)[before], slice(2 * V, 2 * V + T), question, copied)
    _head(model, 1, 0, question, C * eye(V), copied, answer, answer)
    return _read(model, answer, eye(V))


def recall_one_layer(pairs: int, vocabulary: int, heads: int) -> AttentionOnly:
    """Distinct answers of up to C(H, ⌊H/2⌋) pairs, more with ties: `laws.in_context.recall_accuracy`; `codes` cover them."""
    shape, V, covered = Recall(pairs, vocabulary).shape, vocabulary, codes(heads, pairs)
    model = _blank(1, heads, 0, head_width=V + 1, **shape)
    for k, mine in enumerate(covered.T):
        bias = torch.full((2 * pairs + 1,), -20 * C)
        bias[:-1:2][~mine], bias[1::2][mine] = -C, 0.0
        answers = slice(V, 2 * V), slice(V, 2 * V)
        _head(model, 0, k, slice(V), 2 * C * eye(V), slice(V), *answers, bias=bias, times=mine.sum())
    return _read(model, slice(V, 2 * V), eye(V))


def templates_two_layer(length: int, *, inputs: int = 0, vocabulary: int = 0) -> AttentionOnly:
    """The template of each sequence, in the order of `growth_strings`, of tokens never seen; one head in each layer.

    Vectors need `inputs` >= 32, so that x·x exceeds x·y: equal tokens are told by it.
    """
    templates, size = torch.tensor(growth_strings(length)), inputs + vocabulary
    token, place, noted, found = slice(size), *(slice(size + k * length, size + (k + 1) * length) for k in range(3))
    shape = {"length": length, "classes": len(templates), "inputs": inputs, "vocabulary": vocabulary}
    model, (w, means) = _blank(2, 1, 2 * length, head_width=max(size, length) + 1, **shape), _notes(templates)
    _head(model, 0, 0, token, C * eye(size), token, place, noted)
    _head(model, 1, 0, token, eye(size)[:, :0], slice(0), noted, found, bias=w.log())
    return _read(model, found, means, -means.square().sum(1) / 2)


def context_templates_three_layer(task: ContextTemplates) -> AttentionOnly:
    """What the context labels: `templates_two_layer` in every sequence at once, then the last place matches; a head a layer."""
    shape, n, L = task.shape, task.classes, task.templates.length
    S, T, at = shape.get("inputs", 0) + shape.get("vocabulary", 0), shape["length"], torch.arange(shape["length"])
    same, within = (at[:, None] // (L + 1) == at // (L + 1)).float(), at % (L + 1)
    place, note, noted, found = slice(S, S + T), *(slice(S + T + k * L, S + T + k * L + L) for k in range(3))
    answer, model = slice(found.stop, found.stop + n), _blank(3, 1, 3 * L + n, head_width=S + T + 1, **shape)
    model.positions.data[:, note] = eye(L + 1)[within, :L]
    w, means = _notes(torch.tensor(task.templates.templates))
    alike = torch.block_diag(eye(S), same)  # type: ignore[no-untyped-call]
    _head(model, 0, 0, slice(S + T), C * alike, slice(S + T), note, noted)
    _head(model, 1, 0, place, C * same, place, noted, found, bias=torch.cat([w.log(), torch.tensor([-20 * C])])[within])
    sharp = 2 * C / torch.nn.functional.pdist(means).square().min()
    match = torch.cat([torch.zeros(T - 1, L), -sharp * w[None] / 2, torch.zeros(2 * L, L), sharp * eye(L)])
    _head(model, 2, 0, slice(S, found.stop), match, found, slice(S - n, S), answer, bias=-10 * sharp * (within < L))
    return _read(model, answer, eye(n))


def _notes(templates: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of places, and by template and place their mean over the places of its token, each over the number of these."""
    w = 2.0 ** torch.arange(templates.shape[1])
    same = (templates[:, :, None] == templates[:, None]).float()
    return w / w.sum(), same @ (w / w.sum()) / same.sum(2)


def memorise(sequences: ArrayLike, labels: ArrayLike, *, heads: int = 1, seed: int = 0) -> AttentionOnly:
    """One layer of width N that knows N sequences (N, T): random attention, and a readout that solves a linear system.

    Raises `InputError` where its N features are dependent, as they are for few tokens, places and `heads`.
    """
    x, y = (numbers(n, v, 0, np.inf, "[)") for n, v in {"sequences": sequences, "labels": labels}.items())
    whole = bool((x % 1 == 0).all() and (y % 1 == 0).all())
    check(whole, "sequences", sequences, "of whole numbers, as labels are", "number tokens and classes from 0 on")
    check(x.ndim == 2 and y.shape == x.shape[:1], "labels", y.shape, "one for each of sequences (N, T)", "see shapes")
    tokens, known, N = torch.from_numpy(x).long(), torch.from_numpy(y).long(), len(x)
    shape: dict[str, Any] = {"length": x.shape[1], "classes": int(y.max()) + 1, "vocabulary": int(x.max()) + 1}
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = AttentionOnly(1, heads, N, head_width=N, **shape).double()
    features = model.stream(tokens).detach()
    rank = int(torch.linalg.matrix_rank(features))
    check(rank == N, "heads", heads, f"more for {N} independent features than {rank}", "or give fewer sequences")
    solved = torch.linalg.lstsq(features, eye(shape["classes"], dtype=torch.float64)[known]).solution
    return _read(model, slice(N), solved.T).to(torch.get_default_dtype())


def _blank(layers: int, heads: int, written: int, *, head_width: int, **shape: Any) -> AttentionOnly:
    """All weights 0, but for tokens and places in blocks of their own, before what heads write."""
    tokens = shape.get("inputs", 0) + shape.get("vocabulary", 0)
    width = tokens + shape["length"] + written
    model = AttentionOnly(layers, heads, width, head_width=head_width, **shape)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    model.embed.data[:, :tokens], model.positions.data[:, tokens : width - written] = eye(tokens), eye(shape["length"])
    return model


def _head(
    model: AttentionOnly, layer: int, head: int, asks: slice, match: Tensor, asked: slice, copied: slice, to: slice,
    bias: Tensor | None = None, times: float = 1.0,
) -> None:  # fmt: skip
    """Write one head: its score is (block `asks`) `match` (block `asked`) + `bias` of the place, and it copies a block."""
    first, last = head * model.head_width, (head + 1) * model.head_width - 1
    query, key, value, out = (one.data[layer] for one in (model.query, model.key, model.value, model.out))
    place = slice(len(model.embed), len(model.embed) + len(model.positions))
    inner = slice(first, first + match.shape[1])
    query[asks, inner], key[asked, inner] = model.head_width**0.5 * match, eye(match.shape[1])
    if bias is not None:
        query[place, last], key[place, last] = model.head_width**0.5, bias
    n = copied.stop - (copied.start or 0)
    value[copied, first : first + n], out[first : first + n, to] = eye(n), times * eye(n)


def _read(model: AttentionOnly, block: slice, weight: Tensor, bias: Tensor | None = None) -> AttentionOnly:
    with torch.no_grad():
        model.readout.weight[:, block] = weight
        model.readout.bias.copy_(torch.zeros(len(weight)) if bias is None else bias)
    return model
