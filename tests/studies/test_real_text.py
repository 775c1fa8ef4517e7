"""The real-text study: readers of known exponents and their verdicts, counts against loops, and real runs killed."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import twopart as tp
from tests.studies.resuming import ends_as_undisturbed
from twopart.cli import main
from twopart.fits import scaling_law, slope
from twopart.learners import ArrayStream, Transformer, TransformerConfig, evaluate
from twopart.lossless import ContextMixing
from twopart.studies.real_text import PRESETS, Config, cells, claims, plan, words
from twopart.studies.real_text.corpus import Reading, divide, library
from twopart.studies.real_text.evidence import Evidence
from twopart.studies.real_text.exam import FAMILIARITY, Exam
from twopart.studies.real_text.study import findings
from twopart.studies.real_text.tokens import Encoded, encode, learn_pairs, seen_before, spans
from twopart.worlds import PitmanYor

SIZES = tuple(100_000 * 2**k for k in range(6))
DOCUMENTS, LENGTH = 30, 5000.0


def model(params, exponent=0.55, capacity=0.7, seed=0):
    """A model of that many parameters with known exponents and a floor."""
    n = np.array(SIZES, float)
    loss = 1.0 + 0.5 * (params / 1e4) ** -capacity + 0.6 * (n / n[0]) ** -exponent
    tokens = (n / 2).astype(int)
    sizes = pl.DataFrame({"size": SIZES, "tokens": tokens, "flops": 6 * params * tokens})
    frame = plain(loss, seed).join(sizes, on="size", how="left", maintain_order="left")
    return frame.with_columns(params=pl.lit(params), held_out_tokens=pl.lit(int(DOCUMENTS * LENGTH / 2)))


def plain(loss, seed=0, unseen=0.0):
    """Documents at a loss in bits per byte; a byte of unseen words falls with the exponent `unseen`, others make up for it."""
    S, F = len(SIZES), len(FAMILIARITY)
    scale = np.exp(0.3 * np.random.default_rng(seed).standard_normal(DOCUMENTS))
    n = np.array(SIZES, float)
    rare = 0.2 * loss[-1] * (n / n[-1]) ** -unseen
    bits = np.c_[rare, np.outer(loss - rare, [0.3, 0.2, 0.3, 0.2])]
    held = 100 * np.c_[(n / n[0]) ** -0.55, np.tile([4.0, 3.0, 2.0, 0.0], (S, 1))]
    shape = (S, DOCUMENTS, F)
    columns = {
        "size": np.broadcast_to(np.array(SIZES)[:, None, None], shape),
        "document": np.broadcast_to(np.arange(DOCUMENTS)[:, None], shape),
        "familiarity": np.broadcast_to(np.array(FAMILIARITY), shape),
        "words": np.broadcast_to(held[:, None], shape),
        "length": np.broadcast_to(LENGTH * np.array([0.1, 0.18, 0.15, 0.3, 0.27]), shape),
        "bits": LENGTH * scale[:, None] * bits[:, None],
    }
    return pl.DataFrame({name: np.ascontiguousarray(values).ravel() for name, values in columns.items()})


def control(exponent):
    """Replicates of a code whose cost falls so."""
    n = 1000.0 * 2 ** np.arange(6)
    random = np.random.default_rng(1)
    return [pl.DataFrame({"words": n, "bits": 9 + 50 * n**-exponent * (1 + 1e-3 * random.random())}) for _ in range(4)]


def text_of(discount, tenth, heaps):
    """What `measure_words` says of a text of two discounts whose words grow in order with the slope `heaps`."""
    n = np.geomspace(1000, 1_000_000, 40)
    law = {"tokens": [1_000_000.0, 100_000.0], "discount": [discount, tenth], "error": [0.002, 0.004]}
    laws = pl.DataFrame({"axis": ["whole", "tenth"], **law, "distinct": [30_000.0, 9000.0]})
    growth = {"tokens": n, "distinct": 5 * n**heaps, "random": 5 * n**discount}
    return pl.concat([laws, pl.DataFrame({"axis": ["growth"] * 40, **growth})], how="diagonal")


def evidence(exponent=0.55, capacity=0.7, discount=0.45, tenth=0.47, heaps=0.8, shuffled=0.52, compressed=0.55):
    models = tuple(model(params, exponent, capacity) for params in (10_000, 40_000, 160_000, 640_000))
    n = np.array(SIZES, float)
    others = {"text": control(0.3)[:1], "shuffled": control(shuffled), "drawn": control(0.52)}
    return Evidence(
        SIZES, models, plain(1.4 + 0.5 * (n / n[0]) ** -compressed, 2), text_of(discount, tenth, heaps), others
    )


def test_a_learner_that_follows_the_discount_is_recognised():
    found = evidence()
    verdicts = {judge.__name__: judge(found).verdict for judge in (claims.control, claims.one_discount)}
    assert verdicts == {"control": "holds", "one_discount": "holds"}
    law = claims.data_exponent(found)
    assert law.verdict == "holds"
    assert law.measured == pytest.approx(0.55)
    assert (law.predicted, found.data_exponent.tenth) == pytest.approx((0.55, 0.53))
    assert claims.unseen_words(found).measured == pytest.approx(0.55)
    assert claims.rival(found).verdict == claims.nearer(found).verdict == "fails"
    assert claims.rival(found).predicted == pytest.approx(0.2)
    assert claims.without_training(found).verdict == "holds"
    assert claims.familiar_is_cheap(found).verdict == "holds"


def test_a_learner_that_follows_the_order_is_recognised():
    found = evidence(exponent=0.2, compressed=0.4, tenth=0.6, shuffled=0.3)
    assert claims.data_exponent(found).verdict == "fails"
    assert claims.rival(found).verdict == claims.nearer(found).verdict == "holds"
    assert claims.without_training(found).verdict == "fails"
    assert claims.one_discount(found).verdict == claims.control(found).verdict == "fails"
    assert claims.nearer(evidence(heaps=0.46)).verdict == "inconclusive", "the rival lies within the discounts' range"
    assert claims.nearer(evidence(exponent=0.9, heaps=0.1)).verdict == "holds"


def test_all_runs_together_show_both_exponents():
    found = evidence(capacity=1 / 0.45 - 1)
    assert found.fits["chinchilla"].beta == pytest.approx(0.55, abs=0.02)
    assert found.fits["chinchilla"].alpha == pytest.approx(1 / 0.45 - 1, abs=0.1)
    judged = [claims.fitted_data_exponent, claims.fitted_capacity_exponent, claims.fitted_discount]
    assert [judge(found).verdict for judge in judged] == ["holds", "holds", "holds"]
    other = evidence(exponent=0.25, capacity=0.4)
    assert [judge(other).verdict for judge in judged] == ["fails", "fails", "fails"]


def test_runs_that_show_no_such_form_leave_claims_open(monkeypatch):
    monkeypatch.setattr(Evidence, "fit", lambda self, form: None)
    judged = claims.fitted_data_exponent(evidence())
    assert judged.verdict == "inconclusive"
    assert np.isnan(judged.measured)
    rising = evidence(exponent=-0.1)
    assert claims.data_exponent(rising).verdict == "inconclusive", "a loss that rises has no exponent"


@pytest.mark.parametrize(("unseen", "verdict"), [(0.0, "holds"), (0.02, "holds"), (0.2, "fails")])
def test_whether_novelty_gets_cheaper(unseen, verdict):
    found = evidence()
    n = np.array(SIZES, float)
    largest = found.models[-1].drop("bits").with_columns(bits=plain(1 + 300 * n**-0.55, unseen=unseen)["bits"])
    judged = claims.novelty_is_incompressible(replace(found, models=(*found.models[:-1], largest)))
    assert judged.measured == pytest.approx(unseen)
    assert judged.verdict == verdict


def test_what_fitting_reads(tmp_path):
    made = findings(evidence())
    frame = made.table("runs")
    assert frame.columns == ["params", "tokens", "flops", "loss", "bytes", "bits_per_byte"]
    assert (frame["loss"] / np.log(2) / frame["bits_per_byte"]).to_list() == pytest.approx([2.0] * len(frame))
    read = pl.read_csv(tp.report.write_report(made, tmp_path, config={}, environment={}).parent / "runs.csv")
    assert scaling_law(*(read[name].to_numpy() for name in ("params", "tokens", "loss"))).beta == pytest.approx(
        0.55, abs=0.1
    )
    assert {table.name for table in made.tables} == {"runs", "predictions", "exponents", "losses", "familiarity"}


# ------------------------------------------------------------------------------------------------ text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty documents of a few hundred words each."""
    root, random = tmp_path_factory.mktemp("texts"), np.random.default_rng(5)
    for k in range(60):
        ids = random.zipf(1.5, 400) % 5000
        (root / f"{k:02}.txt").write_text(" ".join(f"w{i}" for i in ids) + "\n")
    return root


