"""The network that codes against the transformer it is: `learners.Transformer`, all at once, with autograd's gradient."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from twopart.learners import Transformer, TransformerConfig
from twopart.lossless.neural.lanes import places, steps
from twopart.lossless.neural.network import Network

LANES, BLOCK = 3, 4


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(memory=8, layers=2, width=16, heads=2):
    model = Transformer(TransformerConfig(256, memory + BLOCK, layers, width, heads), seed=1)
    return Network(model, LANES, BLOCK)


def tokens(length, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (LANES, length)))


def predictions(coder, given, blocks):
    """Probabilities (LANES, blocks BLOCK, 256) of steps through `blocks` blocks."""
    coder.forget()
    rows = []
    for k in range(blocks):
        if k > 0:
            coder.move_on()
        rows += [coder.step(t, given[:, k * BLOCK + t]).clone() for t in range(BLOCK)]
    return torch.stack(rows, 1)


def test_steps_give_what_the_whole_gives():
    """With memory for all, a block after another is the same as everything at once."""
    coder, given = network(), tokens(3 * BLOCK)
    whole = torch.softmax(coder.model(given), -1)
    for _ in range(2):  # and a second time, after `forget`
        torch.testing.assert_close(predictions(coder, given, 3), whole, rtol=1e-5, atol=1e-7)


def test_one_layer_sees_the_memory_and_no_further():
    """One layer's keys and values know their own position only, so after many blocks it sees a window of whole context."""
    coder, given = network(layers=1), tokens(6 * BLOCK, seed=1)
    last = predictions(coder, given, 6)[:, -BLOCK:]
    window = torch.softmax(coder.model(given[:, 3 * BLOCK :]), -1)[:, -BLOCK:]
    torch.testing.assert_close(last, window)


@pytest.mark.parametrize("count", [1, BLOCK - 1, BLOCK])
def test_the_gradient_is_autograds(count):
    coder, given = network(), tokens(BLOCK + 1)
    predictions(coder, given, 1)
    targets = given[:, 1 : count + 1].t().flatten()
    active = torch.ones(count * LANES)
    active[-1] = 0
    coder.gradient(count, targets, active)
    ours = {name: weight.grad.clone() for name, weight in coder.model.named_parameters()}
    coder.model.zero_grad()
    logits = coder.model(given[:, :count]).transpose(0, 1).reshape(-1, 256)
    nats = functional.cross_entropy(logits, targets, reduction="none")
    ((nats * active).sum() / active.sum()).backward()
    for name, weight in coder.model.named_parameters():
        torch.testing.assert_close(ours[name], weight.grad, msg=name)


def test_no_gradient_flows_into_memory():
    """A byte that only the first block has: in the second its row of the embedding is used for the logits alone."""
    coder, given = network(layers=1), tokens(2 * BLOCK + 1, seed=2)
    predictions(coder, given, 2)
    targets = given[:, BLOCK + 1 :].t().flatten()
    coder.gradient(BLOCK, targets, torch.ones(BLOCK * LANES))
    only_before = set(given[:, :BLOCK].flatten().tolist()) - set(given[:, BLOCK:].flatten().tolist())
    assert only_before
    model = coder.model
    with torch.no_grad():
        whole = torch.softmax(model(given[:, : 2 * BLOCK]), -1)[:, BLOCK:].transpose(0, 1).reshape(-1, 256)
        features = model.features(given[:, : 2 * BLOCK]).view(LANES, -1, 16)[:, BLOCK:].transpose(0, 1).reshape(-1, 16)
        errors = (whole - functional.one_hot(targets, 256)) / len(targets)
        table = errors.t() @ features
    rows = sorted(only_before)
    torch.testing.assert_close(model.embedding.grad[rows], table[rows])


@pytest.mark.parametrize("lanes", [1, 3, 16])
@pytest.mark.parametrize("length", [0, 1, 2, 15, 16, 17, 100])
def test_lanes_are_stretches_of_the_part(length, lanes):
    order = places(length, lanes)
    assert sorted(order) == list(range(length))
    for lane in range(min(lanes, length)):
        stretch = order[lane::lanes]
        assert np.all(np.diff(stretch) == 1)
        assert len(stretch) in (length // lanes, steps(length, lanes))
