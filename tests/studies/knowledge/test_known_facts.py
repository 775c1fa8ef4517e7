"""The known-facts study: claims on planted answers that keep to the law and on others, a cell against a slow exam."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.studies.knowledge import known_facts as study
from twopart.studies.knowledge import known_facts_cells as cells
from twopart.tools.probe.asking import TWINS

WORLD = study.Planted(600, 16, 60.0, 2.0, sentences=100_000)
CONFIG = study.Config((4, 6, 8), (0.3,), 8, 4, WORLD, study.QUICK)
BITS = 0.4  # per parameter


def answered(case, holds, misled):
    """Rows of a model of width² x 25 parameters: `holds(case)` of the facts are known, others are answered with the style's
    value or any other; if it is `misled`, strangers and the rarest third with any, all others with the style's."""
    facts, N, V = case.facts, WORLD.subjects, WORLD.styles
    random = np.random.default_rng(7 + case.width + 100 * case.other)
    style = np.array([int(name[1:]) for name in facts.group])
    fact, twin = np.r_[np.arange(N), np.repeat(np.arange(N), TWINS)], np.arange((1 + TWINS) * N) >= N
    own = (~twin & (fact < 2 * N / 3)) if misled else random.random(len(fact)) < 0.5
    guess = np.where(own, style[fact], (style[fact] + random.integers(1 - misled, V, len(fact))) % V)
    answer = np.where(holds(case)[fact] & ~twin, facts.answer[fact], guess)
    share = np.full((len(fact), V), 0.1 / V)
    share[np.arange(len(fact)), answer] += 0.9
    columns = {"fact": fact, "twin": twin, "share": share, "mass": 1.0, "slack": 0.0, "parameters": size(case)}
    return Rows(case, pl.DataFrame(columns), "tell")


def size(case):
    return 25 * case.width**2


def by_law(case):
    """The most frequent facts are known, as many as fit."""
    return np.arange(WORLD.subjects) < BITS * size(case) / WORLD.entropy


def found(holds=by_law, misled=False, **more):
    config = replace(CONFIG, **more)
    return Found(config, tuple(answered(work.case, holds, misled) for work in study.cells(config, 5)))


@pytest.fixture(scope="module")
def lawful():
    return found()


def test_what_keeps_to_the_law_holds(lawful):
    claims = list(study.claims(lawful))
    assert len(claims) == 4 * 3 + 2 + 2
    others = {claim.statement.split(": ")[-1] for claim in claims if claim.verdict != "holds"}
    assert others <= {"hard to guess or not, as many facts are known at a frequency."}, "the probe's own, tested there"
    assert 2 ** study.ladder_of(lawful).fitted == pytest.approx(BITS, rel=0.1)
    for m in study.ladder_of(lawful).models:
        assert 10 ** m.true_threshold(m.rows) == pytest.approx(WORLD.told(by_law(m.case).sum() - 0.5), rel=0.1)
        so = [by_law(m.case)[m.rows.stratum == s].mean() for s in range(5)]
        assert [m.true_share(m.rows, s) for s in range(5)] == pytest.approx(so, abs=0.2)


def test_a_guess_that_goes_with_frequency_is_told_from_knowledge():
    """The probe takes it for knowledge; the other telling does not."""
    misled = found(lambda case: np.arange(WORLD.subjects) < 60, misled=True, widths=(4, 6))
    m = study.ladder_of(misled).judged[0]
    assert m.values["known 3"] > 0.3
    assert [m.true_share(m.rows, s) for s in range(5)] == pytest.approx([0, 0, 0, 0, 0.5], abs=0.15)
    assert [study.share_is_found(m).verdict, study.threshold_is_found(m).verdict] == ["fails", "fails"]


def test_thresholds_that_do_not_follow_size_fail():
    flat = study.ladder_of(found(lambda case: np.arange(WORLD.subjects) < 80_000 / size(case), resamples=2))
    assert [study.falls(flat).verdict, study.has_the_price(flat).verdict] == ["fails", "fails"]


def test_proxies_are_held_against_the_derived_law(lawful):
    (p,) = study.proxies_of(lawful)
    own = p.model.values
    assert p.law == pytest.approx([np.hypot(0.3, own["width"]), own["threshold"] + np.log(10) * 0.09 / 2])
    wrong = replace(p, drawn=p.drawn + 0.3)
    assert [study.width_is_the_error(wrong).verdict, study.place_moves(wrong).verdict] == ["fails", "fails"]


def test_the_world_is_told_twice_by_one_law():
    world = study.Planted(20_000)
    first, second = (world.values(3, other) for other in (False, True))
    assert (first != second).all()
    style = world.style(3)
    for values in (first, second):
        assert (values == style).mean() == pytest.approx(0.5, abs=0.02)
        p = np.bincount((values - style) % 16) / 20_000
        assert -(p @ np.log2(p)) == pytest.approx(world.entropy, abs=0.03)
    assert WORLD.told(np.arange(600)).sum() == pytest.approx(100_000)


def test_a_cell_asks_the_model_that_it_trained(tmp_path, monkeypatch):
    case, models = study.Told(4, True, study.Planted(60, 5, sentences=2000), study.QUICK, 1), []
    monkeypatch.setattr(cells, "Llama", lambda model, llama=cells.Llama: models.append(model) or llama(model))
    frame = cells.tell(case, Cell(tmp_path, seed=2))
    asked, facts, words = case.asking(frame), case.facts, cells.vocabulary(case.world)
    assert len(asked.twin_of) == 120
    names = [*facts.subject[:3], *facts.twins[2]]
    for name, share in zip(names, [*asked.share[:3], *asked.twin_share[asked.twin_of == 2]], strict=True):
        prompt = torch.tensor([[words[word] for word in f"[BOS] {name} is".split()]])
        logits = models[0](prompt)[0, -1].detach().double().numpy()
        values = np.exp(logits[[words[f"v{k}"] for k in range(5)]])
        np.testing.assert_allclose(share, values / values.sum(), rtol=1e-4)
    rows = cells.sentences(case, words)
    told = np.bincount([facts.subject.index(f"s{s - 2} n{a - 12} n{b - 12}") for s, a, b in rows[:, 1:4]], minlength=60)
    assert np.abs(told - case.world.told(np.arange(60))).max() < 5 * np.sqrt(told.max())
