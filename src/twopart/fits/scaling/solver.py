"""One solver for every form and objective: damped Newton with exact Hessians, one independent problem after the other.

A problem is Σ_i w_i ρ(ln loss_i - ln L_θ(z_i)), ρ Huber's function (objective.py), a sum and never a mean. Its gradient
and Hessian are
    -Σ w ψ(r) ∇f,      Σ w (ρ''(r) ∇f ∇fᵀ - ψ(r) ∇²f),      f = ln L_θ,  ψ = ρ'.
Levenberg and Marquardt's damping λM is added when the Hessian is not positive definite or a step fails; M is the Fisher matrix of
the start, so that no step depends on the units of N and D (Newton's method does not either, hence no centring).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._numba import inlined, kernel
from twopart.fits.scaling.forms import Form, log_loss

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


def minimise(form: Form, starts: Floats, z: Floats, log_losses: Floats, weights: Floats, delta: float) -> Minima:
    """Solve one problem per row of `starts` (B, p) and of `weights` (B, n); z has shape (n, inputs)."""
    theta, objective = starts.copy(), np.empty(len(starts))
    converged = np.empty(len(starts), np.bool_)
    z, log_losses = np.ascontiguousarray(z), np.ascontiguousarray(log_losses)
    _newton(form.code, theta, z, log_losses, np.ascontiguousarray(weights, float), delta, objective, converged)
    return Minima(theta, objective, converged)


def derivatives(form: Form, theta: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
    """ln L of each run, shape (n,), its gradient (n, p) and Hessian (n, p, p)."""
    n, p = len(z), len(theta)
    value, gradient, hessian = np.empty(n), np.empty((n, p)), np.zeros((n, p, p))
    _derivatives(form.code, np.ascontiguousarray(theta, float), np.ascontiguousarray(z), value, gradient, hessian)
    return value, gradient, hessian + np.swapaxes(np.tril(hessian, -1), 1, 2)


def log_losses(form: Form, theta: Floats, z: Floats) -> Floats:
    """ln L, shape (B, n), of B parameter vectors (B, p) at the points z, shape (n, inputs) or (B, n, inputs)."""
    z = np.broadcast_to(z, (len(theta), *z.shape[-2:]))
    found = np.empty(z.shape[:2])
    _predict(form.code, np.ascontiguousarray(theta, float), np.ascontiguousarray(z), found)
    return found


@kernel
def _derivatives(code: int, theta: Any, z: Any, value: Any, gradient: Any, hessian: Any) -> None:
    for i in range(len(z)):
        value[i] = log_loss(code, theta, z[i], gradient[i], hessian[i])


@kernel
def _predict(code: int, theta: Any, z: Any, found: Any) -> None:
    p = theta.shape[1]
    gradient, hessian = np.empty(p), np.empty((p, p))
    for b in range(len(theta)):
        for i in range(z.shape[1]):
            found[b, i] = log_loss(code, theta[b], z[b, i], gradient, hessian)


@inlined
def _objective(
    code: int,
    theta: Any,
    z: Any,
    losses: Any,
    rows: Any,
    w: Any,
    delta: float,
    gradient: Any,
    hessian: Any,
    g: Any,
    h: Any,
) -> float:
    """Value of one problem over its `rows`; fills gradient and the lower triangle of the Hessian."""
    p = len(theta)
    gradient[:] = 0.0
    hessian[:] = 0.0
    value = 0.0
    for i in rows:
        residual = losses[i] - log_loss(code, theta, z[i], g, h)
        psi = min(max(residual, -delta), delta)
        bend = w[i] if psi == residual else 0.0
        value += w[i] * psi * (residual - 0.5 * psi)
        psi *= w[i]
        for a in range(p):
            gradient[a] -= psi * g[a]
            scaled = bend * g[a]
            for b in range(a + 1):
                hessian[a, b] += scaled * g[b] - psi * h[a, b]
    return value


@inlined
def _fisher(
    code: int, theta: Any, z: Any, losses: Any, rows: Any, w: Any, delta: float, metric: Any, g: Any, h: Any
) -> None:
    """Σ w min(1, δ/|r|) ∇f ∇fᵀ: the curvature of the least squares that the problem is equivalent to at θ."""
    metric[:] = 0.0
    for i in rows:
        residual = abs(losses[i] - log_loss(code, theta, z[i], g, h))
        weight = w[i] if residual <= delta else w[i] * delta / residual
        for a in range(len(theta)):
            for b in range(a + 1):
                metric[a, b] += weight * g[a] * g[b]
    for a in range(len(theta)):
        metric[a, a] += 1e-12 * metric[a, a] + 1e-30


@inlined
def _solve(hessian: Any, damping: float, metric: Any, gradient: Any, factor: Any, step: Any) -> bool:
    """step = -(hessian + damping metric)^-1 gradient by Cholesky; False where the matrix is not positive definite."""
    p = len(gradient)
    for i in range(p):
        for j in range(i + 1):
            entry = hessian[i, j] + damping * metric[i, j]
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


@inlined
def _promise(gradient: Any, hessian: Any, step: Any) -> float:
    """By how much the quadratic model falls along `step`."""
    fall = 0.0
    for i in range(len(step)):
        fall -= gradient[i] * step[i] + 0.5 * hessian[i, i] * step[i] * step[i]
        for j in range(i):
            fall -= hessian[i, j] * step[i] * step[j]
    return fall


@kernel
def _newton(
    code: int, theta: Any, z: Any, losses: Any, weights: Any, delta: float, objective: Any, converged: Any
) -> None:
    """θ moves to each problem's minimum. `there` is the trial point, `new_*` what was found at it."""
    p = theta.shape[1]
    g, h, step, there = np.empty(p), np.empty((p, p)), np.empty(p), np.empty(p)
    gradient, hessian, metric, factor = np.empty(p), np.empty((p, p)), np.empty((p, p)), np.empty((p, p))
    new_gradient, new_hessian = np.empty(p), np.empty((p, p))
    for problem in range(len(theta)):
        here, w = theta[problem], weights[problem]
        rows = np.flatnonzero(w)
        _fisher(code, here, z, losses, rows, w, delta, metric, g, h)
        value = _objective(code, here, z, losses, rows, w, delta, gradient, hessian, g, h)
        damping, done = 1e-3, False
        for _ in range(STEPS):
            while not _solve(hessian, damping, metric, gradient, factor, step):
                damping = max(4 * damping, 1e-2)
                if not damping < HARD:
                    break
            if not damping < HARD:
                break
            slope = 0.0
            for i in range(p):
                slope -= gradient[i] * step[i]
            if slope < TOLERANCE * value + NOTHING * len(rows) and damping <= 1:
                done = True
                break
            for i in range(p):
                there[i] = here[i] + step[i]
            new_value = _objective(code, there, z, losses, rows, w, delta, new_gradient, new_hessian, g, h)
            if new_value < value:
                ratio = (value - new_value) / max(_promise(gradient, hessian, step), 1e-300)
                damping = 0.1 * damping if ratio > 0.75 else max(3 * damping, 1e-3) if ratio < 0.25 else damping
                damping = 0.0 if damping < 1e-6 else damping
                here[:] = there
                gradient[:] = new_gradient
                hessian[:] = new_hessian
                value = new_value
            else:
                damping = max(5 * damping, 1e-2)
        objective[problem], converged[problem] = value, done