def reading(folder, **change):
    return Reading(**{"texts": (str(folder),), "pattern": "*", "size": 60_000, "held_out": 15_000, "seed": 3, **change})


def test_a_longer_text_begins_as_the_shorter_one(folder):
    long, short = divide(reading(folder)), divide(reading(folder, size=30_000))
    assert len(long.text) == 60_000
    assert long.text.startswith(short.text)
    assert long.held_out == short.held_out
    assert not set(long.held_out) & set(long.training)
    assert sum(map(len, long.held_out)) >= 15_000
    assert max(map(len, long.held_out)) <= 1500 + len(long.training[0]), "no document decides"
    assert divide(reading(folder, seed=4)).text != long.text


def test_a_single_file_is_cut_at_line_ends(tmp_path):
    path = tmp_path / "book.txt"
    lines = [f"line {k} {'x' * (k % 70)}\n".encode() for k in range(20_000)]
    path.write_bytes(b"".join(lines))
    corpus = divide(Reading((str(path),), "*", 400_000, 170_000, 0))
    assert all(document.endswith(b"\n") for document in (*corpus.training[:-1], *corpus.held_out))
    assert all(len(document) >= 1 << 14 for document in corpus.held_out)
    found = b"".join((*corpus.training, *corpus.held_out)).splitlines(keepends=True)
    assert len(set(found) - set(lines)) <= 1, "only where the text ends is a line cut"


