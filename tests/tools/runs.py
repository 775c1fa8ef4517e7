"""Training runs of a known law, as the tests of `fit` and `plan` use them."""

import numpy as np

TRUTH = {"E": 1.7, "A": 400.0, "B": 600.0, "alpha": 0.34, "beta": 0.29}


def losses(params, tokens):
    return TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]


def csv(header="params,tokens,loss", noise=2e-3, sizes=6, seed=1):
    """A grid of sizes and data with a little noise, and one run that went wrong: the last."""
    random = np.random.default_rng(seed)
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(5e7, 5e9, sizes), np.geomspace(1e9, 1e11, sizes)))
    loss = losses(n, d) * np.exp(noise * random.standard_normal(n.size))
    loss[-1] *= 1.2
    rows = [f"{a:.8g},{b:.8g},{c:.8g}" for a, b, c in zip(n, d, loss, strict=True)]
    return "\n".join([header, *rows]) + "\n"
