"""The coverage study of docs/fits/scaling.md: how often nominal 95 % intervals hold the planted truth.

python -m tests.fits.scaling.coverage [TRIALS]      about a minute per line; test_trust.py has a small version
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from tests.fits.scaling.planted import TRUTH, chinchilla_design
from twopart.fits.scaling import scaling_law

TRUE = dict(zip(("E", "A", "B", "alpha", "beta"), TRUTH["chinchilla"], strict=True))
CASES = (
    (245, 0.005, "laplace", "huber"),
    (245, 0.005, "normal", "huber"),
    (245, 0.005, "normal", "squares"),
    (50, 0.01, "laplace", "huber"),
)
BUDGET, POINT = 5.76e23, (7e10, 1.4e12)


def law(params, tokens):
    return TRUE["E"] + TRUE["A"] / params ** TRUE["alpha"] + TRUE["B"] / tokens ** TRUE["beta"]


def best_size(flops):
    a, b = TRUE["alpha"], TRUE["beta"]
    return (a * TRUE["A"] / (b * TRUE["B"])) ** (1 / (a + b)) * (flops / 6) ** (b / (a + b))


def intervals(fit):
    """(what, truth, (low, high)) of everything that claims to cover."""
    yield from ((name, value, fit.interval(name)) for name, value in TRUE.items())
    far = fit.predict(*POINT, level=0.95)
    yield "loss", law(*POINT), (float(far.low), float(far.high))
    yield "plan", best_size(BUDGET), fit.allocate(flops=BUDGET).params.interval
    for k, name in ((3, "alpha"), (4, "beta")):
        yield f"profile {name}", TRUE[name], fit.profile(name).interval
        reach = 1.96 * np.sqrt(fit.covariance[k, k])
        yield f"sandwich {name}", TRUE[name], (fit.theta[k] - reach, fit.theta[k] + reach)


def study(n, noise, kind, objective, trials):
    """Share of hits by interval."""
    hits = Counter()
    for trial in range(trials):
        inputs, random = chinchilla_design(n, trial), np.random.default_rng(10**6 + trial)
        strays = random.standard_normal(n) if kind == "normal" else random.laplace(size=n) / np.sqrt(2)
        loss = law(**inputs) * np.exp(noise * strays)
        fit = scaling_law(loss=loss, objective=objective, resamples=400, seed=trial, **inputs)
        hits.update({what: int(low <= truth <= high) for what, truth, (low, high) in intervals(fit)})
    return {what: count / trials for what, count in hits.items()}


if __name__ == "__main__":
    for case in CASES:
        print(*case, study(*case, int(sys.argv[1]) if len(sys.argv) > 1 else 100), flush=True)