def test_the_digest_tells_texts_apart(folder):
    assert reading(folder).digest == reading(folder).digest
    assert reading(folder).digest != reading(folder, held_out=19_000).digest
    assert reading(folder).digest != reading(folder, size=60_001).digest


def test_too_little_text_is_refused(folder):
    with pytest.raises(ValueError, match=r"`size` must be at most what there is, \d+ bytes .*, got 9000000; "):
        reading(folder, size=9_000_000)


def test_the_library_is_there_without_tests():
    files = library()
    assert len(files) > 300
    assert any(path.name == "argparse.py" for path in files)
    assert not any("test" in path.parts or "site-packages" in path.parts for path in files)
    assert files == sorted(files)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.sampled_from([256, 280]))
def test_tokens_cover_any_bytes_and_respect_words(documents, vocabulary):
    text = b"the cat, the dog; the cat_2 \xc3\xa9t\xc3\xa9 " * 20
    pairs = learn_pairs(text, vocabulary)
    documents = (text[:100], *documents)
    encoded = pairs.encode(documents)
    whole = b"".join(documents)
    assert encoded.ends[-1] == len(whole)
    starts = np.append(0, encoded.ends[:-1])
    assert (encoded.ends > starts).all()
    pieces = [whole[a:b] for a, b in zip(starts, encoded.ends, strict=True)]
    assert all(len({one in WORD_BYTES for one in piece}) == 1 for piece in pieces), "in a word or in none"
    assert {int(end) for end in np.cumsum([len(d) for d in documents]) if end} <= set(encoded.ends.tolist())
    decoded = [pairs.tokenizer.id_to_token(int(token)).encode("latin-1") for token in encoded.tokens]
    assert decoded == pieces


WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") | set(range(128, 256))


def test_words_are_counted_as_a_loop_would():
    text = b"a b a c a b\nd a " * 30
    sizes = (16, 64, len(text))
    found = seen_before([b"a", b"b", b"zz"], text, sizes)
    for row, size in zip(found, sizes, strict=True):
        parts = text[:size].split()
        assert row.tolist() == [parts.count(b"a"), parts.count(b"b"), 0]


