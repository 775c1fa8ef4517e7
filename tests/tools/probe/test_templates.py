"""Several templates and two models on answers that are written down, so that what must come out is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from twopart.tools.probe import Answers, Facts, probe
from twopart.tools.probe.analysis import Rows, Studied, calibration
from twopart.tools.probe.asking import Asking
from twopart.tools.probe.claims import best_calibrated, calibrated, claims, one_threshold, rarest_first
from twopart.tools.probe.compare import Compared
from twopart.tools.probe.findings import _tables

N, C = 300, 6
RANDOM = np.random.default_rng(1)
X = RANDOM.permutation(np.linspace(2, 7, N))
FACTS = Facts(
    subject=tuple(f"s{i}" for i in range(N)),
    answer=RANDOM.integers(C, size=N),
    candidates=tuple((f"a{c}",) for c in range(C)),
    group=("all",) * N,
    frequency=10**X,
    other=None,
    twins=None,
    weight=np.ones(N),
    near=None,
    prompt=None,
    templates=("{subject} is", "is {subject}"),
    left_out=0,
)


def asking(right: np.ndarray, confidence: np.ndarray, template: int = 0) -> Asking:
    """Who is right, and how sure all are; what is left goes to the other candidates alike. Twins are never right."""
    guess = np.where(right, FACTS.answer, (FACTS.answer + 1) % C)
    share = np.repeat((1 - confidence)[:, None] / (C - 1), C, 1)
    share[np.arange(N), guess] = confidence
    twin = np.eye(C)[(FACTS.answer + 2) % C]
    return Asking(FACTS, FACTS.templates[template], "m", None, share, np.ones(N), np.zeros(N), np.arange(N), twin)


def bare(one: Asking, width: float = 0.1, resamples: int = 0) -> Studied:
    """Without numbers, which take most of the time."""
    random = np.random.default_rng(2)
    resampled = tuple(Rows(one, np.sort(random.integers(N, size=N))) for _ in range(resamples))
    return Studied(Rows(one, np.arange(N)), HALF, {"width": width}, resampled, {})


HALF = RANDOM.permutation(N) < N / 2
SURE = RANDOM.uniform(0.4, 0.95, N)
LUCKY = RANDOM.random(N) < SURE  # calibrated


@pytest.fixture(scope="module")
def known() -> list[Studied]:
    """By two templates facts are known from a frequency of 10^4 and of 10^5 on."""
    return [bare(asking(edge < X, np.full(N, 0.5), k), resamples=3) for k, edge in enumerate((4, 5))]


def test_the_template_is_chosen_on_one_half_and_judged_on_the_other() -> None:
    """The second boasts on the first half and knows all of the other: by all subjects it would be chosen."""
    calm, boasting = asking(LUCKY, SURE), asking(np.where(HALF, LUCKY, True), np.where(HALF, 0.97, 0.999), 1)
    assert boasting.log_score.mean() > calm.log_score.mean()
    claim = best_calibrated([bare(calm), bare(boasting)])
    assert claim.statement.startswith("T1, of 2 templates best in log score")
    order = np.flatnonzero(~HALF)[np.argsort(SURE[~HALF])]
    off = [abs((LUCKY[some] - SURE[some]).sum()) for some in order.reshape(10, -1)]
    assert claim.measured == pytest.approx(sum(off) / len(order))
    assert claim.verdict == "holds"
    assert calibrated(bare(boasting)).verdict == "fails"


def test_chance_alone_has_a_calibration_error() -> None:
    """95 % of models that are calibrated lie below the edge, to five standard errors of 200."""
    errors, edges = zip(
        *(calibration(asking(RANDOM.random(N) < SURE, SURE), np.arange(N)) for _ in range(12)), strict=True
    )
    assert min(errors) > 0.005, "none is 0"
    assert np.ptp(edges) == 0
    assert np.mean(np.array(errors) < edges[0]) > 0.6


def test_the_mean_of_templates_is_a_further_row() -> None:
    pair = [asking(LUCKY, SURE), asking(~LUCKY, 0.5 * SURE, 1)]

    class Recorded:
        name, identity, parameters = "m", "m", None

        def ask(self, prompts: Sequence[str], *_: object) -> Answers:
            """Facts of one template, their twins, then the same of the other."""
            one = pair[prompts[0].startswith("is")]
            return Answers(np.r_[one.share, one.twin_share], np.full(2 * N, 0.1 * (one is pair[0])))

    twins = tuple((f"t{i}",) for i in range(N))
    probed = probe(Recorded(), replace(FACTS, frequency=None, twins=twins), resamples=2)
    assert probed.mean is not None
    assert np.allclose(probed.mean.asking.share, (pair[0].share + pair[1].share) / 2)
    assert np.allclose(probed.mean.asking.slack, 0.05), "a mean of distances bounds the mean's"
    assert [str(t) for t in probed.rows] == ["T1", "T2", "mean"]
    assert {table.frame["template"].n_unique() for table in _tables(probed) if table.name in ("strata", "numbers")} == {
        3
    }
    told = probed.as_dict()["mean of templates"]["numbers"]
    assert told["right"]["value"] == np.mean(probed.mean.asking.share.argmax(1) == FACTS.answer)
    assert not any(claim.statement.startswith("mean") for claim in claims(probed.studied, ())), (
        "it is shown, not judged"
    )


def test_thresholds_a_decade_apart_are_told(known: list[Studied]) -> None:
    claim = one_threshold(known)
    assert claim.measured == pytest.approx(10, rel=0.15)  # one fact lies in each 1/60 of a decade
    assert claim.verdict == "fails"
    assert one_threshold([known[0], known[0]]).interval == (1, 1)


def test_what_two_models_know_tells_what_is_lost(known: list[Studied]) -> None:
    pair = Compared(*known)
    assert pair.lost_share.value == pytest.approx(((X > 4) & (X < 5)).sum() / (X > 4).sum(), rel=0.05)
    assert rarest_first(pair).measured == 1
    assert pair.surest.value == 0, "all were as sure"
    assert "no fact of the rarest fifth is right" in known[0].learned.why
