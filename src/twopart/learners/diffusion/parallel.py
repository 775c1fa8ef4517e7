"""Decoders of token grids, one group of an order at a time: what they are fed, how they are trained, and how they generate.

A decoder is any callable (tokens (B, T), positions (T, 2), mask (t, T)) -> logits (B, t, V). Fed are, group by group, those
of the group before (a start token before the first), and after them transition tokens if the group is larger:

    PAR's order, n = 2:    fed       start   t1 | t2  M1 | t3  t4 | ...
                           predicts     t1   t2 | t3  t4 | t5  t6 | ...

Values are 0 to V - 1, then come the start tokens (one for each class, and one for none), then the transition tokens.
`positions` says where each fed token stands and which one it predicts, -1 for none. Tokens of a block see each other and all
before.
The layout is that of Wang et al. 2024 (arXiv 2412.15119); orders whose groups differ in size are fed in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from twopart._checks import InputError, check, check_choice, check_integer, check_real, check_sizes
from twopart.laws.diffusion.parallel import Groups, checked
from twopart.learners._operators import norm, turn
from twopart.learners._products import product
from twopart.learners.rotary import PLAIN
from twopart.learners.transformer import Transformer, TransformerConfig

Decoder = Callable[..., Tensor]
IGNORED = -100
"""The target of a fed token that predicts none, as `functional.cross_entropy` has it."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How an order of N positions is fed: T tokens in blocks, one for each group."""

    fed: Tensor
    """Shape (T,): the position whose token is fed, N for the start token, N + 1 and more for transition tokens."""
    aims: Tensor
    """Shape (T,): the position that it predicts; -1 for none."""
    blocks: tuple[slice, ...]
    """The tokens fed for each group."""
    N: int

    @classmethod
    def of(cls, order: Groups, device: Any = None) -> Layout:
        """Raises `InputError` if the order is none."""
        groups, fed, aims, blocks = checked(order), list[int](), list[int](), list[slice]()
        N = sum(map(len, groups))
        for before, group in pairwise([(N,), *groups]):
            fed += [*before, *range(N + 1, N + 1 + len(group) - len(before))]
            blocks.append(slice(len(aims), len(fed)))
            aims += [*group, *[-1] * (len(before) - len(group))]
        return cls(torch.tensor(fed, device=device), torch.tensor(aims, device=device), tuple(blocks), N)

    @property
    def positions(self) -> Tensor:
        """Shape (T, 2): where the token stands that is fed, and which it predicts; -1 for none."""
        return torch.stack([self.fed.where(self.fed < self.N, -1), self.aims], 1)

    @property
    def mask(self) -> Tensor:
        """Shape (T, T): whether i may see j, whose block is the same or before."""
        sizes = torch.tensor([part.stop - part.start for part in self.blocks], device=self.fed.device)
        block = torch.repeat_interleave(sizes)
        return block[:, None] >= block

    def board(self, tokens: Tensor, values: int, labels: Tensor | None, classes: int) -> Tensor:
        """Grids (B, N), beside them the start token and all transition tokens: what `fed` picks from.

        Raises `InputError` for grids of other shapes and values. A label of -1, and none, is no class.
        """
        V, N = check_integer("values", values, 2, None, "count every token id"), self.N
        C, remedy = check_integer("classes", classes, 0, None, "0 is none"), "flatten the grids"
        whole = isinstance(tokens, Tensor) and not tokens.is_floating_point() and tokens.shape[1:] == (N,)
        whole = whole and len(tokens) > 0
        check(whole, "tokens", getattr(tokens, "shape", tokens), f"a tensor of whole numbers (B, {N})", remedy)
        check(bool((tokens >= 0).all() and (tokens < V).all()), "tokens", tokens, f"in [0, {V - 1}]", "see `values`")
        start = tokens.new_full((len(tokens), 1), V + C, dtype=torch.int64)
        if labels is not None:
            y = torch.as_tensor(labels, device=tokens.device)
            fine = y.shape == tokens.shape[:1] and bool((y >= -1).all() and (y < C).all()) and not y.is_floating_point()
            check(fine, "labels", labels, f"({len(tokens)},) classes in [-1, {C - 1}]", "-1 is no class")
            start = V + y[:, None] % (C + 1)
        transitions = V + C + 1 + torch.arange(int(self.fed.max()) - N, device=tokens.device)
        return torch.cat([tokens.long(), start, transitions.expand(len(tokens), -1)], 1)


def answer(model: Decoder, values: int, tokens: Tensor, *fed: Any, **kept: Any) -> Tensor:
    """A decoder's logits of fed tokens, refused if they are of another shape or nan."""
    logits, shape = model(tokens, *fed, **kept), (*tokens.shape, values)
    said = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    check(said == shape, "model", said, f"one that gives logits of shape {shape}", "see `values`")
    check(not bool(logits.isnan().any()), "model", "logits that are nan", "one that gives numbers", "take a less rate")
    return logits