def test_an_exam_sums_what_a_loop_sums():
    documents = (b"alpha beta, gamma\n", b"beta  delta alpha\n")
    text = b"alpha " * 12 + b"beta beta delta delta delta delta " + b"gamma"
    sizes = (72, len(text))
    pairs = learn_pairs(text, 262)
    encoded = pairs.encode(documents)
    bits = np.random.default_rng(1).random(len(encoded.tokens))
    whole = b"".join(documents)
    for moment, size in enumerate(sizes):
        frame = Exam(documents, text, sizes).mark(moment, bits, encoded.ends)
        assert frame["bits"].sum() == pytest.approx(bits.sum())
        assert frame["length"].sum() == len(whole)
        expected = {}
        start = 0
        for end, cost in zip(encoded.ends, bits, strict=True):
            word = next((whole[a:b] for a, b in spans(documents) if a <= start < b), None)
            count = text[:size].split().count(word)
            name = "between" if word is None else FAMILIARITY[sum(count >= least for least in (1, 4, 11))]
            key = int(start >= len(documents[0])), name
            expected[key] = expected.get(key, 0.0) + cost
            start = end
        rows = zip(
            *(frame.filter(pl.col("length") > 0)[name] for name in ("document", "familiarity", "bits")), strict=True
        )
        assert {(d, f): b for d, f, b in rows} == pytest.approx(expected)
        assert frame["words"].sum() == 6


# ------------------------------------------------------------------------------------------------ readers


def test_tokens_cost_what_evaluation_says():
    vocabulary, context = 20, 8
    model = Transformer(TransformerConfig(vocabulary + 1, context, 1, 8, 1), seed=1)
    tokens = np.random.default_rng(2).integers(vocabulary, size=1000)
    bits = cells.token_bits(model, Encoded(tokens, np.arange(1, 1001)), context)
    stream = ArrayStream(cells.in_rows(tokens, context, bos=vocabulary), np.ones(context + 1, np.uint8))
    rows = evaluate(model, stream).total
    assert bits.reshape(-1, context).sum(1) == pytest.approx(rows, rel=1e-5)
    assert len(cells.token_bits(model, Encoded(tokens[:13], np.arange(1, 14)), context)) == 13


def test_a_run_is_examined_at_every_data_size(folder, tmp_path):
    """The first rows of a long run are the rows of a short one: the rate knows nothing of the run's length."""
    sizes = (10_000, 20_000, 40_000)
    settings = {"vocabulary": 270, "width": 8, "layers": 1, "context": 32, "batch": 4}
    rate = {"learning_rate": 0.01, "warmup": 5, "hold": 20}
    long = cells.ModelCell("long", reading(folder), sizes, **settings, **rate)
    found = cells.train_model(long, tp.lab.Cell(tmp_path / "long", seed=4))
    short = cells.train_model(replace(long, sizes=sizes[:2]), tp.lab.Cell(tmp_path / "short", seed=4))
    assert found.filter(pl.col("size") <= 20_000).equals(short)
    vocabulary, text, _ = encode(long.reading, sizes[0], 270)
    tokens = found["tokens"].unique().sort().to_numpy()
    assert np.all(tokens % (4 * 32) == 0)
    assert text.ends[tokens - 1] == pytest.approx(sizes, abs=4 * 32 * 8)
    assert found["params"].unique().to_list() == [cells.shape(long, vocabulary).parameters]
    losses = found.group_by("size").agg(pl.col("bits").sum()).sort("size")["bits"].to_list()
    assert losses == sorted(losses, reverse=True)


def test_a_compressor_is_charged_what_its_file_would_grow_by(folder, tmp_path):
    config = cells.CompressorCell("fast", reading(folder), (10_000, 40_000, 60_000))
    found = cells.compress_text(config, tp.lab.Cell(tmp_path, seed=1))
    corpus = divide(config.reading)
    document = corpus.held_out[2]
    for size in config.sizes:
        method = ContextMixing("fast").sized(60_000)
        alone = tp.lossless.compress(corpus.text[:size], method)
        grown = tp.lossless.compress(corpus.text[:size] + document, method)
        charged = found.filter((pl.col("size") == size) & (pl.col("document") == 2))["bits"].sum()
        assert charged == pytest.approx(8 * (len(grown) - len(alone)), abs=0.01 * charged + 64)


