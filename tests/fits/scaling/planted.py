"""Laws with known parameters, and runs drawn from them."""

import numpy as np

from twopart.fits.scaling import FORMS
from twopart.fits.scaling.solver import log_losses

TRUTH = {
    "chinchilla": (1.8, 480.0, 2000.0, 0.35, 0.37),
    "kaplan": (8.8e13, 5.4e13, 0.076, 0.095),
    "data": (1.8, 2000.0, 0.37),
    "model": (1.8, 480.0, 0.35),
    "compute": (1.8, 2000.0, 0.15),
    "repeated": (1.87, 521.0, 1488.0, 0.35, 0.36, 15.4, 5.3),
    "broken": (1.5, 300.0, 0.2, 0.3, 3e9, 0.5),
    "precision": (1.8, 480.0, 2000.0, 0.35, 0.37, 2.7),
    "knowledge": (1.8, 480.0, 2000.0, 0.6),
}


def columns(n, seed=0):
    """Runs over a wide range of every input; some repeat their tokens up to 30 times."""
    random = np.random.default_rng(seed)
    params, tokens = np.exp(random.uniform(17, 24, n)), np.exp(random.uniform(19, 26, n))
    return {
        "params": params,
        "tokens": tokens,
        "flops": 6 * params * tokens,
        "unique_tokens": tokens / random.choice([1.0, 1.0, 3.0, 10.0, 30.0], n),
        "bits": random.choice([3.0, 4.0, 6.0, 8.0, 16.0], n),
    }


def losses(name, inputs, noise=0.0, seed=0):
    """The planted law's losses, times e^noise of Laplace noise of that standard deviation."""
    form = FORMS[name]
    z = np.log(np.stack([inputs[column] for column in form.inputs], 1))
    exact = log_losses(form, form.coordinates(np.array(TRUTH[name]))[None], z)[0]
    return np.exp(exact + noise / np.sqrt(2) * np.random.default_rng(seed + 1).laplace(size=len(z)))


def chinchilla_design(n, seed=0):
    """Sizes and tokens like those of Hoffmann et al. 2022: 6e18 to 3e21 flops, around 20 tokens per parameter."""
    random = np.random.default_rng(seed)
    flops = np.exp(random.uniform(np.log(6e18), np.log(3e21), n))
    params = np.sqrt(flops / 6 / np.exp(random.normal(np.log(20), 1.2, n)))
    return {"params": params, "tokens": flops / 6 / params}
