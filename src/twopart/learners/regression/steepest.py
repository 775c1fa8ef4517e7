"""Steepest descent in any norm as one torch optimiser: SignSGD, normalised SGD, Muon and all between, and margins of modules.

optimiser = SteepestDescent(model.parameters(), lr=0.01, norm="spectral", momentum=0.95)
loss(model(x), y).backward()
optimiser.step()

torch.optim.Muon(params)  =  SteepestDescent(params, 1e-3, "spectral", 0.95, nesterov=True, weight_decay=0.1,
                                             svd="newton-schulz", adjust_lr_fn="original")
"""

from __future__ import annotations

import ctypes
import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import carray, types  # type: ignore[attr-defined]
from numba.extending import intrinsic
from torch import Tensor, nn

from twopart._checks import check, check_choice, check_integer, check_real
from twopart._numba import kernel
from twopart.laws.regression.steepest_descent import gaps
from twopart.laws.regression.steepest_norms import Norm, direction, length, parsed

Closure = Callable[[], Any]
SIGNS = "inf", ("entrywise", math.inf)
WIDE, PLAIN = (torch.float32, torch.float64), (Tensor, nn.Parameter)
# From how many numbers on torch gives a tensor one thread more; parted where it parts them, the parts are in the right caches.
GRAIN = 1 << 15
ADJUSTED: dict[str | None, Callable[[int, int], float]] = {
    None: lambda rows, columns: 1.0,
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}


