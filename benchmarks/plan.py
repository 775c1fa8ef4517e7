"""Plans with 4,000 draws, all that `twopart plan` computes after its imports; the peer searches each draw's split with SciPy.

The law is Hoffmann's with draws around it: best run, other budgets, other sizes, repeated data, serving.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize_scalar

from benchmarks._table import Row, median_seconds, seconds
from twopart.fits.scaling import FORMS, Law
from twopart.fits.scaling.solver import log_losses
from twopart.tools.plan import TrainingPlan, plan_training
from twopart.tools.plan.training_findings import sentences, tables

DRAWS = 4000
SEARCHED = 100  # draws that the peer searches; its time grows in proportion
LAWS = {"chinchilla": (1.69, 406.4, 410.7, 0.34, 0.28), "repeated": (1.87, 521.0, 1488.0, 0.35, 0.36, 15.4, 5.3)}


def run() -> Iterator[Row]:
    goal = {"flops": 5.76e23, "max_tokens": 1e11}
    for name, values in LAWS.items():
        law = _law(name, values)
        ours = median_seconds(lambda law=law: plan_training(law, **goal, serve_tokens=1e13), 5)
        split = median_seconds(lambda law=law: law.allocate(flops=5.76e23, unique_tokens=1e11), 5)
        theirs = seconds(lambda law=law: _searched(law)) * DRAWS / SEARCHED
        yield Row(
            f"plan by {name}, {DRAWS} draws", f"{ours:.3f} s", "one split, SciPy", theirs / split, "0.5 s, >= 100"
        )
    shown = median_seconds(lambda: _shown(plan_training(law, **goal)), 5)
    yield Row("... and what it prints", f"{shown:.3f} s", "0.5 s", 0.5 / shown, "0.5 s")


def _shown(plan: TrainingPlan) -> object:
    return list(sentences(plan)), tables(plan)


def _law(name: str, values: tuple[float, ...]) -> Law:
    theta = FORMS[name].coordinates(np.array(values))
    draws = theta + 0.01 * np.random.default_rng(0).standard_normal((DRAWS, len(theta)))
    return Law(FORMS[name], theta, draws, ranges={"flops": (1e18, 1e22)})


def _searched(law: Law) -> None:
    """The split of one budget by Brent's method, draw by draw."""
    k, unique = np.log(5.76e23 / 6), np.log(1e11)
    for theta in law.draws[:SEARCHED]:

        def loss(x: float, theta: np.ndarray = theta) -> float:
            point = np.array([[x, k - x, unique][: len(law.form.inputs)]])
            return float(log_losses(law.form, theta[None], point)[0, 0])

        minimize_scalar(loss, bounds=(10, 40), method="bounded")


if __name__ == "__main__":
    for row in run():
        print(row)
