"""Moments of the logistic posterior of scikit-learn's breast cancer data, by the No-U-Turn sampler of blackjax.

    python scripts/nuts_reference.py            writes src/twopart/worlds/breast_cancer.json, in about a minute
    python scripts/nuts_reference.py --print    prints the largest deviations from that file, in posterior standard deviations

Needs `pip install "twopart[test]"`. The world is `twopart.worlds.posteriors.breast_cancer`.
"""

import argparse
import json
from functools import partial
from importlib.metadata import version
from pathlib import Path

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.diagnostics import effective_sample_size, potential_scale_reduction

from twopart.worlds.posteriors import REFERENCE, breast_cancer

CHAINS, WARMUP, DRAWS = 4, 1000, 25_000


def draws(seed: int = 0, count: int = DRAWS) -> np.ndarray:
    """Shape (chains, count, d)."""
    jax.config.update("jax_enable_x64", True)
    target = breast_cancer()
    x, y, prior = jnp.asarray(target.x.numpy()), jnp.asarray(target.y.numpy()), target.prior_precision

    def log_density(theta: jax.Array) -> jax.Array:
        logits = x @ theta
        return jnp.sum(y * logits - jnp.logaddexp(0, logits)) - prior / 2 * theta @ theta

    @partial(jax.jit, static_argnums=1)
    def chain(key: jax.Array, count: int) -> jax.Array:
        warm, run = jax.random.split(key)
        adaptation = blackjax.window_adaptation(blackjax.nuts, log_density, is_mass_matrix_diagonal=False)
        (state, parameters), _ = adaptation.run(warm, jnp.zeros(x.shape[1]), WARMUP)
        kernel = blackjax.nuts(log_density, **parameters)

        def step(state, key):
            state, _ = kernel.step(key, state)
            return state, state.position

        return jax.lax.scan(step, state, jax.random.split(run, count))[1]

    return np.stack([np.asarray(chain(key, count)) for key in jax.random.split(jax.random.key(seed), CHAINS)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="show")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = draws(options.seed)
    flat = found.reshape(-1, found.shape[-1])
    mean, covariance = flat.mean(0), np.cov(flat.T)
    if options.show:
        old = json.loads(REFERENCE.read_text())
        print("mean, in standard deviations", np.abs((mean - old["mean"]) / np.sqrt(np.diag(covariance))).max())
        print("variance, relative", np.abs(np.diag(covariance) / np.diag(old["covariance"]) - 1).max())
        return
    made = {
        "sampler": f"NUTS, blackjax {version('blackjax')}, jax {version('jax')}, dense mass matrix",
        "chains": CHAINS,
        "draws": DRAWS,
        "least_effective_sample_size": round(float(effective_sample_size(found).min())),
        "largest_r_hat": round(float(potential_scale_reduction(found).max()), 6),
        "mean": [float(f"{v:.6g}") for v in mean],
        "covariance": [[float(f"{v:.6g}") for v in row] for row in covariance],
    }
    Path(REFERENCE).write_text(json.dumps(made, indent=1).replace("\n   ", "").replace("\n  ]", "]") + "\n")
    print({name: value for name, value in made.items() if name not in ("mean", "covariance")})


if __name__ == "__main__":
    main()
