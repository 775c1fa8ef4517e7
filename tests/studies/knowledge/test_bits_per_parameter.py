"""The bits-per-parameter study: its count on planted answers, its facts against plain loops, its claims on planted rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found
from twopart.lab import Cell
from twopart.learners import Transformer
from twopart.roles import Role
from twopart.studies.knowledge import bits_per_parameter as study
from twopart.studies.knowledge.bits_per_parameter_cells import Facts, answers, examine, shape_of, taught

ROOT = Path(__file__).parents[3]
CONFIG = study.Config((16, 32, 48), (10, 100, 1000))
BASE = study.Model(5, width=4, exposures=3, batch=7, load=1.0)


def planted(share, people=500, symbols=64, length=6, sure=1 - 1e-12):
    """Answers of a learner that has stored that share of its facts, and knows that it has not stored the others."""
    random = np.random.default_rng(3)
    values = random.integers(symbols, size=(people, length))
    stored = np.arange(values.size).reshape(values.shape) < share * values.size
    p = np.full((*values.shape, symbols), 1 / symbols)
    p[stored] = (1 - sure) / (symbols - 1)
    np.put_along_axis(p, values[..., None], np.where(stored, sure, 1 / symbols)[..., None], 2)
    return np.log(p), values


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_learner_that_has_stored_so_many_bits_is_measured_as_such(share):
    logs, values = planted(share)
    found = examine(logs, values, np.zeros(500), BASE, 500)
    assert found["held"] == pytest.approx(share * 500 * 36, abs=1e-6)
    assert found["known"] == pytest.approx(share * 500 * 36, abs=1e-6)
    assert found["names"] == 0


def test_bits_are_those_of_a_plain_loop():
    """Answers that are part right and part wrong, fact by fact; names too."""
    random, case = np.random.default_rng(1), replace(BASE, symbols=4, length=2, names=True)
    logs = np.log(random.dirichlet(np.ones(4), size=(9, 2)))
    values, names = random.integers(4, size=(9, 2)), random.uniform(2, 9, 9)
    held = known = 0.0
    for i in range(9):
        held += 18 - names[i] / np.log(2)
        for a in range(2):
            p = np.exp(logs[i, a])
            scores = [max(0.0, 2 + np.log2(p[v])) for v in range(4)]
            held += 2 + np.log2(p[values[i, a]])
            known += scores[values[i, a]] - np.mean([scores[v] for v in range(4) if v != values[i, a]])
    found = examine(logs, values, names, case, 9)
    assert [found["held"], found["known"]] == pytest.approx([held, known])
    assert found["names"] == pytest.approx((18 - names / np.log(2)).sum())


@pytest.mark.parametrize("case", [BASE, replace(BASE, alone=True), replace(BASE, symbols=8, length=12, names=True)])
def test_sentences_tell_the_table_and_each_as_often_as_it_should(case):
    facts = Facts.of(case, 11, 0)
    assert facts.tokens[:, 0].tolist() == [case.symbols] * len(facts.tokens)
    told = facts.tokens[:, facts.roles == Role.VALUE].reshape(facts.values.shape)
    np.testing.assert_array_equal(told, facts.values)
    names = {tuple(row) for row in facts.tokens[:, 1 : 1 + facts.digits]}
    assert len(names) == 11
    assert (Role.NAME in facts.roles) == case.names
    read = np.concatenate(list(facts.batches(np.random.default_rng(0))))
    counts = np.bincount(read, minlength=len(facts.tokens))
    assert (counts >= 3).all()
    assert counts.sum() - 3 * len(facts.tokens) < case.batch


def test_power_laws_are_drawn_and_counted_as_the_root_of_frequency():
    """What a sentence weighs in expectation is its frequency: the product of the two, as the weights are scaled to mean 1."""
    facts = Facts.of(replace(BASE, discount=0.5, alone=True), 50, 0)
    share = facts.frequencies().reshape(50, 6)
    np.testing.assert_allclose(share[:, 0] / share[0, 0], 1 / np.arange(1, 51))
    np.testing.assert_allclose(share.sum(), 1)
    assert np.ptp(share, axis=1).max() == 0


@pytest.mark.parametrize("alone", [False, True])
def test_answers_are_those_of_a_slow_exam(alone):
    """Sentence by sentence through the model's own forward pass."""
    case = replace(BASE, alone=alone, names=True)
    facts, model = Facts.of(case, 5, 1), Transformer(shape_of(case), 7)
    with torch.no_grad():
        model.embedding.mul_(20)
        logs, values, names = answers(model, facts)
        for i, sentence in enumerate(facts.tokens):
            out = model(torch.from_numpy(sentence[None, :-1]))[0].log_softmax(-1).double().numpy()
            person, first = (i // 6, i % 6) if alone else (i, 0)
            for a, at in enumerate(np.flatnonzero(facts.roles == Role.VALUE)):
                np.testing.assert_allclose(logs[person, first + a], out[at - 1, :64], atol=1e-4)
                assert sentence[at] == values[person, first + a]
            paid = -sum(out[at - 1, sentence[at]] for at in (1, 2, 3))
            assert names[person] == pytest.approx(paid, rel=1e-4)


@pytest.mark.parametrize("optimiser", ["AdamW", "Muon", "SGD"])
def test_facts_are_learned(optimiser, tmp_path):
    """Few facts, told often: most bits are held, by each optimiser."""
    rate = {"AdamW": 0.02, "Muon": 0.02, "SGD": 1.0}[optimiser]
    case = replace(BASE, width=16, exposures=120, batch=4, optimiser=optimiser, rate=rate)
    facts = Facts.of(case, 4, 0)
    model = taught(shape_of(case), facts, Cell(tmp_path, 1))
    logs, values, names = answers(model, facts)
    found = examine(logs, values, names, case, 4)
    assert found["held"] > 0.6 * 4 * 36


def found(**bits):
    """Rows of models that hold what large ones do, power laws and other changes less; `bits` per parameter by name."""
    cases = study.models(CONFIG, 5)
    usual = {name: 2.0 if case.exposures == 1000 else 1.0 for name, case in cases.items()}
    usual |= {study.AS_MANY: 1.0, study.POWER: 0.7, study.MEMORY: 0.72, list(study.steps(CONFIG))[-1]: 0.5, **bits}
    parts = []
    for name, case in cases.items():
        size = 5_000 * case.width**2 / 256
        mine = size * usual[name] * np.array([0.98, 1.0, 1.02])
        frame = pl.DataFrame({"replicate": range(3), "held": mine, "known": mine * bits.get("known", 1.0)})
        rest = {"parameters": size, "table": size / 4, "people": 400, "told": 3 * size, "names": 0.0, "right": 0.5}
        columns = [pl.lit(value).alias(column) for column, value in (rest | {"sentences": 1, "updates": 1}).items()]
        parts.append(("train_model", case, 0, frame.with_columns(columns)))
    return Found.collect(CONFIG, {part[1]: part for part in parts}.values())


def verdicts(**bits):
    return {claim.statement: claim.verdict for claim in study.claims(found(**bits))}


def test_models_that_hold_what_large_ones_do_are_recognised():
    assert set(verdicts().values()) == {"holds"}
    assert len(verdicts()) == (3 + 1) + (2 + 1) + 2 + 7


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (
            {study.OFTEN: 1.2, "width 16, 1,000 exposures": 1.2},
            "1,000 times: a parameter holds as many bits as in large",
        ),
        ({"width 48, 100 exposures": 0.5}, "100 times: a parameter holds as many bits in a large model as in a small"),
        (
            {"width 48, 100 exposures": 0.3, "width 48, 100 exposures, a third of the rate": 0.4},
            "at the better of two rates, each fact told",
        ),
        (
            {"width 48, 100 exposures": 0.3, "width 48, 100 exposures, a third of the rate": 0.5},
            "at the better of two rates: a parameter",
        ),
        ({study.AS_MANY: 2.0}, "it is updates that count"),
        ({study.POWER: 1.2}, "further than those of a power law"),
        ({"known": 0.7}, "counting as in the capacity law"),
        ({study.MEMORY: 0.5}, "1/(2 ln 2)"),
        ({"SGD": 0.3}, "Of all single changes"),
        ({"Muon": 2.5}, "No model"),
        ({"4. power law": 1.2}, "step by step"),
    ],
)
def test_each_claim_can_fail(bits, words):
    assert [verdict for said, verdict in verdicts(**bits).items() if words in said][:1] == ["fails"]


def test_steps_end_where_the_capacity_law_was_measured():
    """The published table has what a model of the same width holds, told as often, of as many bits for a parameter."""
    rows = pl.read_parquet(ROOT / "docs/results/capacity-law/tables/models.parquet").filter(world="d = 0.5", width=16)
    known = (rows["stored"] - rows["stored by chance"]) / rows["parameters"]
    assert known.item() == pytest.approx(study.CAPACITY_LAW, abs=0.005)
    last = list(study.steps(study.PRESETS["small"]).values())[-1]
    facts = 2000 * 5
    assert last["load"] == pytest.approx(facts * 6 / rows["parameters"].item(), rel=0.01)
    assert study.PRESETS["small"].exposures[-2] * facts == rows["sentences"].item()
    assert last["batch"] == 512
