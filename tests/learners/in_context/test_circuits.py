"""Weights that are written down, run through the ordinary forward pass."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.in_context import codes, recall_accuracy
from twopart.learners.in_context import (
    AttentionOnly,
    context_templates_three_layer,
    memorise,
    recall_one_layer,
    recall_two_layer,
    templates_two_layer,
)
from twopart.worlds.in_context import ContextTemplates, Memorise, Recall, Templates

PAGE = Path(__file__).parents[3] / "docs/laws/transformer-depth.md"
SETTINGS = [(1, 3), (2, 2), (3, 3), (4, 6), (5, 10), (6, 20), (4, 7), (4, 8), (5, 12), (4, 2)]


def right(model, task, count=1000):
    asked = task.sample(count)
    with torch.no_grad():
        return (model(torch.from_numpy(asked.tokens)).argmax(-1).numpy() == asked.target).mean()


@pytest.mark.parametrize(("heads", "pairs"), SETTINGS)
def test_one_layer_recalls_what_the_law_says(heads, pairs):
    law = recall_accuracy(heads, pairs)
    found = right(recall_one_layer(pairs, 22, heads), Recall(pairs, 22), 1000)
    assert abs(found - law) <= 5 * np.sqrt(law * (1 - law) / 1000)


def test_heads_are_gated_by_the_match():
    """Half of a head's attention each on the two answers that it covers if the match is one of them, e^-C else."""
    pairs, covered = 3, codes(3, 3)
    model, asked = recall_one_layer(pairs, 8, 3), Recall(pairs, 8).sample(20)
    (attention,) = model.attentions(torch.from_numpy(asked.tokens))
    which = (asked.tokens[:, :-1:2] == asked.tokens[:, -1:]).argmax(1)
    on_answers = attention[:, :, -1, 1::2].detach().numpy()
    expected = np.einsum("bk,nk->bkn", covered[which], covered)
    np.testing.assert_allclose(on_answers, expected, atol=1e-4)


def test_two_layers_recall_any_number():
    assert right(recall_two_layer(20, 20), Recall(20, 20), 300) == 1
    assert right(recall_two_layer(4, 8), Recall(4, 8, repeated_answers=True)) == 1, "copies need no distinct answers"


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_two_layers_know_templates_of_tokens_never_seen(length):
    assert right(templates_two_layer(length, inputs=32), Templates(length)) == 1
    assert right(templates_two_layer(length, vocabulary=12), Templates(length, tokens="finite", size=12)) == 1
    exact = templates_two_layer(length, inputs=32).double()
    asked = Templates(length).sample(50)
    assert (exact(torch.from_numpy(asked.tokens).double()).argmax(-1).numpy() == asked.target).all()


@pytest.mark.parametrize("length", [2, 3, 4])
@pytest.mark.parametrize(("kind", "size"), [("gaussian", 48), ("finite", 12)])
def test_three_layers_read_labels_from_the_context(length, kind, size):
    templates = Templates(length, tokens=kind, size=size)
    task = ContextTemplates(min(4, len(templates.templates)), templates, classes=5).split()[1]
    model = context_templates_three_layer(task)
    assert (len(model.out), model.heads) == (3, 1)
    assert right(model, task, 300) == 1
    two = context_templates_three_layer(task)
    two.out.data[1] = 0  # nothing is averaged, so all sequences look alike
    assert right(two, task, 300) < 0.8


def test_sequences_are_memorised_while_features_are_independent():
    task = Memorise(60, 4, 8, classes=5)
    model = memorise(*task.table, heads=8)
    assert right(model, task) == 1
    with pytest.raises(InputError, match="`heads` must be more for 60 independent features than 18, got 1"):
        memorise(*task.table)
    assert torch.equal(memorise(*task.table, heads=8).embed, model.embed)


@pytest.mark.parametrize(
    "circuit", [recall_one_layer(3, 8, 3), recall_two_layer(3, 8), templates_two_layer(3, inputs=32)]
)
def test_weights_load_into_the_learner(circuit):
    (length, width), (tokens, _), layers = circuit.positions.shape, circuit.embed.shape, len(circuit.out)
    kind, classes = ("inputs", 5) if tokens == 32 else ("vocabulary", 8)
    shape = {"length": length, "classes": classes, kind: tokens, "head_width": circuit.head_width}
    learner = AttentionOnly(layers, circuit.heads, width, **shape)
    learner.load_state_dict(circuit.state_dict())
    x = torch.from_numpy((Templates(3) if tokens == 32 else Recall(3, 8)).sample(5).tokens)
    torch.testing.assert_close(learner(x), circuit(x))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: recall_one_layer(9, 8, 3), "`pairs` must be <= 8"),
        (lambda: recall_one_layer(3, 8, 0), "`heads` must be"),
        (lambda: recall_two_layer(0, 8), "`pairs` must be"),
        (lambda: templates_two_layer(11, inputs=32), "`length` must be"),
        (lambda: templates_two_layer(3), "`vocabulary` must be"),
        (lambda: memorise([[1, 2]], [0, 1]), "`labels` must be"),
        (lambda: memorise([[1, -2]], [0]), "`sequences` must be"),
        (lambda: memorise([[1, 2.5]], [0]), "`sequences` must be of whole"),
        (lambda: memorise([[1, np.nan]], [0]), "`sequences` must be"),
    ],
)
def test_bad_values_are_refused(ask, said):
    with pytest.raises(InputError, match=said):
        ask()


def test_the_page_runs_and_real_names_are_recalled():
    first, real = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with redirect_stdout(StringIO()) as said:
        exec(first.replace("steps=120", "steps=20"), {})
    assert "parsing" in said.getvalue()
    found = {}
    exec(real, found)
    assert len(found["triples"]) > 100
    assert found["recalled"] == found["matched"] == 1
