"""How the models of a ladder are trained: AdamW without decay, which would be forgetting; only the rate's course differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twopart.studies._study import Planned
from twopart.worlds import SyntaxKnowledge

if TYPE_CHECKING:
    from twopart.learners import Schedule, TrainingConfig

CHECKPOINT_EVERY = 200_000
"""Sentences between checkpoints: a few seconds of training."""


def converge(batch: int, learning_rate: float, warmup: int, device: str) -> TrainingConfig:
    """To convergence: the rate stays for half of the run, then falls in a straight line to 5 %."""
    from twopart.learners import WarmupStableDecay

    return _settings(batch, learning_rate, WarmupStableDecay(warmup, decay=0.5, final=0.05), device)


def one_pass(batch: int, learning_rate: float, warmup: int, hold: int, device: str) -> TrainingConfig:
    """In one pass: the rate falls as 1/sqrt(update) and knows nothing of the run's length, so that every beginning of a run
    is a run of that length."""
    from twopart.learners import InverseRoot

    return _settings(batch, learning_rate, InverseRoot(warmup, hold), device)


def estimate_runs(
    what: str, settings: TrainingConfig, world: SyntaxKnowledge, width: int, layers: int, sentences: int, cells: int = 1
) -> Planned:
    """What `cells` runs of this width would take: a row of a dry run."""
    from twopart.learners import estimate
    from twopart.studies._ladder.ladder import shape

    model = shape(world, width, layers)
    cost = estimate(settings, model, sentences, model.context + 1)
    return Planned(what, cells, cost.seconds, cost.memory + 8.0 * sentences * (model.context + 1), cost.flops)


def _settings(batch: int, learning_rate: float, schedule: Schedule, device: str) -> TrainingConfig:
    from twopart.learners import TrainingConfig

    return TrainingConfig(
        batch=batch,
        learning_rate=learning_rate,
        schedule=schedule,
        weight_decay=0.0,
        device=device,
        checkpoint_every=CHECKPOINT_EVERY,
    )