class SteepestDescent(torch.optim.Optimizer):
    """W ← W - lr Δ(M), Δ(M) the matrix of unit norm with the largest product with M: for any module, each tensor on its own.

    M is the gradient of a batch, with `momentum` β its mean M ← β M + (1 - β) G, and with `nesterov` that mean one step ahead;
    before, W shrinks by lr `weight_decay` of itself. `norm` is "inf" (SignSGD), "2" (normalised SGD), "spectral" (Muon),
    ("entrywise", p) or ("schatten", p). Tensors of more than two axes are matrices (first, rest), or with `stacked` stacks of
    matrices, one for each expert, head or replicate; vectors are rows. The rest is as in torch's optimisers, `foreach` too:
    None and True take all tensors of a group together, False one by one. Options may differ between groups.

    `svd`: the factor of "spectral" is "exact", or by "newton-schulz" as in `torch.optim.Muon`, only near U V^T, in bfloat16.
    `adjust_lr_fn` multiplies steps by √max(1, rows/columns), "original", or by 0.2 √max(rows, columns), "match_rms_adamw", as
    there.

    `variance_reduction` m > 0 (SVRG): G_B(W) - G_B(V) + ∇L(V), V being W as it was when the whole gradient was last taken,
    every m steps. A step then takes two passes of the batch's closure and, when that is due, one of the whole loss's:

        optimiser.step(batch_closure, full=whole_closure)      # each: zero_grad, backward, return the loss

    Raises `InputError` for arguments out of range and for sparse or complex tensors. Gradients are not checked for nan, as in
    torch's own optimisers. Source: Li, Tang, Zou 2026, arXiv 2602.11557; docs/laws/steepest-descent.md.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        norm: Norm = "inf",
        momentum: float = 0.0,
        variance_reduction: int = 0,
        *,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        stacked: bool = False,
        svd: str = "exact",
        adjust_lr_fn: str | None = None,
        foreach: bool | None = None,
    ) -> None:
        options = {name: value for name, value in locals().items() if name not in ("self", "params", "__class__")}
        super().__init__(params, options)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        _check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        kinds = [p.dtype for p in self.param_groups[-1]["params"] if not p.is_floating_point()]
        check(not kinds, "params", kinds[:1], "real tensors", "view complex ones as real")

    @torch.no_grad()
    def step(self, closure: Closure | None = None, full: Closure | None = None) -> Any:
        """One step on the gradients in `.grad`, or on those that `closure` computes; its loss is returned.

        `full` computes the gradient of the whole loss, for variance reduction, which needs both.
        """
        loss, reduced = None, [group for group in self.param_groups if group["variance_reduction"]]
        if reduced:
            loss = self._reduced(reduced, closure, full)
        elif closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for some in [params] if params and group["foreach"] is not False else [[p] for p in params]:
                self._move(some, group)
        return loss

    def _move(self, params: list[Any], group: dict[str, Any]) -> None:
        β, lr, nesterov = group["momentum"], float(group["lr"]), group["nesterov"]
        shrink, signs = 1 - lr * group["weight_decay"], group["norm"] in SIGNS and group["adjust_lr_fn"] is None
        grads = [p.grad for p in params]
        check(not any(g.is_sparse for g in grads), "grad", "sparse", "dense", "use sparse=False")
        means = [self._mean(p) for p in params] if β else grads
        if signs and _moved_in_one_pass(params, grads, means if β else [], lr, β, shrink, nesterov):
            return
        if β:
            torch._foreach_lerp_(means, grads, 1 - β)
            means = list(torch._foreach_lerp(grads, means, β)) if nesterov else means
        if shrink != 1:
            torch._foreach_mul_(params, shrink)
        if signs and len(params) == 1:  # whose step is cheaper than a list of one
            params[0].add_(means[0].sign(), alpha=-lr)
        elif signs:
            torch._foreach_add_(params, torch._foreach_sign(means), alpha=-lr)
        else:
            _add_directions(params, means, lr, group)

    def _mean(self, p: Tensor) -> Any:
        """Of the gradients so far."""
        if "momentum_buffer" not in (state := self.state[p]):
            state["momentum_buffer"] = torch.zeros_like(p)
        return state["momentum_buffer"]

    def _reduced(self, groups: list[dict[str, Any]], closure: Closure | None, full: Closure | None) -> Any:
        """The batch's loss; its gradient in `.grad` less the same at the anchor, plus that of the whole loss there."""
        given, remedy = closure is not None and full is not None, "closures of the batch's and the whole loss"
        check(given, "closure and full", None, "given for variance reduction", remedy)
        kept = [(p, self.state[p], g["variance_reduction"]) for g in groups for p in g["params"] if p.requires_grad]
        if due := [(p, state) for p, state, every in kept if state.get("step", 0) % every == 0]:
            self._evaluate(full)
            for p, state in due:
                state["anchor"], state["anchor_gradient"] = p.clone(), _gradient(p)
        params, anchors = [p for p, _, _ in kept], [state["anchor"] for _, state, _ in kept]
        now = [p.clone() for p in params]
        try:
            torch._foreach_copy_(params, anchors)
            self._evaluate(closure)
            there = [_gradient(p) for p in params]
        finally:
            torch._foreach_copy_(params, now)
        loss = self._evaluate(closure)
        for (p, state, _), of_batch in zip(kept, there, strict=True):
            p.grad = _gradient(p) - of_batch + state["anchor_gradient"]
            state["step"] = state.get("step", 0) + 1
        return loss

    def _evaluate(self, closure: Any) -> Any:
        self.zero_grad()
        with torch.enable_grad():
            return closure()


@torch.no_grad()
def normalised_margin(module: nn.Module | Tensor, x: Tensor, y: Tensor, norm: Norm = "inf") -> float:
    """The least of own output less the largest other, over points x (n, ...) with classes y (n,), in units of the weights.

    Of weights (k, d) the unit is their norm; of a module the product of its weights' norms, tensors of more than two axes as
    matrices (first, rest): outputs of a network without biases and with ReLU scale as that product. Raises `InputError` for
    modules with biases, and for y that are no classes of the outputs.
    """
    weights = list(module.parameters()) if isinstance(module, nn.Module) else [module]
    check(all(w.ndim > 1 for w in weights), "module", "a bias", "without vectors", "outputs do not scale with them")
    outputs = module(x) if isinstance(module, nn.Module) else x @ module.T
    numbered = y.shape == outputs.shape[:-1] and 0 <= float(y.min()) <= float(y.max()) < outputs.shape[-1]
    check(numbered, "y", tuple(y.shape), f"classes of outputs {tuple(outputs.shape)}", "number them from 0")
    least = gaps(outputs.numpy(force=True), y.long().numpy(force=True)).min()
    return float(least / math.prod(float(length(w.flatten(1), norm)) for w in weights))


