"""What any in-context regressor has learned: its risk by length of context, and the step of gradient descent that it makes.

risks = readout(model, world, contexts=(5, 10, 20, 40))     # model(examples, labels, query) -> answers: a module, a function
print(risks)                                                # beside the best one-step attention, ridge and the answer 0
found = fit_gamma(model, world, context=20)                 # the Γ of x'Γz nearest to its answers, and how near
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twopart._arrays import Floats
from twopart._checks import check, check_integer
from twopart.laws.in_context.icl_tasks import bayes, optimum, second_moment
from twopart.learners.in_context.answers import Model, answers
from twopart.worlds.in_context.regression import InContextRegression

CHUNK = 2**22  # numbers of prompts that are held at a time


@dataclass(frozen=True, eq=False)
class Risks:
    """Mean squared errors by length of context, each of shape (C,)."""

    contexts: NDArray[np.int64]
    risk: Floats
    """The model's."""
    error: Floats
    """Its standard error. The same prompts are asked at each length."""
    attention: Floats
    """The least of one-step attention x'Γz, by law, with the best Γ of each length."""
    ridge: Floats
    """Of ridge regression, by law: no learner is better. nan without noise."""
    null: float
    """Of the answer 0."""

    def __str__(self) -> str:
        head = f"{'context':>8} {'risk':>10} {'error':>8} {'one step':>10} {'ridge':>10}   (answer 0: {self.null:.4g})"
        columns = zip(self.contexts, self.risk, self.error, self.attention, self.ridge, strict=True)
        return "\n".join([head, *(f"{n:8d} {r:10.4g} {e:8.2g} {a:10.4g} {b:10.4g}" for n, r, e, a, b in columns)])


class Step(NamedTuple):
    """The step of gradient descent that a model makes: its answers are x'Γz and a rest."""

    gamma: Floats
    """Γ, shape (d, d)."""
    r2: float
    """The share of the mean square of its answers that x'Γz explains, on prompts that Γ was not fitted to."""


def readout(
    model: Model,
    world: InContextRegression,
    contexts: Sequence[int],
    *,
    tasks: int = 4096,
    batch: int = 256,
    stream: int = 0,
    tensors: bool | None = None,
) -> Risks:
    """The risk of any in-context regressor on `tasks` fresh tasks, by length of context, beside the laws.

    `batch`, `tensors`: as in `answers`, which says what a model is, and how one that keeps its keys and values reads each
    example once.
    """
    lengths = sorted({check_integer("contexts", n, 1, None, "of examples, at least one") for n in contexts})
    check(len(lengths) > 0, "contexts", contexts, "at least one length", "such as (5, 10, 20)")
    T = check_integer("tasks", tasks, 2, None, "a standard error needs two")
    size = max(1, min(T, CHUNK // (world.dimension * lengths[-1])))
    errors = []
    for part, start in enumerate(range(0, T, size)):
        prompts = world.sample(min(size, T - start), lengths[-1], stream=stream + part)
        said = answers(model, prompts, batch=batch, tensors=tensors, lengths=lengths)
        errors.append(np.square(said - prompts.label[:, None]))
    square = np.concatenate(errors)
    best = [optimum(world, n).risk for n in lengths]
    ridge = [bayes(world, n, 3e-3).risk if world.noise else np.nan for n in lengths]
    error = square.std(0, ddof=1) / np.sqrt(T)
    return Risks(np.array(lengths), square.mean(0), error, np.array(best), np.array(ridge), world.null)


def fit_gamma(
    model: Model,
    world: InContextRegression,
    context: int,
    *,
    tasks: int | None = None,
    batch: int = 256,
    stream: int = 0,
    tensors: bool | None = None,
) -> Step:
    """Least squares of the model's answers on x_i z_j, z = X'y/N, on `tasks` > d² prompts (None: 40 d² and at least 1000).

    Source: the preconditioner of Ahn et al. 2023, arXiv 2306.00297, for a model that is not made of one.
    """
    d = world.dimension
    T = max(1000, 40 * d * d) if tasks is None else check_integer("tasks", tasks, d * d + 1, None, "Γ has d² entries")
    whiten = np.sqrt(np.outer(world.λ, second_moment(world, context)))
    size = max(1, min(T, CHUNK // (d * max(d, context))))

    def asked(part: int, count: int) -> tuple[Floats, Floats]:
        prompts = world.sample(count, context, stream=stream + part)
        z = (prompts.y[:, None] @ prompts.x)[:, 0] / context
        features = prompts.query[:, :, None] * z[:, None] / whiten
        return features.reshape(count, d * d), answers(model, prompts, batch=batch, tensors=tensors)

    gram, moment = np.zeros((d * d, d * d)), np.zeros(d * d)
    for part, start in enumerate(range(0, T, size)):
        features, said = asked(part + 1, min(size, T - start))
        gram, moment = gram + features.T @ features, moment + features.T @ said
    fitted = np.linalg.solve(gram, moment)
    features, said = asked(0, size)
    square = float(said @ said)
    r2 = 1 - float(np.square(said - features @ fitted).sum()) / square if square else np.nan
    return Step(fitted.reshape(d, d) / whiten, r2)
