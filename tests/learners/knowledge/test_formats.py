"""What a format costs a model, against a loop over entities, attributes and templates with the softmax written out."""

import numpy as np
import pytest
import torch

from twopart.learners import Transformer, TransformerConfig, format_redundancy
from twopart.worlds import Biographies, Corpus, Shift, SymbolRendering, shifted_world


def test_the_redundancy_of_a_format_is_that_of_single_sentences() -> None:
    new = shifted_world(Biographies(values=5, templates=3).world(0.5, seed=5), Shift(format=3))
    rendering, entity, paid, entropy = SymbolRendering(new), np.array([0, 3]), 0.0, 0.0
    model = Transformer(TransformerConfig(rendering.vocabulary, rendering.length, 1, 4, 1), seed=2)
    for e in entity:
        for a, psi in enumerate(new.template_probabilities):
            for t in np.flatnonzero(psi):
                ids, which = np.array([e]), np.array([a], np.int16)
                corpus = Corpus(new, ids, which, np.array([t], np.int16), new.value(ids, which), np.ones(1))
                tokens = np.r_[rendering.bos, rendering.encode(corpus).tokens[0]].astype(np.int64)
                with torch.no_grad():
                    logs = torch.log_softmax(model(torch.from_numpy(tokens[None, :-1]))[0].double(), -1) / np.log(2)
                share = new.pi[a] * psi[t] / len(entity)
                paid -= share * float(logs[-3, tokens[-3]] + logs[-2, tokens[-2]])
                entropy -= share * np.log2(new.pi[a] * psi[t])
    assert format_redundancy(model, new, entity) == pytest.approx(paid - entropy, abs=1e-4)
