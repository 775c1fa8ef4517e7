"""One solver for every form and objective: damped Newton with exact Hessians, one independent problem after the other.

A problem is Σ_i w_i ρ(ln loss_i - ln L_θ(z_i)), ρ Huber's function (objective.py), a sum and never a mean. Its gradient
and Hessian are
    -Σ w ψ(r) ∇f,      Σ w (ρ''(r) ∇f ∇fᵀ - ψ(r) ∇²f),      f = ln L_θ,  ψ = ρ'.
Levenberg and Marquardt's damping λM is added when the Hessian is not positive definite or a step fails; M is the Fisher
matrix of the start, so that no step depends on the units of N and D (Newton's method does not either, hence no centring).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._numba import inlined
from twopart._simd import simd_kernel
from twopart.fits.scaling.forms import Form, evaluate
from twopart.fits.scaling.forms._terms import at

Floats = NDArray[np.float64]

TOLERANCE = 1e-10  # stop when Newton's step promises less than this share of the objective
STEPS = 300
NOTHING = 1e-26  # an objective per run below which the fit is exact
HARD = 1e12  # damping at which no step succeeds


@dataclass(frozen=True)
class Minima:
    """Where each problem ended."""

    theta: Floats
    """Shape (problems, p)."""
    objective: Floats
    """Sum over runs."""
    converged: NDArray[np.bool_]


def minimise(
    form: Form,
    starts: Floats,
    z: Floats,
    log_losses: Floats,
    weights: Floats,
    delta: float,
    fixed: int = -1,
) -> Minima:
    """Solve one problem per row of `starts` (B, p) and of `weights` (B, n); z has shape (n, inputs).

    Coordinate number `fixed`, if any, stays where each start has it.
    """
    theta, objective = starts.copy(), np.empty(len(starts))
    converged = np.empty(len(starts), np.bool_)
    columns, log_losses = np.ascontiguousarray(z.T), np.ascontiguousarray(log_losses)
    weights = np.ascontiguousarray(weights, float)
    _newton(form.code, theta, columns, log_losses, weights, float(delta), fixed, objective, converged)
    return Minima(theta, objective, converged)


def derivatives(form: Form, theta: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
    """ln L of each run, shape (n,), its gradient (n, p) and Hessian (n, p, p)."""
    n, p = len(z), len(theta)
    value, slopes, curves = np.empty(n), np.empty((n, p)), np.empty((n, p * (p + 1) // 2))
    evaluate(form.code, np.ascontiguousarray(theta, float), np.ascontiguousarray(z.T), value, slopes, curves)
    hessian = np.empty((n, p, p))
    below = np.tril_indices(p)
    hessian[:, below[0], below[1]] = hessian[:, below[1], below[0]] = curves
    return value, slopes, hessian


def log_losses(form: Form, theta: Floats, z: Floats) -> Floats:
    """ln L, shape (B, n), of B parameter vectors (B, p) at the points z, shape (n, inputs) or (B, n, inputs)."""
    z = np.broadcast_to(np.swapaxes(z, -1, -2), (len(theta), *z.shape[:-3:-1]))
    found = np.empty((len(theta), z.shape[-1]))
    _predict(
        form.code, np.array(theta, float), np.array(z, order="C"), found
    )  # copies: a view that cannot be written to is a type of its own
    return found


@simd_kernel
def _predict(code: int, theta: Any, z: Any, found: Any) -> None:
    n, p = z.shape[2], theta.shape[1]
    slopes, curves = np.empty((n, p)), np.empty((n, p * (p + 1) // 2))
    for b in range(len(theta)):
        evaluate(code, theta[b], z[b], found[b], slopes, curves)


@simd_kernel
def _objective(
    code: int, theta: Any, z: Any, losses: Any, w: Any, delta: float, fixed: int, gradient: Any, hessian: Any, run: Any
) -> float:
    """Value of one problem; fills its gradient and the lower triangle of its Hessian. `run` is room for what each run adds."""
    values, slopes, curves = run
    p, q = len(gradient), len(hessian)
    evaluate(code, theta, z, values, slopes, curves)
    gradient[:] = 0.0
    hessian[:] = 0.0
    total = 0.0
    for i in range(len(w)):
        residual = losses[i] - values[i]
        psi = min(max(residual, -delta), delta)
        total += w[i] * psi * (residual - 0.5 * psi)
        inside, psi = psi == residual, w[i] * psi
        slope, curve = slopes[i], curves[i]
        for k in range(p):
            gradient[k] -= psi * slope[k]
        for k in range(q):
            hessian[k] -= psi * curve[k]
        if inside:
            add_outer(w[i], slope, hessian)
    if fixed >= 0:
        gradient[fixed] = 0.0
        _apart(hessian, fixed, p)
    return total


@inlined
def _apart(triangle: Any, fixed: int, p: int) -> None:
    """A coordinate that moves with no other, so that a step leaves it where it is."""
    for k in range(p):
        triangle[at(max(k, fixed), min(k, fixed))] = 1.0 if k == fixed else 0.0


@simd_kernel
def _fisher(losses: Any, w: Any, delta: float, fixed: int, metric: Any, run: Any) -> None:
    """Σ w min(1, δ/|r|) ∇f ∇fᵀ: the curvature of the least squares that the problem is equivalent to where it was evaluated."""
    values, slopes, _ = run
    metric[:] = 0.0
    for i in range(len(w)):
        residual = abs(losses[i] - values[i])
        add_outer(w[i] if residual <= delta else w[i] * delta / residual, slopes[i], metric)
    for a in range(slopes.shape[1]):
        metric[at(a, a)] *= 1 + 1e-12
        metric[at(a, a)] += 1e-30
    if fixed >= 0:
        _apart(metric, fixed, slopes.shape[1])


@inlined
def add_outer(weight: float, slope: Any, triangle: Any) -> None:
    """triangle += weight slope slopeᵀ, the lower triangle by rows."""
    k = 0
    for a in range(len(slope)):
        scaled = weight * slope[a]
        for b in range(a + 1):
            triangle[k] += scaled * slope[b]
            k += 1


@simd_kernel
def _solve(hessian: Any, damping: float, metric: Any, gradient: Any, factor: Any, step: Any) -> bool:
    """step = -(hessian + damping metric)^-1 gradient by Cholesky; False where the matrix is not positive definite."""
    p = len(gradient)
    for i in range(p):
        for j in range(i + 1):
            entry = hessian[at(i, j)] + damping * metric[at(i, j)]
            whole = abs(entry)
            for k in range(j):
                entry -= factor[i, k] * factor[j, k]
            if i > j:
                factor[i, j] = entry / factor[j, j]
            elif entry > 1e-13 * whole:
                factor[i, i] = np.sqrt(entry)
            else:
                return False
    for i in range(p):
        entry = -gradient[i]
        for k in range(i):
            entry -= factor[i, k] * step[k]
        step[i] = entry / factor[i, i]
    for i in range(p - 1, -1, -1):
        entry = step[i]
        for k in range(i + 1, p):
            entry -= factor[k, i] * step[k]
        step[i] = entry / factor[i, i]
    return True


@simd_kernel
def _promise(gradient: Any, hessian: Any, step: Any) -> float:
    """By how much the quadratic model falls along `step`."""
    fall, k = 0.0, 0
    for i in range(len(step)):
        fall -= gradient[i] * step[i]
        for j in range(i + 1):
            fall -= (0.5 if i == j else 1.0) * hessian[k] * step[i] * step[j]
            k += 1
    return fall


@simd_kernel
def _newton(
    code: int, theta: Any, z: Any, losses: Any, weights: Any, delta: float, fixed: int, objective: Any, converged: Any
) -> None:
    """θ moves to each problem's minimum. `there` is the trial point, `new_*` what was found at it."""
    p = theta.shape[1]
    q = p * (p + 1) // 2
    step, there, factor, metric = np.empty(p), np.empty(p), np.empty((p, p)), np.empty(q)
    gradient, hessian, new_gradient, new_hessian = np.empty(p), np.empty(q), np.empty(p), np.empty(q)
    for problem in range(len(theta)):
        here, kept = theta[problem], np.flatnonzero(weights[problem])
        w, y, x = weights[problem][kept], losses[kept], z[:, kept]
        run = np.empty(len(w)), np.empty((len(w), p)), np.empty((len(w), q))
        value = _objective(code, here, x, y, w, delta, fixed, gradient, hessian, run)
        _fisher(y, w, delta, fixed, metric, run)
        damping, done = 1e-3, False
        for _ in range(STEPS):
            while not _solve(hessian, damping, metric, gradient, factor, step) and damping < HARD:
                damping = max(4 * damping, 1e-2)
            slope = -(gradient * step).sum()
            done = slope < TOLERANCE * value + NOTHING * len(w) and damping <= 1
            if done or not damping < HARD:
                break
            there[:] = here + step
            new_value = _objective(code, there, x, y, w, delta, fixed, new_gradient, new_hessian, run)
            if not new_value < value:
                damping = max(5 * damping, 1e-2)
                continue
            kept_share = (value - new_value) / max(_promise(gradient, hessian, step), 1e-300)
            if kept_share > 0.75:
                damping = 0.1 * damping if damping > 1e-5 else 0.0
            elif kept_share < 0.25:
                damping = max(3 * damping, 1e-3)
            here[:], gradient[:], hessian[:], value = there, new_gradient, new_hessian, new_value
        objective[problem], converged[problem] = value, done
