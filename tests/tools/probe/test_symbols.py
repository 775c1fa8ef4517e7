"""A model of `learners` is probed like any other: what `recall` says of it, the probe says, asked directly or from a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners import SymbolStream, Transformer, TransformerConfig, recall, save_model
from twopart.tools.probe import Asked, open_asker
from twopart.tools.probe.asking import Asking, ask
from twopart.tools.probe.decoder import Llama
from twopart.tools.probe.symbols import symbol_facts, symbol_tokenizer
from twopart.worlds import Attribute, SyntaxKnowledge

WORLD = SyntaxKnowledge(0.5, 1.0, (Attribute("wide", 16, 3), Attribute("narrow", 5, 2)), names=2**16, seed=4)
ENTITIES = np.arange(40)


@pytest.fixture(scope="module")
def model() -> Transformer:
    stream = SymbolStream(WORLD.sample(2))
    made = Transformer(TransformerConfig(stream.vocabulary, stream.context, layers=1, width=16, heads=2), seed=1)
    with torch.no_grad():
        made.embedding.mul_(40)  # an opinionated model
    return made


@pytest.mark.parametrize("attribute", [0, 1])
@pytest.mark.parametrize("saved", [False, True])
def test_the_probe_says_what_recall_says(model: Transformer, attribute: int, saved: bool, tmp_path: Path) -> None:
    facts = symbol_facts(WORLD, ENTITIES, attribute, 1.0 / (1 + ENTITIES))
    save_model(model, tmp_path, symbol_tokenizer(WORLD))
    direct = Asked(Llama(model), symbol_tokenizer(WORLD), "m")
    (asked,) = ask(open_asker(str(tmp_path)) if saved else direct, facts)
    known = recall(model, WORLD, ENTITIES, np.full(40, attribute, np.int16))
    C = len(facts.candidates)
    assert WORLD.attributes[attribute].values == C
    assert np.ptp(known.probability[:, :C]) > 0.5, "a model that says the same of all would tell nothing"
    np.testing.assert_allclose(asked.share, known.probability[:, :C], rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(facts.answer, known.truth)
    np.testing.assert_array_equal(asked.right > 0, known.right)
    assert not asked.slack.any()
    again = Asking.of_frame(asked.frame, facts, *(getattr(asked, name) for name in ("template", "model", "parameters")))
    for name in ("share", "mass", "slack", "twin_of", "twin_share"):
        np.testing.assert_array_equal(getattr(again, name), getattr(asked, name))


def test_entities_of_one_name_and_facts_that_are_never_told_are_refused() -> None:
    crowded = SyntaxKnowledge(0.5, 1.0, WORLD.attributes, names=8, seed=4)
    with pytest.raises(InputError, match="of a name that another has"):
        symbol_facts(crowded, ENTITIES, 0, np.ones(40))
    with pytest.raises(InputError, match="`frequency` must be > 0"):
        symbol_facts(WORLD, ENTITIES, 0, ENTITIES)
    with pytest.raises(InputError, match="`frequency` must be of shape"):
        symbol_facts(WORLD, ENTITIES, 0, np.ones(3))
