"""The transformers of the demo: each reads one sample of one world once, is examined as it goes, and asked at the end."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from twopart.codes import oracle_code
from twopart.fits import LogBins
from twopart.lab import Cell
from twopart.laws.knowledge import MemoryLaw
from twopart.learners import SymbolStream, Transformer, evaluate, recall
from twopart.studies._transformers import Shape, learn, learners_law
from twopart.studies.knowledge.demo import RAREST, Learner
from twopart.worlds import Corpus, known_entities

READ, HELD_OUT = 0, 1  # streams of a world
ASKED = 1 / 3  # of the work of a sentence that is learned from


def learn_facts(case: Learner, cell: Cell) -> pl.DataFrame:
    """Rows of three kinds, by `axis`:

    read     bins of sentences read, from `low`: `syntax` and `value` bits beyond the oracle's, and the learner's law (`own`)
    exam     after so many `tokens`: `params`, and the `loss` on held-out sentences in nats per token
    rarity   bins, `low` to `high`, of one over a fact's frequency: how many held-out sentences `asked` for one at the end, the
             share answered `wrong`, by the learner's law (`own`), and at `least`: what nobody told, but for lucky guesses
    """
    sample, world = case.sample, case.sample.world(cell.replicate)
    model = Shape(width=case.width).reading(world)
    corpus, asked = world.sample(sample.sentences, READ), world.sample(sample.held_out, HELD_OUT)
    work = len(corpus) + ASKED * len(asked) * (1 + len(sample.moments))
    stream, exam = SymbolStream(corpus, names=False), SymbolStream(asked, names=False)
    trained = learn(case.training, model, stream, cell, work, snapshots=sample.moments)
    paid = trained.lengths - oracle_code(corpus)

    law = partial(
        learners_law, case.training, world, params=model.parameters, width=case.width, entities=known_entities(corpus)
    )
    bits = {"syntax": paid.syntax, "value": paid.value}
    read = {name: sample.bins.mean(each) for name, each in bits.items()} | {"own": law(n=sample.bins.centres).value}
    parts = [pl.DataFrame({"axis": "read", "low": sample.bins.edges[:-1], **read})]
    for done, (sentences, snapshot) in enumerate(trained.snapshots.items(), 1):
        loss = np.log(2) * evaluate(snapshot, exam, batch=2048).total.mean() / model.context
        size = {"params": model.parameters, "tokens": sentences * model.context, "loss": float(loss)}
        parts.append(pl.DataFrame({"axis": "exam", **size}))
        cell.progress(len(corpus) + ASKED * len(asked) * done, work, "examined")
    parts.append(answers(trained.model, corpus, asked, law(n=len(corpus))))
    cell.progress(work, work, "asked")
    return pl.concat(parts, how="diagonal_relaxed")


def answers(model: Transformer, read: Corpus, asked: Corpus, law: MemoryLaw) -> pl.DataFrame:
    """The rows of `rarity`, of a model that has read `read`."""
    bins, facts = LogBins(RAREST, per_decade=3), asked.facts()
    said = recall(model, asked.world, facts["entity"].to_numpy(), facts["attribute"].to_numpy())
    rarity = 1 / facts["frequency"].to_numpy()
    lucky = np.array([a.value_probabilities().max() for a in asked.world.attributes])[facts["attribute"].to_numpy()]
    never = (read.told(facts) == 0) * (1 - lucky)
    shares = {"wrong": said.answer != said.truth, "own": 1 - law.of("right", 1 / rarity), "least": never}
    which, weight = bins.index(np.minimum(rarity, RAREST - 1)), facts["told"].to_numpy()
    count = np.bincount(which, weight, len(bins.centres))
    mean = {
        name: np.bincount(which, weight * share, len(count)) / np.maximum(count, 1) for name, share in shares.items()
    }
    return pl.DataFrame({"axis": "rarity", "low": bins.edges[:-1], "high": bins.edges[1:], "asked": count, **mean})
