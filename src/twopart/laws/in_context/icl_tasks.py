"""Pretraining one-step attention on tasks: the risk of SGD after any number of tasks, exact at finite size.

    world = InContextRegression.power(20, 2.0)
    steps = Geometric(0.3 * stable_step(world, 20))                      # the largest stable step, as a number
    risk = trajectory(world, 20, steps.rates(3000), contexts=(4, 20, 200))    # (3000, 3), after each step
    optimum(world, 20).risk, bayes(world, 20).risk                       # the best it could be, and what ridge reaches

Attention is x'Γz with z = X'y/N, one step of gradient descent with a matrix Γ as its step. Each step of SGD takes fresh tasks,

    Γ  ←  Γ - γ (x'Γz - y_q) x z',   averaged over B tasks.

Since no sign of a coordinate matters, second moments of Γ close in V_ij = E Γ_ij² and m_i = E Γ_ii: O(d³) a step, without an
approximation. Derived in docs/laws/icl-tasks.md; the model is that of Wu et al. 2023, arXiv 2310.08391.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.worlds.in_context.regression import InContextRegression

EXAMPLES, TASKS = "it is the number of examples of a prompt", "it is the number of tasks of a step"
PRECISE = 1e-13  # relative change at which the power iteration ends


@dataclass(frozen=True)
class Geometric:
    """Steps that are halved every T/(halvings + 1) steps."""

    first: float
    """γ_0 > 0, the first step."""
    halvings: int | None = None
    """How often they are halved; None: every T/log2 T steps, the paper's schedule with our base of the logarithm."""

    def __post_init__(self) -> None:
        check_real("first", self.first, 0, np.inf, "it is a step size", closed="()")
        if self.halvings is not None:
            check_integer("halvings", self.halvings, 0, None, "0 is constant")

    def rates(self, steps: int) -> Floats:
        """The step sizes of `steps` steps, shape (steps,)."""
        T = check_integer("steps", steps, 1, None, "it is the number of steps")
        stages = max(1.0, np.log2(T)) if self.halvings is None else self.halvings + 1
        return np.asarray(self.first * 0.5 ** np.floor(np.arange(T) * stages / T))


class Moments(NamedTuple):
    """Of z = X'y/N and the task β: s_j = E z_j² and q_j = E β_j z_j, (d,), and (d, d) at [k, j] the three that follow."""

    s: Floats
    q: Floats
    Z: Floats
    """E z_k² z_j²."""
    R: Floats
    """E β_k² z_j²."""
    Q: Floats
    """E β_k z_k z_j²."""


class BestStep(NamedTuple):
    """The Γ of least risk, which is diagonal: its diagonal, shape (d,), and its risk."""

    gamma: Floats
    risk: float


class Order(NamedTuple):
    """The paper's upper bound without its constants: what is left of the start, and (ψ² tr H + σ²) D_eff / T_eff."""

    bias: float
    variance: float
    dimension: float
    """D_eff = Σ_ij min(1, (T_eff γ_0 λ_i s_j)²): of d² parameters so many are learned."""


class Bayes(NamedTuple):
    """The risk of ridge regression with λ = σ²/ψ², which no learner can beat, and its standard error."""

    risk: float
    error: float


def second_moment(world: InContextRegression, context: int) -> Floats:
    """s_j = E z_j² = ψ² λ_j ((N + 1) λ_j + tr H + σ²/ψ²) / N, shape (d,)."""
    N = check_integer("context", context, 1, None, EXAMPLES)
    return np.asarray(world.λ * ((N + 1) * world.prior * world.λ + world.null) / N)