def newton_schulz(M: Tensor) -> Tensor:
    """U V^T nearly, singular values from 0.5 to 1.5, of matrices (..., m, n), in bfloat16, as `torch.optim.Muon` does."""
    a, b, c = 3.4445, -4.7750, 2.0315
    X = M.bfloat16()
    X = X.mT if M.shape[-2] > M.shape[-1] else X
    X = X / X.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    X, add = (X, torch.addmm) if M.ndim == 2 else (X.flatten(0, -3), torch.baddbmm)
    for _ in range(5):
        gram = X @ X.mT
        X = add(X, add(gram, gram, gram, beta=b, alpha=c), X, beta=a)
    return (X.mT if M.shape[-2] > M.shape[-1] else X).reshape(M.shape)


def _moved_in_one_pass(params: list[Any], grads: list[Any], means: list[Any], *how: float) -> bool:
    """Whether signs were taken in one pass over memory, which torch has no operation for: of plain tensors on a CPU."""
    kind, tensors, number = params[0].dtype, [*params, *grads, *means], len(params)
    sizes = [t.numel() for t in tensors]
    if kind not in WIDE or sizes[number:] != sizes[:-number]:
        return False
    if not all(type(t) in PLAIN and t.is_cpu and t.dtype is kind and t.is_contiguous() for t in tensors):
        return False
    run, *who = _team() if torch.get_num_threads() > 1 and max(sizes) > GRAIN else _alone()
    at = [t.data_ptr() for t in tensors]
    told = array("d", [*who, *how, kind.itemsize, number, *sizes[:number], *at, *([] if means else at[number:])])
    run(told.buffer_info()[0])
    for p in params:
        torch.autograd.graph.increment_version(p)
    return True


def _alone() -> Sequence[Any]:
    """`_step_by_signs` here; not to ask; and thread 0 of 1."""
    return _step_by_signs, False, 0, 1


@cache
def _team() -> Sequence[Any]:
    """`_step_by_signs` by torch's OpenMP threads; to ask; and the addresses of what tells a thread its number, and theirs.

    These threads are awake after torch's last operation; any others would have to wake, and find them on their cores.
    """
    library = ctypes.CDLL(torch._C.__file__)  # has the names of all that it is linked with
    try:
        run, *asked = library.GOMP_parallel, library.omp_get_thread_num, library.omp_get_num_threads
    except AttributeError:  # no OpenMP, or none that goes by these names
        return _alone()
    run.argtypes, run.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    compiled = _step_by_signs.get_compile_result(types.void(types.intp))
    step = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)
    addresses = [ctypes.cast(ask, ctypes.c_void_p).value for ask in asked]
    return lambda told: run(step, told, torch.get_num_threads(), 0), True, *addresses


def _to_numbers(context: Any, address: Any, zero: Any) -> Any:
    """A pointer to numbers of the type of `zero`, from an address: arrays of NumPy take longer to make than small steps."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    pointer: Any = types.CPointer
    return pointer(zero)(address, zero), code


def _to_answer(context: Any, address: Any) -> Any:
    """What `int f(void)` of C, at an address, returns."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.call(builder.inttoptr(args[0], ir.FunctionType(ir.IntType(32), []).as_pointer()), [])

    return types.int32(address), code


_pointer: Any = intrinsic(_to_numbers)
_answer: Any = intrinsic(_to_answer)