# ------------------------------------------------------------------------------------------------ words


def test_the_bayes_code_is_that_of_a_loop():
    types = np.array([0, 1, 0, 2, 2, 0, 3])
    spelling = np.array([8.0, 16.0, 24.0, 32.0])
    d, theta, counts, expected = 0.4, 1.5, {}, []
    for n, word in enumerate(types):
        share = (counts[word] - d if word in counts else theta + d * len(counts)) / (n + theta)
        expected.append(-np.log2(share) + (0 if word in counts else spelling[word]))
        counts[word] = counts.get(word, 0) + 1
    assert words.bayes_bits(types, spelling, d, theta) == pytest.approx(expected)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50))
def test_ranks_count_what_came_before(values):
    types = np.array(values)
    assert words.ranks(types).tolist() == [values[:k].count(value) for k, value in enumerate(values)]


def test_words_of_the_law_fall_as_the_law_says():
    """Of PY(d, small θ) the savings fall as n^-(1-d): spelling dominates, and its share is the exact missing mass."""
    law, n = PitmanYor(0.6, 0.5), 200_000
    ends = (n * 0.5 ** np.arange(6, -1, -1)).round().astype(int)
    savings = []
    for seed in range(4):
        types = np.unique(law.draw(n, seed=seed), return_inverse=True)[1]
        bits = words.bayes_bits(types, np.full(int(types.max()) + 1, 64.0), 0.6, 0.5)
        savings.append(-np.diff(np.diff(np.append(0, np.cumsum(bits))[ends]) / np.diff(ends)))
    assert slope(ends[:-2], np.mean(savings, 0)) == pytest.approx(-0.4, abs=0.05)


def test_counts_are_those_of_the_tool(folder, tmp_path):
    found = words.measure_words(words.CountsCell("words", reading(folder)), tp.lab.Cell(tmp_path, seed=2))
    text = divide(reading(folder)).text
    tokens = words.words(text)
    whole = found.row(0, named=True)
    assert (whole["tokens"], whole["distinct"]) == (len(tokens), len(set(tokens)))
    types, spelled = words.numbered(tokens)
    assert whole["discount"] == pytest.approx(tp.fits.pitman_yor(np.bincount(types)).discount)
    assert spelled[types[0]] == 8 * (len(tokens[0]) + 1)


def test_shuffling_keeps_the_words(folder, tmp_path):
    frames = {
        source: words.code_words(words.ControlCell("x", reading(folder), source), tp.lab.Cell(tmp_path, seed=2))
        for source in ("text", "shuffled", "drawn")
    }
    assert frames["text"]["words"].equals(frames["shuffled"]["words"])
    assert not frames["text"]["bits"].equals(frames["shuffled"]["bits"])
    assert all(frame["bits"].is_between(0, 100).all() for frame in frames.values())


# ------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_name_every_run(preset):
    rows = plan(PRESETS[preset])
    assert sum(row.cells for row in rows) == len(PRESETS[preset].widths) + 2 + 2 * PRESETS[preset].shuffles
    assert all(row.seconds > 0 and row.memory > 0 for row in rows)


@pytest.mark.parametrize(
    "change",
    [
        {"least": 100},
        {"size": 400_000},
        {"data_sizes": 3},
        {"held_out": 10},
        {"vocabulary": 255},
        {"widths": (8,)},
        {"widths": (16, 8)},
        {"layers": 0},
        {"context": 4},
        {"batch": 0},
        {"batch": 100},
        {"learning_rate": 2.0},
        {"warmup": -1},
        {"hold": 10},
        {"shuffles": 1},
    ],
)
def test_bad_settings(change):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        replace(Config(), **change)


def test_bad_settings_on_the_command_line(capsys, tmp_path):
    assert main(["run", "real-text", "--preset", "tiny", "--texts", str(tmp_path / "no"), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "does not exist" in said


@pytest.mark.slow
def test_a_killed_study_ends_as_an_undisturbed_one(tmp_path):
    ends_as_undisturbed("real-text", ["--shuffles", "2"], tmp_path)