def moments(world: InContextRegression, context: int) -> Moments:
    """All moments that a step needs, exact.

    Given β, with v = <x, β>'s variance + σ² and w = χ²_N/N: z = w a + sqrt(w/N) h, a = Hβ, h ~ N(0, C), C = vH - aa'; the rest
    is Isserlis' theorem, for h and then for β.
    """
    s, λ, ψ, N = second_moment(world, context), world.λ, world.prior, context
    w2, w3, w4 = np.cumprod([1 + 2 / N, 1 + 4 / N, 1 + 6 / N])  # E w^k
    both, δ = ψ**2 * (1 + 2 * np.eye(len(λ))), np.eye(len(λ))  # E β_j² β_k²
    v2 = world.null**2 + 2 * ψ**2 * np.square(λ).sum()  # E v²
    bv = ψ * (world.null + 2 * ψ * λ)  # E β_j² v
    av, aa = λ**2 * bv, np.outer(λ, λ) ** 2 * both  # E a_j² v, E a_j² a_k²
    mixed = np.outer(av, λ) + np.outer(λ, av) + 4 * np.diag(λ * av) - 6 * aa  # a_j² C_kk + a_k² C_jj + 4 a_j a_k C_jk
    pure = v2 * np.outer(λ, λ) - np.outer(av, λ) - np.outer(λ, av) + 3 * aa + 2 * np.diag(λ**2 * v2 - 2 * λ * av)
    Z = w4 * aa + w3 / N * mixed + w2 / N**2 * pure  # pure: C_jj C_kk + 2 C_jk²
    R = w2 * λ**2 * both + (np.outer(bv, λ) - λ**2 * both) / N
    baa = np.outer(λ, λ**2) * both  # E β_k a_k a_j²
    Q = w3 * baa + w2 / N * (np.outer(λ * bv, λ) + 2 * δ * (λ**2 * bv) - 3 * baa)
    return Moments(s, ψ * λ, Z, R, Q)


def trajectory(
    world: InContextRegression,
    context: int,
    rates: ArrayLike,
    contexts: Sequence[int] | None = None,
    tasks_per_step: int = 1,
) -> Floats:
    """Expected risk E (f - y_q)² after each step of SGD from Γ = 0, shape (T, len(contexts)).

    `context`: examples of a task in training; `contexts`: of the prompts on which the risk is taken (None: as in training).
    `rates`: the step sizes γ_t >= 0, shape (T,). Where the mean is beyond all numbers it is infinite.
    """
    γs = finite("rates", rates, (None,), "give one step size for each step; `Geometric(first).rates(T)` makes them")
    check(γs.min() >= 0, "rates", float(γs.min()), ">= 0", "descent goes down the gradient")
    B = check_integer("tasks_per_step", tasks_per_step, 1, None, TASKS)
    (s, q, Z, R, Q), λ = moments(world, context), world.λ
    tests = np.array([second_moment(world, M) for M in ((context,) if contexts is None else contexts)])
    check(len(tests) > 0, "contexts", contexts, "at least one length", "None is that of training")
    d, slope, both, column = len(λ), np.outer(λ, s), 1 - 1 / B, λ[:, None]  # both: for the square of the mean gradient
    V, m, V_sums, m_all = np.zeros((d, d)), np.zeros(d), np.empty((len(γs), d)), np.empty((len(γs), d))
    diagonal, push, Q2, column2 = V.reshape(-1)[:: d + 1], λ * q, 2 * Q, 2 * column**2 / B
    fixed = column2 * R + column * (λ @ R + world.noise * s) / B + np.diag(both * push**2)
    with np.errstate(over="ignore", invalid="ignore"):
        for t, γ in enumerate(γs):
            U = V @ Z
            U -= Q2 * m[:, None]
            V *= 1 - 2 * γ * slope + γ**2 * both * slope**2 if B > 1 else 1 - 2 * γ * slope
            V += γ**2 * (column2 * U + column / B * (λ @ U) + fixed)
            diagonal += 2 * γ * push * (1 - γ * both * λ * s) * m
            m = m + γ * (push - λ * s * m)
            V_sums[t], m_all[t] = λ @ V, m
        risks = world.null + V_sums @ tests.T - 2 * (m_all @ push)[:, None]
    return np.asarray(np.where(np.isnan(risks), np.inf, risks))


