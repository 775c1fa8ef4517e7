"""The demo: its judges on planted runs, each claim once held and once failed; answers by rarity against a loop."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found
from twopart.evidence.rows import Rows
from twopart.fits import LogBins
from twopart.learners import Transformer, recall
from twopart.studies._transformers import Shape, learners_law
from twopart.studies.knowledge import demo as study
from twopart.studies.knowledge.demo_cells import answers
from twopart.worlds import known_entities

CONFIG = replace(study.PRESETS["tiny"], sentences=20_000)
WORKS = list(study.cells(CONFIG, 5))
SAMPLE = WORKS[0].case
LOW, R = SAMPLE.bins.edges[:-1], 3
SIZES = [(1_000, 4), (4_000, 8), (16_000, 16)]  # parameters, width


def found(best=1.0, power=0.0, own=1.0, syntax=0.2, least=0.1, narrow=0.5, off=0.0, bend=0.0):
    """Replicates that differ by a per cent. By default all claims hold."""
    random = np.random.default_rng(1)

    def like(values):
        return np.asarray(values) * np.exp(0.01 * random.standard_normal((R, 1)))

    def frame(axis, **columns):
        wide = {name: np.broadcast_to(column, (R, np.shape(column)[-1])) for name, column in columns.items()}
        index = np.repeat(np.arange(R), next(iter(wide.values())).shape[1])
        return pl.DataFrame({"replicate": index, "axis": axis, **{n: c.ravel().astype(float) for n, c in wide.items()}})

    law, moments = SAMPLE.law, np.array(SAMPLE.moments)
    parts = [Rows(SAMPLE, frame("read", low=LOW, value=like(best * law), law=law), "compress")]
    late = SAMPLE.bins.centres / SAMPLE.sentences
    for (params, width), wrong in zip(SIZES, (narrow, 0.4, 0.3), strict=True):
        value = np.where(SAMPLE.late, 3 * law * late**power, 4 * law[0] / (1 + LOW * 0.01))
        bits = {"syntax": 5 / (1 + LOW * syntax), "value": like(value), "own": value / own}
        loss = 0.5 + 20 * params**-0.5 + 60 * (6.0 * moments) ** -0.6
        loss = loss * np.exp(bend * np.where(np.arange(len(moments)) % 2, 1, -1))
        exam = {"tokens": 6 * moments, "params": np.full(len(moments), params), "loss": loss}
        errs = like(np.array([wrong, wrong]))
        share = {"wrong": errs, "own": errs - off, "least": np.full(2, least), "asked": np.full(2, 50)}
        rarity = {"low": np.array([1, 10]), "high": np.array([10, 100]), **share}
        frames = [frame("read", low=LOW, **bits), frame("exam", **exam), frame("rarity", **rarity)]
        case = study.Learner(SAMPLE, width, CONFIG.training)
        parts.append(Rows(case, pl.concat(frames, how="diagonal"), "learn_facts"))
    return Found(CONFIG, tuple(parts))


def verdicts(of):
    return [claim.verdict for claim in study.claims(of)]


def test_all_claims_hold_of_runs_that_are_as_foretold():
    assert verdicts(found()) == ["holds"] * 8


PLANTED = [
    ({"best": 1.2}, 0),
    ({"power": 0.4}, 1),
    ({"own": 1.5}, 2),
    ({"syntax": 0.001}, 3),
    ({"least": 0.4}, 4),
    ({"narrow": 0.2}, 5),
    ({"off": 0.3}, 6),
    ({"bend": 0.3}, 7),
]


@pytest.mark.parametrize(("given", "which"), PLANTED)
def test_a_claim_fails_of_runs_that_are_not(given, which):
    assert verdicts(found(**given))[which] == "fails"


def test_plans_spend_their_compute_and_foretell_the_planted_loss():
    most = 6 * SIZES[-1][0] * 6 * SAMPLE.sentences
    for times, best in study.evidence_of(found()).plans.items():
        N, D = best.params.value, best.tokens.value
        assert pytest.approx(times * most) == 6 * N * D
        assert best.loss.value == pytest.approx(0.5 + 20 * N**-0.5 + 60 * D**-0.6, rel=0.01)


def test_answers_by_rarity_are_those_of_a_plain_loop():
    torch.manual_seed(3)
    world = SAMPLE.world(0)
    read, asked = world.sample(300), world.sample(200, stream=1)
    model = Transformer(Shape(width=8).reading(world))
    size = {"params": model.config.parameters, "width": 8, "entities": known_entities(read)}
    law = learners_law(CONFIG.training, world, len(read), **size)
    bins, sums = LogBins(study.RAREST, per_decade=3), {}
    told = {(e, a) for e, a in zip(read.entity, read.attribute, strict=True)}
    for e, a, p in zip(asked.entity, asked.attribute, asked.probability, strict=True):
        frequency = p * world.pi[a]
        said = recall(model, world, np.array([e]), np.array([a]))
        lucky = world.attributes[a].value_probabilities().max()
        row = 1, said.answer[0] != said.truth[0], 1 - law.of("right", frequency), ((e, a) not in told) * (1 - lucky)
        at = int(bins.index(min(1 / frequency, study.RAREST - 1)))
        sums[at] = sums.get(at, 0) + np.array([float(np.squeeze(x)) for x in row])
    frame = answers(model, read, asked, law)
    for at, (count, *shares) in sums.items():
        assert frame["asked"][at] == count
        assert frame.select("wrong", "own", "least").row(at) == pytest.approx(tuple(np.array(shares) / count))
    assert frame["asked"].sum() == len(asked)
