"""Linear attention that descends: L layers, each a step of gradient descent from a trained initial point β_0.

    r ← y - X β_0,  out ← <β_0, x_q>;  each layer:  u = Γ Σ_i r_i x_i,  out ← out + <u, x_q>,  r_j ← r_j - <u, x_j>

so that out = <β_L, x_q> with β_{l+1} = β_l + Γ_l X'(y - X β_l). Attention sums over tokens and is not divided by their number:
steps are tuned to the length n of training, whatever length comes later. That is how repetition hijacks; a mean would undo it.
Source: Li, Zhang, Chen, Cao, Zou 2025 (arXiv 2502.15609).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from twopart._arrays import Floats, finite_tensor
from twopart._checks import check_integer, check_real
from twopart.learners.in_context.answers import check_prompts


class GradientTransformer(nn.Module):
    """`model(x, y, query) -> scores (B,)` from x (B, N, d), N >= 0, y (B, N) and query (B, d); positive for the class +1."""

    def __init__(
        self, layers: int, dimension: int, *, tied: bool = False, isotropic: bool = False, clip: bool = False
    ) -> None:
        """Parameters `initial` (d,) and `steps`, 0 at first: matrices (L, d, d), or numbers (L,) if `isotropic`; one for all if
        `tied`. `clip` shortens a layer's step, prompt by prompt, to that which leaves the least residual, if it is the shorter.
        """
        super().__init__()
        self.layers = check_integer("layers", layers, 1, None, "a transformer has one")
        d = check_integer("dimension", dimension, 1, None, "inputs have one")
        self.clip, own = clip, () if isotropic else (d, d)
        self.initial = nn.Parameter(torch.zeros(d))
        self.steps = nn.Parameter(torch.zeros(1 if tied else layers, *own))
        self.after = nn.ModuleList(nn.Identity() for _ in range(layers + 1))  # where hooks find the logits on the way

    def forward(self, x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        return self.trace(x, y, query)[0][-1]

    def trace(self, x: Tensor, y: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the initial point and after each layer, (L + 1, B), and lengths |r| of the residuals there."""
        check_prompts(x, y, query, len(self.initial))
        r, logit = y - x @ self.initial, self.after[0](query @ self.initial)
        logits, lengths = [logit], [r.norm(dim=1)]
        for Γ, seen in zip(self.steps.expand(self.layers, *self.steps.shape[1:]), self.after[1:], strict=True):
            u = (r[:, None] @ x)[:, 0]
            u = Γ * u if Γ.dim() == 0 else u @ Γ.T
            change = (x @ u[..., None])[..., 0]
            if self.clip:
                best = (r * change).sum(1) / change.square().sum(1).clamp(min=torch.finfo(r.dtype).tiny)
                share = best.clamp(0, 1)[:, None]
                u, change = share * u, share * change
            logit, r = seen(logit + (u * query).sum(1)), r - change
            logits.append(logit)
            lengths.append(r.norm(dim=1))
        return torch.stack(logits), torch.stack(lengths)

    def growth(self, x: Tensor, y: Tensor) -> Tensor:
        """|r| after each layer over |r| before it, (L, B): above 1 the layer overshoots, as it does when it is hijacked."""
        lengths = self.trace(x, y, torch.zeros_like(x[:, 0]))[1]
        return lengths[1:] / lengths[:-1].clamp(min=torch.finfo(x.dtype).tiny)

    def step_sizes(self) -> Floats:
        """The steps of all layers as the laws take them, float64: (L,) or (L, d, d)."""
        whole = self.steps.detach().expand(self.layers, *self.steps.shape[1:])
        return np.asarray(whole.double().cpu().numpy())

    @torch.no_grad()
    def set(self, initial: Tensor, step: float) -> GradientTransformer:
        """Give every layer this step (times the identity), and the initial point (d,): a law's, say. Returns itself."""
        finite_tensor("initial", initial, tuple(self.initial.shape), "as the model's")
        size = check_real("step", step, -float("inf"), float("inf"), "optimal_steps finds one", closed="()")
        self.initial.copy_(initial)
        self.steps.copy_(size * torch.eye(len(initial)) if self.steps.dim() == 3 else torch.tensor(size))
        return self
