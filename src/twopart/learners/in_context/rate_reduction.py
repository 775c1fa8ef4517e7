"""Coding rates of anybody's features, layer by layer, and as a regulariser.

rate_reduction(features, labels=y)            # how much shorter the classes make the features' code; (n, d), arrays or tensors
rate_reduction(tokens, subspaces=U)           # the same of subspaces, heads for example; tokens (..., n, d), U (K, d, p)
with watch(model) as seen:                    # any torch module with attention: Crate, a ViT or GPT of Hugging Face or torch
    loss = cross_entropy(model(x), y) + SRRRegulariser(0.03, layer="last")(seen)
print(seen)                                   # R, R^c, sparsity and SRR by layer, and whether the Taylor step is valid

Rates are in nats, by Cholesky in float64, whatever the features' type. Source: Yu et al. 2023, arXiv 2306.01129. Its code has
0.01 in place of ε², its paper ε = 0.5: `variant="published"` takes `eps` as the code does.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from twopart._arrays import finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.learners.in_context.crate import Mssa

Variant = Literal["paper", "published"]
UNIT = "rows are tokens"


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


def coding_rate(
    Z: Any, eps: float = 0.5, dim: int = -1, normalise: bool = True, *, variant: Variant = "paper"
) -> Tensor:  # fmt: skip
    """R(Z) = ½ logdet(I + d/(n ε²) Z'Z) of tokens (..., n, d), (..., d, n) with dim=-2; `normalise` makes each of length 1."""
    z = _tokens("Z", Z, dim)
    return _rate(_unit(z, normalise), z.shape[-1], _square(eps, variant)).to(z.dtype)


def subspace_rate(Z: Any, U: Any, eps: float = 0.5, normalise: bool = True, *, variant: Variant = "paper") -> Tensor:
    """R^c(Z; U) = Σ_k ½ logdet(I + p/(n ε²) V_k'V_k), V_k = Z U_k, of tokens (..., n, d) and subspaces (K, d, p)."""
    z = _tokens("Z", Z)
    return _within(_unit(z, normalise), _subspaces(U, z), _square(eps, variant)).to(z.dtype)


def srr(Z: Any, U: Any, eps: float = 0.5, normalise: bool = True, *, variant: Variant = "paper") -> Rates:
    """R, R^c and sparsity of tokens (..., n, d)."""
    z = _tokens("Z", Z)
    return _rates(z, _subspaces(U, z), _square(eps, variant), normalise)


def taylor(Z: Any, U: Any, eps: float = 0.5, normalise: bool = True, *, variant: Variant = "paper") -> Tensor:
    """The largest β s², of the singular values s of Z U_k, shape (...,): attention's series for R^c is valid below 1."""
    z = _tokens("Z", Z)
    V = _unit(z, normalise)[..., None, :, :] @ _subspaces(U, z).double()
    s = torch.linalg.matrix_norm(V, 2).amax(-1)
    return (V.shape[-1] / (V.shape[-2] * _square(eps, variant)) * s**2).to(z.dtype)


def rate_reduction(
    features: Any, *, labels: Any = None, subspaces: Any = None, eps: float = 0.5, normalise: bool = True,
    variant: Variant = "paper",
) -> Tensor:  # fmt: skip
    """What a grouping saves: R(Z) - Σ_j n_j/n R(Z_j) for labels of rows, Z (n, d); R(Z) - R^c(Z; U) for subspaces, Z (..., n, d).

    Source: Yu, Chan, You, Song, Ma 2020, arXiv 2006.08558, for labels. Raises `InputError`.
    """
    check((labels is None) != (subspaces is None), "labels", labels, "given, or else subspaces", "name one grouping")
    z, square = _tokens("features", features), _square(eps, variant)
    unit = _unit(z, normalise)
    total = _rate(unit, z.shape[-1], square)
    if subspaces is not None:
        return (total - _within(unit, _subspaces(subspaces, z), square)).to(z.dtype)
    y = torch.as_tensor(labels, device=z.device)
    check(
        z.ndim == 2 and y.shape == z.shape[:1],
        "labels",
        tuple(y.shape),
        f"one for each of {tuple(z.shape)[0]} rows",
        "see n",
    )
    parts = [(unit[y == one], float((y == one).double().mean())) for one in y.unique()]
    return (total - sum(share * _rate(part, z.shape[-1], square) for part, share in parts)).to(z.dtype)


def subspaces_of(module: nn.Module) -> Tensor:
    """U (K, d, p) of the first attention in a module: its value projection by head; of `Mssa`, the one that it has.

    Knows `Mssa`, `nn.MultiheadAttention`, and attention of Hugging Face (`value`, `v_proj`, `v_lin`, `c_attn`). Raises
    `InputError` where there is none.
    """
    for part in module.modules():
        if isinstance(part, Mssa):
            return part.subspaces
        heads = next((h for o in (part, getattr(part, "config", None)) for n in HEADS if (h := getattr(o, n, None))), 0)
        if isinstance(fused := getattr(part, "in_proj_weight", None), Tensor):
            return fused.chunk(3)[2].unflatten(0, (heads, -1)).mT
        if isinstance(fused := getattr(getattr(part, "c_attn", None), "weight", None), Tensor):  # (d, 3d)
            return fused.mT.chunk(3)[2].unflatten(0, (heads, -1)).mT
        value = next((v for name in VALUES if isinstance(v := getattr(part, name, None), nn.Linear)), None)
        if value is not None and heads:
            width = getattr(part, "head_dim", None) or value.out_features // heads
            return value.weight.unflatten(0, (-1, width)).mT
    check(False, "module", type(module).__name__, "one with attention", "or give `subspaces` yourself to srr")
    raise AssertionError


HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head")
VALUES = ("value", "v_proj", "v_lin")


class watch:  # noqa: N801  # a context manager, used as a function
    """Keeps the output of each layer, and its subspaces, whenever the model is called inside the `with`.

    `layers` are names of submodules that hold an attention each and give tokens (..., n, d), or a tuple that begins so; None
    takes the children of the module's first `nn.ModuleList`. What is kept is of the last call, with its graph.
    """

    def __init__(
        self, model: nn.Module, layers: Sequence[str] | None = None, *, eps: float = 0.5, normalise: bool = True,
        variant: Variant = "paper",
    ) -> None:  # fmt: skip
        known = dict(model.named_modules())
        lists = (
            f"{name}.{i}" if name else str(i)
            for name, m in known.items()
            if isinstance(m, nn.ModuleList)
            for i in range(len(m))
        )
        self.layers = tuple(lists) if layers is None else tuple(layers)
        check(
            bool(self.layers) and set(self.layers) <= set(known),
            "layers",
            self.layers,
            "names of submodules",
            "see named_modules()",
        )
        self.modules, self.square, self.normalise = (
            [known[name] for name in self.layers],
            _square(eps, variant),
            normalise,
        )
        for module in self.modules:
            subspaces_of(module)
        self.features: dict[str, tuple[Tensor, Tensor]] = {}

    def __enter__(self) -> watch:
        self.handles = [m.register_forward_hook(self._keep(n)) for n, m in zip(self.layers, self.modules, strict=True)]
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        for handle in self.handles:
            handle.remove()

    def _keep(self, name: str) -> Any:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            self.features[name] = (output[0] if isinstance(output, tuple) else output, subspaces_of(module))

        return hook

    def rates(self, layer: int | None = None) -> list[Rates]:
        """Of each layer, or of one; shapes (...,) as in the features. Raises `InputError` before the model was called."""
        check(
            len(self.features) == len(self.layers),
            "seen",
            len(self.features),
            "layers of a call",
            "call the model inside",
        )
        chosen = self.layers if layer is None else (self.layers[layer],)
        return [_rates(*self.features[name], self.square, self.normalise) for name in chosen]

    def __str__(self) -> str:
        lines = [
            f"{'layer':<20} {'R':>8} {'R^c':>8} {'sparsity':>9} {'SRR':>8} {'βs²':>8}   (the Taylor step is valid below 1)"
        ]
        for name, one in zip(self.layers, self.rates(), strict=True):
            z, U = (t.detach() for t in self.features[name])
            means = [
                float(x.detach().mean())
                for x in (*one, one.srr, taylor(z, U, self.square, self.normalise, variant="published"))
            ]
            lines.append(f"{name:<20} {means[0]:8.3f} {means[1]:8.3f} {means[2]:9.3f} {means[3]:8.3f} {means[4]:8.3f}")
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
        """The penalty of what was seen in the last call."""
        count = len(seen.layers)
        at: Any = {"last": count - 1, "random": int(self.random.integers(count))}.get(str(self.layer), self.layer)
        return self.weight * seen.rates(check_integer("layer", at, -count, count - 1, "see seen.layers"))[0].srr.mean()


def _tokens(name: str, values: Any, dim: int = -1) -> Tensor:
    z = torch.as_tensor(values)
    check(z.ndim >= 2, name, tuple(z.shape), "of shape (..., n, d)", UNIT)
    check(dim in (-1, -2), "dim", dim, "-1 or -2", "it is the axis of a token's dimensions")
    z = finite_tensor(name, z, (None,) * z.ndim, UNIT)
    return z if dim == -1 else z.mT


def _subspaces(values: Any, z: Tensor) -> Tensor:
    return finite_tensor("U", torch.as_tensor(values), (None, z.shape[-1], None), "a matrix (d, p) for each head").to(
        z.device
    )


def _square(eps: float, variant: str) -> float:
    check_choice("variant", variant, ("paper", "published"))
    one = check_real("eps", eps, 0, np.inf, "0.5 is the paper's, 0.01 in place of its square the code's", closed="()")
    return one**2 if variant == "paper" else one


def _unit(z: Tensor, normalise: bool) -> Tensor:
    z = z.double()
    return z / z.norm(dim=-1, keepdim=True).clamp_min(1e-12) if normalise else z


def _rate(V: Tensor, d: int, square: float) -> Tensor:
    """½ logdet(I + d/(n ε²) V'V), of the smaller side; V (..., n, any)."""
    n, width = V.shape[-2:]
    gram = d / (n * square) * (V.mT @ V if width < n else V @ V.mT)
    eye = torch.eye(gram.shape[-1], dtype=V.dtype, device=V.device)
    return torch.linalg.cholesky_ex(eye + gram).L.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _within(unit: Tensor, U: Tensor, square: float) -> Tensor:
    return _rate(unit[..., None, :, :] @ U.double(), U.shape[-1], square).sum(-1)


def _rates(z: Tensor, U: Tensor, square: float, normalise: bool) -> Rates:
    unit = _unit(z, normalise)
    total, within = _rate(unit, z.shape[-1], square), _within(unit, U, square)
    return Rates(total.to(z.dtype), within.to(z.dtype), (z != 0).to(z.dtype).mean((-2, -1)))
