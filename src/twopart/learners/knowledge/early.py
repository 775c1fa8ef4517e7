"""A model that reads the same rows again and again, until other rows no longer get cheaper.

    model, passes = learn_until(how, shape, tokens, roles, other_tokens, other_roles, seed=0)

Early stopping at its plainest (Prechelt 1998, with a patience of one pass): after each pass what was kept aside is asked; at
the first pass that has not made it cheaper the model is taken as it stood one pass before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check, check_integer
from twopart.learners._memory import keep_freed_memory
from twopart.learners._run import Run
from twopart.learners.settings import TrainingConfig
from twopart.learners.streams import ArrayStream
from twopart.learners.training import evaluate
from twopart.learners.transformer import Transformer, TransformerConfig


def learn_until(
    config: TrainingConfig,
    model_config: TransformerConfig,
    stream: tuple[NDArray[Any], NDArray[Any]],
    aside: tuple[NDArray[Any], NDArray[Any]],
    *,
    most: int = 50,
    seed: int = 0,
    on_pass: Callable[[int, float], None] | None = None,
) -> tuple[Transformer, list[float]]:
    """The model, and what a row `aside` cost after each pass over the rows of `stream`, in bits; the last cost no less.

    Both are tokens and roles, (N, T+1) each. The rate's schedule should not know the run's length. After `most` passes it ends
    in any case. `on_pass` is told which pass is over, and that cost.
    """
    (tokens, roles), checked = stream, ArrayStream(*aside)
    costs: list[float] = []
    check_integer("most", most, 1, None, "50 are enough for any text")
    check(len(tokens) > 0, "stream", len(tokens), "at least one row", "give it rows")
    keep_freed_memory()
    run = Run(config, model_config, most * len(tokens), seed)
    order = _random.generator(seed, "passes")
    rows = np.concatenate([order.permutation(len(tokens)) for _ in range(most)])
    kept: dict[str, Any] = {}
    for done in run.updates(ArrayStream(tokens[rows], roles[rows])):
        if done // len(tokens) > len(costs):
            costs.append(float(evaluate(run.model, checked).total.mean()))
            if on_pass:
                on_pass(len(costs), costs[-1])
            if costs[-1] >= min(costs[:-1], default=np.inf):
                break
            kept = {name: weight.detach().clone() for name, weight in run.model.state_dict().items()}
    model = run.finished()
    model.load_state_dict(kept)
    return model, costs
