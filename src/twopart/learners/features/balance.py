"""What gradient flow conserves in any ReLU network: of each hidden neuron, outgoing squares minus incoming ones.

    before = balance(module)                   # one line, before training; `module` is yours
    ...
    now = balance(module)
    now.differences["0 -> 2"]                  # v² - |w|² of each neuron between the layers named 0 and 2
    now.ratios["0 -> 2"]                       # |w| / |v|: 1 where both layers have grown together
    now.drift(before)                          # what steps, momentum or weight decay have changed, relative to the squares

A neuron whose activation f is positively homogeneous, f(c z) = c f(z) for c > 0, computes the same with w c and v/c. Therefore
v² - |w|² (biases count as weights) stays under gradient flow of any loss; a step of rate η changes it by η² (|∂v|² - |∂w|²).
It says which layer has grown: near its start where the output is large, near 0 in comparison where it began small. Source: Du,
Hu, Lee 2018, arXiv 1806.00900, theorem 2.1; docs/laws/initialization.md, what is conserved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx, nn

from twopart._checks import InputError, check

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
LAYERS = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d
POOLS = "maxpool", "avgpool", "adaptiveavgpool", "adaptivemaxpool"
THROUGH = "relu", "leakyrelu", "prelu", "identity", "dropout", "flatten", "view", "reshape", "sum", "mean"
SHAPES = "size", "dim", getattr  # x.size(0), x.shape: they read no neuron
REMEDY = "name `pairs` of layers with ReLU, pooling or dropout between them"


@dataclass(frozen=True, eq=False)
class Balance:
    """Of each pair of layers, named "first -> second", a number for each neuron between them, float64."""

    incoming: dict[str, Tensor]
    """|w|², the bias too."""
    outgoing: dict[str, Tensor]
    """v², summed over all that the neuron feeds."""

    @property
    def differences(self) -> dict[str, Tensor]:
        """v² - |w|², which gradient flow conserves."""
        return {name: self.outgoing[name] - w for name, w in self.incoming.items()}

    @property
    def ratios(self) -> dict[str, Tensor]:
        """|w| / |v|."""
        return {name: (w / self.outgoing[name]).sqrt() for name, w in self.incoming.items()}

    def drift(self, before: Balance) -> dict[str, float]:
        """The root mean square change of the differences since `before`, in units of the mean v² + |w|² now."""
        same = {n: len(w) for n, w in before.incoming.items()} == {n: len(w) for n, w in self.incoming.items()}
        check(
            same, "before", list(before.incoming), f"of the same layers, {list(self.incoming)}", "ask one module twice"
        )
        changes = {name: now - before.differences[name] for name, now in self.differences.items()}
        units = {name: (w + self.outgoing[name]).mean() for name, w in self.incoming.items()}
        return {name: float(change.square().mean().sqrt() / units[name]) for name, change in changes.items()}


def balance(module: nn.Module, pairs: Sequence[tuple[str, str]] | None = None) -> Balance:
    """Squares of both layers of every neuron that lies between two linear or convolutional layers of any torch module.

    Pairs are found by tracing the module with torch.fx: layers that train, each called once, with only ReLU, leaky ReLU,
    dropout, flattening, sums over patches and (of channels) pooling between them, and nothing else that reads the neurons.
    Where a module cannot be traced, name `pairs` as in `module.named_modules()`: that they satisfy this is then yours to know.
    Works on any device and float type, and keeps no graph. Raises `InputError` where there is no pair, shapes do not fit, or
    weights are nan or infinite.
    """
    layers = {name: part for name, part in module.named_modules() if isinstance(part, LAYERS)}
    incoming, outgoing = {}, {}
    for first, second in list(_found(module, layers)) if pairs is None else pairs:
        known = first in layers and second in layers
        check(known, "pairs", (first, second), f"of names in {list(layers)}", "see module.named_modules()")
        name = f"{first} -> {second}"
        incoming[name], outgoing[name] = _incoming(layers[first]), _outgoing(name, layers[first], layers[second])
        finite = bool((incoming[name] + outgoing[name]).isfinite().all())
        check(finite, "module", f"weights nan or infinite in {name}", "of finite weights", "see how it was trained")
    check(len(incoming) > 0, "module", type(module).__name__, "two layers that train with neurons between", REMEDY)
    return Balance(incoming, outgoing)


def _incoming(layer: Layer) -> Tensor:
    w = layer.weight.detach().double().flatten(1).square().sum(1)
    return w if layer.bias is None else w + layer.bias.detach().double().square()


def _outgoing(name: str, first: Layer, second: Layer) -> Tensor:
    """By neuron. Behind a flattening, a neuron's columns are together if it is a channel, else strewn, one a patch."""
    v, m = second.weight.detach().double(), first.weight.shape[0]
    fits = _fits(first, second)
    check(fits, "pairs", name, f"a second layer that reads the {m} neurons of the first", "see the shapes of weights")
    if isinstance(second, nn.Linear) and isinstance(first, nn.Linear):
        return v.square().reshape(len(v), -1, m).sum((0, 1))
    return v.square().reshape(len(v), m, -1).sum((0, 2))


def _fits(first: Layer, second: Layer) -> bool:
    m = first.weight.shape[0]
    if isinstance(second, nn.Linear):
        return second.in_features % m == 0
    return second.groups == 1 and second.in_channels == m


def _found(module: nn.Module, layers: dict[str, Layer]) -> Iterator[tuple[str, str]]:
    """Names of the layers of all pairs, in the order of the computation."""
    try:
        graph = fx.Tracer().trace(module)
    except Exception as error:  # whatever a stranger's forward raises when it meets a proxy
        raise InputError(f"`module` must be one that torch.fx can trace, got {error}; {REMEDY}") from error
    calls = [str(node.target) for node in graph.nodes if node.op == "call_module"]
    weights = [id(part.weight) for part in layers.values()]
    for node in graph.nodes:
        layer = layers.get(str(node.target)) if node.op == "call_module" else None
        if layer is None or not all(p.requires_grad for p in layer.parameters()):
            continue
        second = _reader(module, node, layers, channels=not isinstance(layer, nn.Linear))
        if second is None or not layers[second].weight.requires_grad or not _fits(layer, layers[second]):
            continue
        pair = str(node.target), second
        if all(calls.count(name) == 1 and weights.count(id(layers[name].weight)) == 1 for name in pair):
            yield pair


def _reader(module: nn.Module, node: Any, layers: dict[str, Layer], channels: bool) -> str | None:
    """The name of the only layer that reads these neurons, through what is homogeneous and keeps them apart."""
    while len(users := [user for user in node.users if user.target not in SHAPES]) == 1:
        (node,) = users
        if node.op == "call_module" and str(node.target) in layers:
            return str(node.target)
        if not _passes(module, node, channels):
            return None
    return None


def _passes(module: nn.Module, node: Any, channels: bool) -> bool:
    part = type(module.get_submodule(node.target)) if node.op == "call_module" else node.target
    own = node.op != "call_module" or part.__module__.startswith("torch.nn.")  # not a stranger's class of that name
    name = str(getattr(part, "__name__", part)).lower().replace("_", "").rstrip("123d")
    return own and node.op != "output" and (name in THROUGH or (channels and name in POOLS))
