"""The data law's judges on curves whose verdict is known, its tables against plain loops."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from twopart.codes import CodeLengths
from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws import data_law
from twopart.roles import ROLES, Role
from twopart.studies.knowledge import data_law as study
from twopart.studies.knowledge.data_law import PRESETS, Reading, Simulation
from twopart.studies.knowledge.data_law_cells import by_bins, read_english, whole_values
from twopart.worlds import Biographies, encode_english, render, train_tokenizer

SENTENCES = 50_000


def reading(discount=0.5, population=0, sentences=SENTENCES):
    config = PRESETS["small"]
    kind = "control" if population else "symbols"
    return Reading(kind, discount, population, sentences, 0, Biographies(), config.shape, config.training, seed=0)


BINS = reading().bins.centres


def rows(value, syntax=None, **world):
    """Two replicates with the given value curve and 2 % of noise, in worlds like the average one."""
    case, random = reading(**world), np.random.default_rng(5)
    frames = []
    for i in range(2):
        noise = np.exp(0.02 * random.standard_normal(len(BINS)))
        curve = {"name": value, "syntax": value if syntax is None else syntax, "value": value * noise}
        frames.append(pl.DataFrame({"axis": "seen", "replicate": i, **curve, "world_value": case.law["value"]}))
    return Rows(case, pl.concat(frames))


@pytest.mark.parametrize("discount", [0.3, 0.8])
def test_a_learner_that_follows_the_law_at_n_over_t_is_recognised(discount):
    law = reading(discount).by_sentence["value"]
    found = rows(np.interp(np.log(BINS / 7), np.log(np.arange(1, SENTENCES + 1)), law), discount=discount)
    exponent, told = study.exponent(found), study.told_more_than_once(found)
    assert (exponent.verdict, exponent.predicted) == ("holds", discount - 1)
    assert told.measured == pytest.approx(7, rel=0.1)
    assert told.verdict == "holds"


@pytest.mark.parametrize(
    ("curve", "verdict"), [(BINS**-0.5, "holds"), (BINS**-0.2, "fails"), (BINS**-1.0, "fails"), (BINS**0.0, "fails")]
)
def test_exponents_are_judged(curve, verdict):
    assert study.exponent(rows(curve)).verdict == verdict


def test_a_learner_that_needs_each_fact_less_than_once_fails():
    law = reading().by_sentence["value"]
    ahead = np.interp(np.log(BINS * 3), np.log(np.arange(1, SENTENCES + 1)), law)
    assert study.told_more_than_once(rows(ahead)).verdict == "fails"


def test_a_learner_that_learns_knowledge_first_fails():
    early, late = 8 / (1 + BINS / 10), 8 / (1 + BINS / 3000)
    assert study.syntax_first(rows(late, early)).verdict == "holds"
    assert study.syntax_first(rows(early, late)).verdict == "fails"
    flat = np.full(len(BINS), 8.0)
    assert study.syntax_first(rows(flat, early)).verdict == "holds"
    assert study.syntax_first(rows(flat, flat)).verdict == "inconclusive"


def test_a_power_law_in_the_control_fails():
    assert study.no_power_law(rows(6 * np.exp(-BINS / 8000), population=1000)).verdict == "holds"
    assert study.no_power_law(rows(6 * BINS**-0.5, population=1000)).verdict == "fails"


def test_a_learner_above_the_start_of_the_law_has_no_t():
    assert study.told_more_than_once(rows(np.full(len(BINS), 9.0))).verdict == "inconclusive"


@pytest.mark.parametrize(("price", "verdict"), [(BINS**-0.4, "holds"), (BINS**-0.1, "fails")])
def test_a_price_that_falls_is_taken_out(price, verdict):
    found = rows(BINS**-0.9)
    priced = Rows(found.case, found.frame.with_columns(pl.Series("stranger", np.tile(price, 2))))
    assert study.exponent(found).verdict == "fails"
    assert study.price_apart(priced).verdict == verdict


def test_a_whole_value_stands_where_its_spelling_stood():
    corpus = reading().world().sample(50)
    tokenizer = train_tokenizer(render(corpus, "english").texts, 400)
    tokens, roles = encode_english(corpus, tokenizer)
    moved, told = whole_values(tokens, roles, 1000 + corpus.value.astype(np.int64))
    for i, value in enumerate(corpus.value):
        spelled = list(zip(tokens[i].tolist(), roles[i].tolist(), strict=True))
        open_at = roles[i].tolist().index(Role.VALUE)
        one = [*spelled[:open_at], (1000 + value, Role.VALUE), *(x for x in spelled[open_at:] if x[1] != Role.VALUE)]
        scored = [x for x in one if x[1] != Role.PADDING]
        rest = [(0, Role.PADDING)] * (moved.shape[1] - len(scored))
        assert list(zip(moved[i].tolist(), told[i].tolist(), strict=True)) == scored + rest
    assert (told != Role.PADDING).any(axis=0).all()


@pytest.mark.parametrize("whole", [False, True])
def test_english_has_a_model_of_its_tokens(whole):
    """With a token for each value one is scored in each sentence, beyond those of the tokenizer; spelled, more are."""
    config = PRESETS["small"]
    case = Reading("english", 0.5, 0, 200, 400, config.people, config.shape, config.training, 0, whole)
    corpus = case.world().sample(200)
    stream, model = read_english(corpus, case, 0)
    batch = stream.batch(0, 200)
    tokens, values = np.asarray(batch.tokens), np.asarray(batch.roles) == Role.VALUE
    assert model.vocabulary == 400 + 5 * 64 * whole > tokens.max()
    assert (tokens[:, 0] == 399).all()
    assert tokens.shape[1] <= model.context + 1
    assert ((values.sum(1) == 1).all() and tokens[values].min() >= 400) if whole else values.sum(1).mean() > 1
    assert len(np.unique(tokens[values])) > 50


@pytest.mark.parametrize("factor", [1.0, 2.0])
@pytest.mark.parametrize("population", [0, 30])
def test_the_bayes_code_is_compared_with_the_law(factor, population, tmp_path):
    """As simulated it holds; with its fact bits doubled it fails."""
    case = Simulation(reading(0.6, population, sentences=3000), worlds=40)
    frame = study.simulate(case, Cell(tmp_path)).with_columns(pl.col("value") * factor)
    claim = study.bayes_matches(Rows(case, frame))
    assert claim.verdict == ("holds" if factor == 1 else "fails")
    assert claim.rule.startswith("largest of ")


def test_the_laws_curve_is_exact_between_its_knots():
    case, n = reading(), np.array([3, 70, 500, 12_345, 49_999])
    law = data_law(case.world(), n - 1)
    for role in ROLES:
        assert case.by_sentence[role][n - 1] == pytest.approx(getattr(law, role), rel=2e-3)


def test_bins_against_plain_loops():
    case = reading(sentences=2000)
    corpus = case.world().sample(2000)
    bits = np.random.default_rng(0).random(2000)
    frame = by_bins(corpus, CodeLengths(bits, bits, bits), case.bins)
    before, seen = [], {}
    for fact in zip(corpus.entity.tolist(), corpus.attribute.tolist(), strict=True):
        before.append(seen.get(fact, 0))
        seen[fact] = seen.get(fact, 0) + 1
    exposures = np.array(before)[200:]
    for row in frame.filter(axis="exposures").iter_rows(named=True):
        inside = (exposures + 1 >= row["low"]) & (exposures + 1 < row["high"])
        assert row["count"] == inside.sum()
        assert row["value"] == pytest.approx(bits[200:][inside].mean())
    first = np.array(before) == 0
    for row in frame.filter(axis="seen").iter_rows(named=True):
        inside = bits[row["low"] - 1 : row["high"] - 1][first[row["low"] - 1 : row["high"] - 1]]
        assert row["stranger"] == (pytest.approx(inside.mean()) if len(inside) else None)
    counts = frame.group_by("axis").agg(pl.col("count").sum())
    assert dict(counts.iter_rows()) == {"seen": 2000, "exposures": 1800, "rarity": 1800}


def test_the_table_weighs_every_sentence_alike():
    """Two replicates of different sizes of a bin: bits by sentence, not by replicate."""
    case = reading(sentences=2000)
    law = dict.fromkeys((*ROLES, "world_value", "stranger"), 1.0)
    edges = case.bins.edges
    seen = pl.DataFrame({"axis": "seen", "replicate": 0, "low": edges[:-1], "high": edges[1:], "count": 1, **law})
    told = {"axis": "exposures", "replicate": [0, 1], "low": 1, "high": 2, "count": [10, 30], "value": [4.0, 0.0]}
    frame = pl.concat([part.cast({pl.Int32: pl.Int64}) for part in (seen, pl.DataFrame(told))], how="diagonal")
    found = Found(None, (Rows(case, frame),))
    tables = {table.name: table.frame for table in study.tables(found)}
    assert tables["exposures"].row(0) == ("d = 0.5", 1, 2, 40, 1.0)
    binned = tables["curves"].filter(series="law, exact", role="syntax")["bits"].to_numpy()
    each = data_law(case.world(), np.arange(2000)).syntax
    assert binned == pytest.approx([each[a:b].mean() for a, b in pairwise(edges - 1)], rel=2e-3)
