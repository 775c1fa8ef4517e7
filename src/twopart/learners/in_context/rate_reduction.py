"""Coding rates of anybody's features, layer by layer, and as a regulariser.

rate_reduction(features, labels)              # how much shorter classes make the features' code; (n, d), arrays or tensors
srr(tokens, U)                                # R, R^c in subspaces, heads for example, and sparsity; (..., n, d), (K, d, p)
with watch(model) as seen:                    # any torch module with attention: Crate, a ViT or GPT of Hugging Face or torch
    loss = cross_entropy(model(x), y) + SRRRegulariser(0.03, layer="last")(seen)
print(seen)                                   # R, R^c, sparsity and SRR by layer, and whether attention's series is valid

Rates are in nats, by Cholesky in float64, whatever the features' type. Source: Yu et al. 2023, arXiv 2306.01129. Its code has
0.01 in place of ε², its paper ε = 0.5: `variant="published"` takes `eps` as the code does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from twopart._arrays import finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.learners.in_context.attention_parts import subspaces_of

Variant = Literal["paper", "published"]


class Rates(NamedTuple):
    """Of each context, shapes (...,)."""

    total: Tensor
    """R, of all tokens."""
    subspace: Tensor
    """R^c, of the tokens within subspaces."""
    sparsity: Tensor
    """Share of entries that are not 0, |Z|_0 / (n d)."""

    @property
    def srr(self) -> Tensor:
        """|Z|_0 + R^c - R, to be small; |Z|_0 as a share, which is a choice: its weight against rates is free."""
        return self.sparsity + self.subspace - self.total


def coding_rate(Z: Any, eps: float = 0.5, dim: int = -1, normalise: bool = True, variant: Variant = "paper") -> Tensor:
    """R(Z) = ½ logdet(I + d/(n ε²) Z'Z) of tokens (..., n, d), or (..., d, n) if `dim` is -2; `normalise`: to length 1."""
    check(dim in (-1, -2), "dim", dim, "-1 or -2", "it is the axis of a token's dimensions")
    z = _tokens("Z", Z)
    z = z if dim == -1 else z.mT
    return _rate(_unit(z, normalise), z.shape[-1], _square(eps, variant)).to(z.dtype)


def subspace_rate(Z: Any, U: Any, eps: float = 0.5, normalise: bool = True, variant: Variant = "paper") -> Tensor:
    """R^c(Z; U) = Σ_k ½ logdet(I + p/(n ε²) V_k'V_k), V_k = Z U_k, of tokens (..., n, d) and subspaces (K, d, p)."""
    return srr(Z, U, eps, normalise, variant).subspace


def srr(Z: Any, U: Any, eps: float = 0.5, normalise: bool = True, variant: Variant = "paper") -> Rates:
    """R, R^c and sparsity of tokens (..., n, d) in subspaces (K, d, p); raises `InputError`, as all here do."""
    z = _tokens("Z", Z)
    return _rates(z, _subspaces(U, z), _square(eps, variant), normalise)


def taylor(Z: Any, U: Any, eps: float = 0.5, normalise: bool = True, variant: Variant = "paper") -> Tensor:
    """The largest β s², s the singular values of Z U_k, shape (...,): the series that attention cuts is valid below 1."""
    z = _tokens("Z", Z)
    V = _unit(z, normalise)[..., None, :, :] @ _subspaces(U, z).double()
    β, s = V.shape[-1] / (V.shape[-2] * _square(eps, variant)), torch.linalg.svdvals(V)
    return torch.as_tensor(β * s.amax((-2, -1)).square()).to(z)


def rate_reduction(
    features: Any, labels: Any, eps: float = 0.5, normalise: bool = True, variant: Variant = "paper"
) -> Tensor:
    """What classes save: R(Z) - Σ_j n_j/n R(Z_j) of rows, Z (n, d), with labels (n,).

    Source: Yu, Chan, You, Song, Ma 2020, arXiv 2006.08558. Of subspaces it is R - R^c, which `srr` has.
    """
    z, square = _tokens("features", features), _square(eps, variant)
    y, shape, unit = torch.as_tensor(labels, device=z.device), tuple(z.shape), _unit(z, normalise)
    check(len(shape) == 2 and y.shape == shape[:1], "labels", tuple(y.shape), f"one for each row of {shape}", "see n")
    parts = [(y == one).nonzero()[:, 0] for one in torch.unique(y)]
    within = torch.stack([len(part) / len(y) * _rate(unit[part], shape[1], square) for part in parts])
    return (_rate(unit, shape[1], square) - within.sum()).to(z.dtype)


class watch:  # noqa: N801  # a context manager, used as a function
    """Keeps what each layer gives, and its subspaces, whenever the model is called inside the `with`.

    `layers` are names of submodules that hold an attention each and give tokens (B, n, d), or a tuple that begins so; None
    takes the parts of every `nn.ModuleList`. What is kept is that of the last call, with its graph.
    """

    def __init__(
        self, model: nn.Module, layers: Sequence[str] | None = None, *, eps: float = 0.5, normalise: bool = True,
        variant: Variant = "paper",
    ) -> None:  # fmt: skip
        known = dict(model.named_modules())
        listed = [name for name in known if isinstance(known.get(name.rpartition(".")[0]), nn.ModuleList)]
        self.layers = tuple(listed if layers is None else layers)
        have = bool(self.layers) and set(self.layers) <= set(known)
        check(have, "layers", self.layers, "names of submodules", "model.named_modules() has them")
        self.modules, self.square, self.normalise = [known[n] for n in self.layers], _square(eps, variant), normalise
        self.features, self.subspaces = list[Tensor](), [subspaces_of(module) for module in self.modules]

    def __enter__(self) -> watch:
        self.handles = [m.register_forward_hook(self._keep) for m in self.modules]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _keep(self, module: nn.Module, given: Any, output: Any) -> None:
        if len(self.features) == len(self.layers):  # another call begins
            self.features = []
        self.subspaces[len(self.features)] = subspaces_of(module)
        self.features.append(output[0] if isinstance(output, tuple) else output)

    def rates(self, layer: int | None = None) -> list[Rates]:
        """Of each layer, or of one, shapes (B,). Raises `InputError` before the model was called."""
        count = len(self.features)
        check(count == len(self.layers), "seen", count, f"{len(self.layers)} layers", "call the model inside")
        at = range(count) if layer is None else [check_integer("layer", layer, -count, count - 1, "from 0 on")]
        return [_rates(self.features[i], self.subspaces[i], self.square, self.normalise) for i in at]

    def __str__(self) -> str:
        columns = "".join(f" {name:>8}" for name in ("R", "R^c", "nonzero", "SRR", "β s²"))
        lines = [f"{'layer':<24}{columns}   (attention's series is valid for β s² below 1)"]
        for name, rates, z, U in zip(self.layers, self.rates(), self.features, self.subspaces, strict=True):
            valid = taylor(z.detach(), U.detach(), self.square, self.normalise, "published")
            means = (float(one.detach().mean()) for one in (*rates, rates.srr, valid))
            lines.append(f"{name:<24} " + " ".join(f"{mean:8.3f}" for mean in means))
        return "\n".join(lines)


class SRRRegulariser:
    """Weight times the mean SRR of one layer: "last", "random" (another at each call), or its number.

    The count of entries has no gradient: what is pushed is R^c - R. Source: Hu, Zou, Xu 2024, arXiv 2411.17182.
    """

    def __init__(self, weight: float, layer: Literal["last", "random"] | int = "last", seed: int = 0) -> None:
        self.weight = check_real("weight", weight, 0, np.inf, "0 leaves it out", closed="[)")
        if isinstance(layer, str):
            check_choice("layer", layer, ("last", "random"), "or give its number")
        self.layer, self.random = layer, np.random.default_rng(check_integer("seed", seed, 0, None, "any number"))

    def __call__(self, seen: watch) -> Tensor:
        """The penalty, a number with its gradient, of what was seen in the last call."""
        at = self.random.integers(len(seen.layers)) if self.layer == "random" else self.layer
        return self.weight * seen.rates(-1 if at == "last" else int(at))[0].srr.mean()


def _tokens(name: str, values: Any) -> Tensor:
    z = torch.as_tensor(values)
    check(z.ndim > 1, name, tuple(z.shape), "of shape (..., n, d)", "rows are tokens")
    return finite_tensor(name, z, (None,) * z.ndim, "rows are tokens")


def _subspaces(values: Any, z: Tensor) -> Tensor:
    U = torch.as_tensor(values, device=z.device)
    return finite_tensor("U", U, (None, z.shape[-1], None), "give a matrix (d, p) for each head")


def _square(eps: float, variant: str) -> float:
    check_choice("variant", variant, ("paper", "published"))
    one = check_real("eps", eps, 0, np.inf, "0.5 is the paper's, 0.01 in place of its square the code's", closed="()")
    return one**2 if variant == "paper" else one


def _unit(z: Tensor, normalise: bool) -> Tensor:
    z = z.double()
    return z / z.norm(dim=-1, keepdim=True).clamp_min(1e-12) if normalise else z


def _rate(V: Tensor, width: int, square: float) -> Tensor:
    """½ logdet(I + width/(n ε²) V'V) of V (..., n, any), on the smaller side."""
    gram = width / (V.shape[-2] * square) * (V.mT @ V if V.shape[-1] < V.shape[-2] else V @ V.mT)
    eye = torch.eye(gram.shape[-1], dtype=V.dtype, device=V.device)
    root: Tensor = torch.linalg.cholesky_ex(eye + gram).L
    return root.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _rates(z: Tensor, U: Tensor, square: float, normalise: bool) -> Rates:
    unit = _unit(z, normalise)
    within = _rate(unit[..., None, :, :] @ U.double(), U.shape[-1], square).sum(-1)
    return Rates(_rate(unit, z.shape[-1], square).to(z), within.to(z), (z != 0).to(z).mean((-2, -1)))
