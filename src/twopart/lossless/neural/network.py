"""The transformer of `twopart.learners`, one byte at a time in B lanes, with what its gradient needs kept as it goes.

Between two updates the weights stand still, so the T steps that predicted a block *are* the forward pass of training on it:
only the backward pass remains, and that one runs over all T x B rows at once. Coding so costs what training costs, and the
encoder has no other arithmetic than the decoder, which cannot know a byte before it has predicted it.

Attention looks back at `memory` more positions before the block, whose keys and values stay as they were computed (Dai et al.
2019, Transformer-XL, section 3.2; rotary positions are relative, so keys are turned back by T when the window moves on).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from twopart.learners import _kernels
from twopart.learners.transformer import Block, Transformer, rotary_tables
from twopart.lossless.neural._attention import attend
from twopart.lossless.neural.buffers import Layer, Loops, Matrices, kept_of, loops_of, norm_of, step_of


class Network:
    """A transformer over bytes in the middle of a file."""

    def __init__(self, model: Transformer, lanes: int, block: int) -> None:
        config = model.config
        self.model, self.lanes, self.block = model, lanes, block
        self.memory = config.context - block
        self._blocks = [cast(Block, part) for part in model.blocks]
        self._kept = kept_of(config, lanes, block)
        self._steps = [step_of(self._kept, t, lanes) for t in range(block)]
        self._loops = [
            [loops_of(*pair, part.xs[i], lanes) for i, pair in enumerate(zip(self._blocks, part.layers, strict=True))]
            for part in self._steps
        ]
        self._norms = [norm_of(part.xs[-1], model.norm, part.features, part.scale) for part in self._steps]
        self._matrices = [
            Matrices(*(getattr(part, name).detach() for name in Matrices._fields)) for part in self._blocks
        ]
        self._table = model.embedding.detach()
        self._cosines, self._sines = (table.numpy() for table in rotary_tables(config.context, config.head_width))
        self._held = 0

    def forget(self) -> None:
        """What follows has nothing to do with what came before."""
        self._held = 0
        for kept in self._kept.layers:
            kept.weights.zero_()

    def step(self, t: int, tokens: Tensor) -> Tensor:
        """Probabilities (B, 256) of step t of the block, given the bytes (B,) before it; the next block overwrites them."""
        here = self._steps[t]
        here.tokens.copy_(tokens)
        torch.index_select(self._table, 0, tokens, out=here.xs[0])
        for i, matrices in enumerate(self._matrices):
            self._through(matrices, here.layers[i], self._loops[t][i], here.xs[i], here.xs[i + 1], self._held + t)
        _kernels.norm_forward(*self._norms[t])
        torch.mm(here.features, self._table.t(), out=here.rows)
        return torch.softmax(here.rows, 1, out=here.rows)

    def _through(self, matrices: Matrices, kept: Layer, loops: Loops, x: Tensor, out: Tensor, at: int) -> None:
        _kernels.norm_forward(*loops.attention_norm)
        torch.mm(kept.attention_norm, matrices.query_key_value, out=kept.qkv)
        attend(self._cosines[at], self._sines[at], at, *loops.attend)
        torch.addmm(x, kept.mixed, matrices.out, out=kept.middle)
        _kernels.norm_forward(*loops.feed_norm)
        torch.mm(kept.feed_norm, matrices.gate_up, out=kept.gate_up)
        _kernels.gate_forward(*loops.gate)
        torch.addmm(kept.middle, kept.gated, matrices.down, out=out)

    @torch.no_grad()
    def gradient(self, steps: int, targets: Tensor, active: Tensor) -> None:
        """Fill `.grad` of the weights with the gradient of the mean nats of the first `steps` steps.

        `targets` (steps B,) are the bytes that came; those of rows that are not `active` (steps B,), 0 or 1, do not count.
        """
        used = slice(0, steps * self.lanes)
        kept, model = self._kept, self.model
        errors = kept.rows[used]
        errors.scatter_add_(1, targets.unsqueeze(1), -torch.ones(len(targets), 1))
        errors *= (active / active.sum()).unsqueeze(1)
        table = errors.t() @ kept.features[used]
        dx = torch.empty_like(kept.features[used])
        model.norm.grad = _norm_back(kept.xs[-1][used], model.norm, kept.scale[used], errors @ model.embedding, dx)
        for i in reversed(range(len(self._blocks))):
            self._back(self._blocks[i], kept.layers[i], kept.xs[i][used], steps, dx)
        model.embedding.grad = table.index_add_(0, kept.tokens[used], dx)

    def _back(self, block: Block, kept: Layer, x: Tensor, steps: int, dx: Tensor) -> None:
        """Turn dx, the gradient of a block's output, into that of its input x."""
        used = slice(0, len(x))
        block.down.grad = kept.gated[used].t() @ dx
        dgate_up = torch.empty_like(kept.gate_up[used])
        views = (x.numpy().reshape(len(x), 2, -1) for x in (kept.gate_up[used], dgate_up))
        gate_up, out = views
        _kernels.gate_backward(gate_up, (dx @ block.down.t()).numpy(), out)
        block.gate_up.grad = kept.feed_norm[used].t() @ dgate_up
        more = torch.empty_like(dx)
        dnorm = dgate_up @ block.gate_up.t()
        block.feed_norm.grad = _norm_back(kept.middle[used], block.feed_norm, kept.feed_scale[used], dnorm, more)
        dx += more
        block.out.grad = kept.mixed[used].t() @ dx
        dqkv = self._attention_back(kept, steps, dx @ block.out.t(), block.heads)
        block.query_key_value.grad = kept.attention_norm[used].t() @ dqkv
        dnorm = dqkv @ block.query_key_value.t()
        block.attention_norm.grad = _norm_back(x, block.attention_norm, kept.attention_scale[used], dnorm, more)
        dx += more

    def _attention_back(self, kept: Layer, steps: int, dmixed: Tensor, heads: int) -> Tensor:
        """The gradient of qkv before its turn; memory is given, so nothing flows into it."""
        B, M = self.lanes, self._held
        end = M + steps
        shape = (steps, B, heads, -1)
        dout = dmixed.view(shape).permute(1, 2, 0, 3)  # (B, heads, steps, D)
        weights = kept.weights[:steps, :, :, :end].permute(1, 2, 0, 3)
        dweights = dout @ kept.values[:, :, :end].transpose(2, 3)
        dscores = weights * (dweights - (dweights * weights).sum(3, keepdim=True))
        dscores *= dmixed.shape[1] ** -0.5 * heads**0.5
        queries = kept.qkv[: steps * B].view(steps, B, 3, heads, -1)[:, :, 0].permute(1, 2, 0, 3)
        result = torch.empty(steps, B, 3, heads, queries.shape[3])
        result[:, :, 0] = (dscores @ kept.keys[:, :, :end]).permute(2, 0, 1, 3)
        result[:, :, 1] = (dscores[..., M:].transpose(2, 3) @ queries).permute(2, 0, 1, 3)
        result[:, :, 2] = (weights[..., M:].transpose(2, 3) @ dout).permute(2, 0, 1, 3)
        c, s = (torch.from_numpy(table[M:end, None, None, None]) for table in (self._cosines, self._sines))
        first, second = result[:, :, :2].chunk(2, -1)
        result[:, :, :2] = torch.cat((first * c + second * s, second * c - first * s), -1)
        return result.view(steps * B, -1)

    @torch.no_grad()
    def move_on(self) -> None:
        """The block is over: its last positions become memory."""
        T = self.block
        if self._held < self.memory:
            self._held += T
            return
        if self.memory == 0:
            return
        c, s = (torch.from_numpy(table[T]) for table in (self._cosines, self._sines))
        for kept in self._kept.layers:
            first, second = kept.keys[:, :, T:].chunk(2, 3)
            kept.keys[:, :, :-T] = torch.cat((first * c + second * s, second * c - first * s), 3)
            kept.values[:, :, :-T] = kept.values[:, :, T:].clone()


def _norm_back(x: Tensor, gain: Tensor, scale: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
    """Fills dx; the gain's gradient."""
    dgain = torch.zeros_like(gain)
    _kernels.norm_backward(
        x.numpy(), gain.detach().numpy(), scale.numpy(), dy.numpy(), dx.numpy(), dgain.detach().numpy()
    )
    return dgain