def group_mask(order: Groups) -> Tensor:
    """Shape (T, T): which fed tokens may see which, True where they may."""
    return Layout.of(order).mask


def with_transitions(
    order: Groups, tokens: Tensor, values: int, labels: Tensor | None = None, classes: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """What a decoder is trained on, of grids (B, N): inputs and targets (B, T), -100 for none, and positions (T, 2)."""
    layout = Layout.of(order, tokens.device)
    board, aims = layout.board(tokens, values, labels, classes), layout.aims
    return board[:, layout.fed], board[:, aims].where(aims >= 0, IGNORED), layout.positions


@torch.no_grad()
def parallel_code(
    model: Decoder, order: Groups, tokens: Tensor, values: int, labels: Tensor | None = None, classes: int = 0
) -> Tensor:
    """-log2 of what the model gives each token when decoded in this order, grids (B, N) -> bits (B, N), by position."""
    inputs, targets, positions = with_transitions(order, tokens, values, labels, classes)
    logits = answer(model, values, inputs, positions, group_mask(order).to(tokens.device))
    nats = functional.cross_entropy(logits.flatten(0, 1).double(), targets.flatten(), reduction="none")
    predicts = positions[:, 1] >= 0
    bits = torch.empty(tokens.shape, dtype=torch.float64, device=tokens.device)
    bits[:, positions[predicts, 1]] = nats.view(targets.shape)[:, predicts] / np.log(2)
    return bits


@torch.no_grad()
def generate(
    model: Decoder, order: Groups, batch: int, *, values: int, temperature: float = 1.0, top_k: int = 0,
    labels: Tensor | None = None, classes: int = 0, guidance: float | None = None, cache: bool = True,
    generator: torch.Generator | None = None, device: Any = "cpu",
) -> Tensor:  # fmt: skip
    """Grids (batch, N), a forward pass for each group, whose tokens are drawn independently.

    With `cache` the model is given the tokens of the new block alone, and `cache=`, a dict to keep things in; else all so far.
    `guidance` s of labels draws from logits none + s (class - none), both in one pass (Ho and Salimans 2022).
    """
    check_integer("batch", batch, 1, None, "it is the number of grids")
    check_real("temperature", temperature, 0, float("inf"), "1 is the model's own law", closed="()")
    check_integer("top_k", top_k, 0, values, "0 takes all values")
    if guidance is not None:
        check_real("guidance", guidance, 0, float("inf"), "1 is none", closed="[)")
        check(labels is not None, "labels", labels, "given with `guidance`", "say which classes are wanted")
        labels = torch.cat([torch.as_tensor(labels), torch.full((batch,), -1, device=device)])
    if cache:
        known = signature(getattr(model, "forward", model)).parameters.values()
        fits = any(one.name == "cache" or one.kind is one.VAR_KEYWORD for one in known)
        check(fits, "cache", cache, "False for a model that takes none", "give it an argument `cache`, a dict")
    layout, copies = Layout.of(order, device), 1 if guidance is None else 2
    empty = torch.zeros(copies * batch, layout.N, dtype=torch.int64, device=device)
    board, positions, mask = layout.board(empty, values, labels, classes), layout.positions, layout.mask
    kept = {"cache": {}} if cache else dict[str, Any]()
    for block, group in zip(layout.blocks, order, strict=True):
        part = slice(block.start if cache else 0, block.stop)
        logits = answer(model, values, board[:, layout.fed[part]], positions[part], mask[part, : block.stop], **kept)
        logits = logits[:, block.start - part.start :][:, : len(group)] / temperature
        if guidance is not None:
            logits = logits[batch:] + guidance * (logits[:batch] - logits[batch:])
        if top_k:
            logits = logits.masked_fill(logits < logits.topk(top_k)[0][..., -1:], -torch.inf)
        drawn = torch.multinomial(logits.softmax(-1).flatten(0, 1), 1, generator=generator)
        board[:, list(group)] = drawn.view(batch, -1).repeat(copies, 1)
    return board[:batch, : layout.N]


class GridTransformer(nn.Module):
    """The project's transformer as a decoder of grids: its blocks and kernels, but for an attention with mask and cache.

    Rows turn one half of a head's pairs, columns the other (2-D rotary positions). What stands nowhere is not turned, and each
    token is told which position it predicts. `variant="published"` is PAR's released code: start and transition tokens are
    turned by zero factors, so that their queries and keys vanish, and no token is told what it predicts.
    """

    def __init__(
        self, side: int, values: int, *, layers: int = 2, width: int = 64, heads: int = 4, transitions: int = 16,
        classes: int = 0, seed: int = 0, variant: str = "told",
    ) -> None:  # fmt: skip
        super().__init__()
        check_choice("variant", variant, ("told", "published"))
        check_sizes(side=side, values=values, heads=heads, width=width)
        N, self.values, self.variant = side**2, values, variant
        check(width % (4 * heads) == 0, "width", width, f"a multiple of 4 heads={heads}", "rows and columns turn pairs")
        for name, count in (("classes", classes), ("transitions", transitions)):
            check_integer(name, count, 0, None, "labels, or one less than a group has tokens")
        vocabulary = values + classes + 1 + transitions
        self.core = Transformer(TransformerConfig(vocabulary, N, layers, width, heads), seed)
        random = torch.Generator().manual_seed(seed)
        self.aims = nn.Parameter(0.02 * torch.randn(N + 1, width, generator=random) * (variant == "told"))
        self.aims.requires_grad_(variant == "told")
        axis, place = PLAIN.tables(side, width // heads // 2, side), torch.arange(N)
        for name, table, still in (("cosines", axis[0], 1.0), ("sines", axis[1], 0.0)):
            nowhere = torch.full((1, width // heads // 2), 0.0 if variant == "published" else still)
            both = torch.cat([table[place // side], table[place % side]], 1)
            self.register_buffer(name, torch.cat([both, nowhere]), persistent=False)

    def forward(
        self, tokens: Tensor, positions: Tensor, mask: Tensor, cache: dict[Any, Tensor] | None = None
    ) -> Tensor:
        """(B, t), (t, 2), (t, T) -> (B, t, V); `cache` holds the T - t keys and values before, and takes those of `tokens`."""
        core, (at, aims), known = self.core, positions.T, (len(self.core.embedding), len(self.aims) - 1)
        try:
            x = (functional.embedding(tokens, core.embedding) + self.aims[aims]).flatten(0, 1)
        except IndexError as error:
            asked, remedy = (int(tokens.max()), int(positions.max())), "raise `transitions`, `classes` or `side`"
            raise InputError(f"`tokens` and `positions` must be below {known}, got {asked}; {remedy}") from error
        cosines, sines = self.get_buffer("cosines")[at], self.get_buffer("sines")[at]
        for layer, block in enumerate(core.blocks):
            x = block(x, cosines, sines, partial(_masked, mask, cache, layer))
        logits = product(norm(x, core.norm, core.config.epsilon), core.table[: self.values].t())
        return logits.view(*tokens.shape, -1)


def _masked(
    mask: Tensor, cache: dict[Any, Tensor] | None, layer: int, qkv: Tensor, heads: int, cosines: Tensor, sines: Tensor
) -> Tensor:
    """`attend` with a mask, and keys and values (2, B, H, T, D) from before."""
    t, D = len(cosines), 2 * cosines.shape[1]
    queries, keys, values = qkv.view(-1, t, 3, heads, D).unbind(2)
    q, k = (turn(part, cosines, sines).transpose(1, 2) for part in (queries, keys))
    kept = torch.stack([k, values.transpose(1, 2)])
    if cache is not None:
        kept = cache[layer] = torch.cat([cache[layer], kept], 3) if layer in cache else kept
    mixed = functional.scaled_dot_product_attention(q, kept[0], kept[1], attn_mask=mask)
    return mixed.transpose(1, 2).reshape(-1, heads * D)


def train_order(
    model: nn.Module, order: Groups, tokens: Tensor, values: int, *, steps: int, batch: int = 128, rate: float = 3e-3,
    generator: torch.Generator | None = None, on_step: Callable[[int, float], None] | None = None,
) -> float:  # fmt: skip
    """Teach a decoder the order on grids (n, N): AdamW (0.9, 0.95), rate warmed up over a tenth of the steps, then down to 0.

    Returns the mean loss of the last tenth, bits a grid. `on_step` is told the step, from 1, and its loss.
    """
    check_integer("steps", steps, 1, None, "1000 suit small grids")
    check_integer("batch", batch, 1, None, "128 is a good start")
    check_real("rate", rate, 0, 1, "3e-3 suits small models", closed="()")
    inputs, targets, positions = with_transitions(order, tokens, values)
    mask, found = group_mask(order).to(tokens.device), list[float]()
    optimiser = torch.optim.AdamW(model.parameters(), rate, (0.9, 0.95), weight_decay=0.01)
    ramp = max(1, steps // 10)
    pace = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: min((s + 1) / ramp, (steps - s) / (steps - ramp + 1)))
    for step in range(1, steps + 1):
        rows = torch.randint(len(tokens), (batch,), generator=generator).to(tokens.device)
        logits = answer(model, values, inputs[rows], positions, mask)
        nats = functional.cross_entropy(logits.flatten(0, 1), targets[rows].flatten(), reduction="sum") / batch
        optimiser.zero_grad()
        nats.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        pace.step()
        found.append(nats.item() / np.log(2))
        if on_step is not None:
            on_step(step, found[-1])
    return float(np.mean(found[-ramp:]))