def risk(world: InContextRegression, gamma: ArrayLike, context: int) -> Floats:
    """R_M(Γ) = σ² + Σ_ij λ_i s_j Γ_ij² - 2 Σ_i λ_i q_i Γ_ii + ψ² tr H of matrices (..., d, d), shape (...), M = `context`."""
    λ, square = world.λ, (world.dimension,) * 2
    Γ = finite("gamma", gamma, (*np.shape(gamma)[:-2], *square), "it maps X'y/N to weights")
    cross = 2 * world.prior * λ**2 * np.diagonal(Γ, axis1=-2, axis2=-1)
    return np.asarray(world.null + (Γ**2 @ second_moment(world, context)) @ λ - cross.sum(-1))


def optimum(world: InContextRegression, context: int) -> BestStep:
    """Γ*_N = ((tr H + σ²/ψ²)/N + (N + 1)/N H)^-1 and its risk at N examples; `risk(world, np.diag(gamma), M)` at others."""
    γ = world.prior * world.λ / second_moment(world, context)
    return BestStep(γ, world.null - float(world.prior * world.λ**2 @ γ))


def stable_step(world: InContextRegression, context: int, tasks_per_step: int = 1) -> float:
    """The largest constant step at which the mean square of Γ stays bounded.

    With A = 1λ' + 2 diag(λ), S = diag(s): 1/γ is the spectral radius of V → (A V Z/B + (1 - 1/B) diag(λ) V S²) (2S)^-1, here in
    the coordinates in which it is symmetric; for B = 1 it is that of A times that of Z (2S)^-1.
    """
    B = check_integer("tasks_per_step", tasks_per_step, 1, None, TASKS)
    (s, _, Z, _, _), λ = moments(world, context), world.λ
    A, Z = np.sqrt(np.outer(λ, λ)) + 2 * np.diag(λ), Z / np.sqrt(np.outer(s, s))
    if B == 1:
        return float(2 / (np.linalg.eigvalsh(A)[-1] * np.linalg.eigvalsh(Z)[-1]))
    V, before, ρ = np.outer(np.sqrt(λ), np.sqrt(s)), 0.0, 1.0
    while abs(ρ - before) > PRECISE * ρ:
        V, before = V / np.linalg.norm(V), ρ
        V = (A @ V @ Z / B + (1 - 1 / B) * np.outer(λ, s) * V) / 2
        ρ = float(np.linalg.norm(V))
    return 1 / ρ


def paper_bound(world: InContextRegression, context: int, tasks: int, first: float) -> Order:
    """Bias, and the order of the variance, after `tasks` tasks with steps halved from `first` as in `Geometric(first)`."""
    s, λ, rates = second_moment(world, context), world.λ, Geometric(first).rates(tasks)
    left = optimum(world, context).gamma * np.prod(1 - np.outer(rates, λ * s), axis=0)
    T = tasks / max(1.0, np.log2(tasks))
    dimension = float(np.minimum(1, (T * first * np.outer(λ, s)) ** 2).sum())
    return Order(float((λ * s) @ left**2), world.null * dimension / T, dimension)


def bayes(world: InContextRegression, context: int, relative_error: float = 1e-3, seed: int = 0) -> Bayes:
    """σ² + E tr[H (X'X/σ² + I/ψ²)^-1], by draws of X until the standard error is so small a share of it; σ² must be > 0."""
    N = check_integer("context", context, 1, None, EXAMPLES)
    check_real("relative_error", relative_error, 1e-5, 1, "1e-3 takes a second", closed="[]")
    check(world.noise > 0, "noise", world.noise, "> 0 in the world", "1e-9 is nearly none")
    random, λ, found = _random.generator(seed, "in-context ridge", N), world.λ, np.empty(0)
    many = max(16, min(1000, 2**22 // (len(λ) * (N + len(λ)))))
    while True:
        x = random.standard_normal((many, N, len(λ))) * np.sqrt(λ)
        precision = x.transpose(0, 2, 1) @ x / world.noise + np.eye(len(λ)) / world.prior
        found = np.append(found, np.diagonal(np.linalg.inv(precision), axis1=1, axis2=2) @ λ)
        mean, error = world.noise + found.mean(), found.std(ddof=1) / np.sqrt(len(found))
        if error <= relative_error * mean:
            return Bayes(float(mean), float(error))
