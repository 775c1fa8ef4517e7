"""Early stopping: against one run of as many passes, and where it ends."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners import ArrayStream, InverseRoot, TrainingConfig, TransformerConfig, evaluate, train
from twopart.learners.knowledge.early import learn_until
from twopart.roles import Role

SHAPE = TransformerConfig(8, 6, 1, 8, 2)
HOW = TrainingConfig(batch=4, learning_rate=1e-2, schedule=InverseRoot(2, 4), device="cpu")
ROWS = np.tile([7, 0, 1, 2, 0, 1, 2], (8, 1))  # all alike: their order does not matter
OTHER = np.array([[7, 0, 1, 3, 0, 1, 2]])
ROLES = np.full(ROWS.shape, Role.SYNTAX, np.uint8)


def test_it_is_a_run_that_ends_before_others_get_dearer():
    told = []
    model, costs = learn_until(HOW, SHAPE, (ROWS, ROLES), (OTHER, ROLES[:1]), on_pass=lambda *at: told.append(at))
    assert len(costs) > 3
    assert np.diff(costs)[-1] >= 0 > np.diff(costs)[:-1].max()
    assert told == list(enumerate(costs, 1))
    passes = len(costs) - 1
    stream = ArrayStream(np.tile(ROWS, (passes, 1)), np.tile(ROLES, (passes, 1)))
    twin = train(HOW, SHAPE, stream)
    for name, weight in twin.model.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name
    assert evaluate(model, ArrayStream(OTHER, ROLES[:1])).total[0] == pytest.approx(costs[-2], rel=1e-6)


def test_it_ends_in_any_case():
    _, costs = learn_until(HOW, SHAPE, (ROWS, ROLES), (OTHER, ROLES[:1]), most=2)
    assert len(costs) == 2
    with pytest.raises(InputError, match="`most`"):
        learn_until(HOW, SHAPE, (ROWS, ROLES), (OTHER, ROLES[:1]), most=0)
    with pytest.raises(InputError, match="`stream`"):
        learn_until(HOW, SHAPE, (ROWS[:0], ROLES[:0]), (OTHER, ROLES[:1]))