@kernel
def _step_by_signs(told: int) -> None:
    """One thread's part of every tensor, p, g and m; `told`: the address of all that it needs, whole numbers as floats too.

    Addresses and counts are below 2^53, and so exact.
    """
    asked, which, of, lr, β, shrink, nesterov, width, number = carray(_pointer(told, 0.0), 9)
    thread, threads = int(which), int(of)
    if asked:
        thread, threads = _answer(thread), _answer(threads)
    rows = carray(_pointer(told + 9 * 8, 0.0), (4, int(number)))
    for count, at_p, at_g, at_m in rows.T:
        n = int(count)
        share = -(-n // max(1, min(threads, -(-n // GRAIN))))
        start, end = thread * share, min(n, (thread + 1) * share)
        if start < end:
            skip, how = start * int(width), (end - start, lr, β, shrink, nesterov != 0)
            if width == 4:
                _move_by_signs(int(at_p) + skip, int(at_g) + skip, int(at_m) + skip, np.float32(0), *how)
            else:
                _move_by_signs(int(at_p) + skip, int(at_g) + skip, int(at_m) + skip, 0.0, *how)


@kernel
def _move_by_signs(
    at_p: int, at_g: int, at_m: int, like: Any, n: int, lr: float, β: float, shrink: float, nesterov: bool
) -> None:
    p, g, m = carray(_pointer(at_p, like), n), carray(_pointer(at_g, like), n), carray(_pointer(at_m, like), n)
    zero, up, down, keep = p.dtype.type(0), p.dtype.type(lr), p.dtype.type(-lr), p.dtype.type(shrink)
    old, new = p.dtype.type(β), p.dtype.type(1 - β)
    for i in range(n):
        v = g[i]
        if β != 0:
            m[i] += new * (v - m[i])
            v = v + old * (m[i] - v) if nesterov else m[i]
        step = down if np.signbit(v) else up  # an instruction less than by comparing; but zeros and nan are to stay
        p[i] = (keep * p[i] if shrink != 1 else p[i]) - (step if v < zero or v > zero else zero)


def _add_directions(params: list[Any], means: Any, lr: float, group: dict[str, Any]) -> None:
    """p - lr Δ(mean): tensors of one shape together."""
    shapes: dict[Any, list[Any]] = {}
    for p, mean in zip(params, means, strict=True):
        matrix = mean.ndim == 2 or (group["stacked"] and mean.ndim > 2)
        M = mean if matrix else mean.reshape(len(mean) if mean.ndim > 2 else 1, -1)
        shapes.setdefault((M.shape, M.dtype, M.device), []).append((p, M))
    near = group["svd"] == "newton-schulz" and parsed(group["norm"]) == parsed("spectral")
    for alike in shapes.values():
        M = torch.stack([M for _, M in alike]) if alike[1:] else alike[0][1]
        # singular vectors are not to be had in half precision
        Δ = newton_schulz(M) if near else direction(M if M.dtype in WIDE else M.float(), group["norm"])
        step = lr * ADJUSTED[group["adjust_lr_fn"]](*M.shape[-2:])
        for (p, _), of_one in zip(alike, Δ if alike[1:] else [Δ], strict=True):
            p.add_(of_one.reshape(p.shape), alpha=-step)


def _gradient(p: Tensor) -> Tensor:
    return torch.zeros_like(p) if p.grad is None else p.grad.clone()


def _check_options(options: dict[str, Any]) -> None:
    lr, adjust = options["lr"], options["adjust_lr_fn"]
    check(not isinstance(lr, Tensor) or lr.numel() == 1, "lr", lr, "one number", "give groups a rate of their own")
    check_real("lr", float(lr), 0, math.inf, "it is the norm of a step", closed="[)")
    parsed(options["norm"])
    β = check_real("momentum", options["momentum"], 0, 1, "0 is none", closed="[)")
    check(β > 0 or not options["nesterov"], "nesterov", True, "with momentum > 0", "give `momentum`")
    check_integer("variance_reduction", options["variance_reduction"], 0, None, "0 is none")
    check_real("weight_decay", options["weight_decay"], 0, math.inf, "0 is none", closed="[)")
    check_choice("svd", options["svd"], ("exact", "newton-schulz"))
    check(adjust in ADJUSTED, "adjust_lr_fn", adjust, f"of {[*ADJUSTED]}", "None is 1")
