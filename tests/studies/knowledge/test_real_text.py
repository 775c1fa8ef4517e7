"""The study of real text: readers of known exponents and their verdicts, cells against slow twins."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

import twopart as tp
from twopart.codes import FAMILIARITY
from twopart.evidence import Found
from twopart.lossless import ContextMixing
from twopart.studies._transformers import OnePass, Shape
from twopart.studies.knowledge import real_text, real_text_cells
from twopart.studies.knowledge.real_text import Compressor, Config, Control, Model, Reading, Text
from twopart.worlds import words_of

SIZES = tuple(100_000 * 2**k for k in range(6))
N = np.array(SIZES, float)
DOCUMENTS, LENGTH = 6, 25_000.0
READING = Reading(Text(), 0, digest="planted")


def marks(loss, seed=0, unseen=0.0):
    """Documents at a loss in bits per byte; a byte of unseen words falls with the exponent `unseen`, others make up for it."""
    scale = np.exp(0.3 * np.random.default_rng(seed).standard_normal(DOCUMENTS))
    rare = 0.2 * loss[-1] * (N / N[-1]) ** -unseen
    bits = np.c_[rare, np.outer(loss - rare, [0.3, 0.2, 0.3, 0.2])]
    words = 100 * np.c_[(N / N[0]) ** -0.55, np.tile([4.0, 3.0, 2.0, 0.0], (len(N), 1))]
    columns = {
        "size": np.array(SIZES)[:, None, None],
        "document": np.arange(DOCUMENTS)[:, None],
        "familiarity": np.array(FAMILIARITY),
        "words": words[:, None],
        "length": LENGTH * np.array([0.1, 0.18, 0.15, 0.3, 0.27]),
        "bits": LENGTH * scale[:, None] * bits[:, None],
    }
    shape = len(SIZES), DOCUMENTS, len(FAMILIARITY)
    return pl.DataFrame({name: np.broadcast_to(values, shape).ravel() for name, values in columns.items()})


def model(params, exponent, capacity, unseen):
    """A model of that many parameters with known exponents and a floor."""
    loss = 1.0 + 0.5 * (params / 1e4) ** -capacity + 0.6 * (N / N[0]) ** -exponent
    tokens = pl.col("size") // 2
    run = {
        "params": params,
        "tokens": tokens,
        "flops": 6 * params * tokens,
        "held_out_tokens": int(DOCUMENTS * LENGTH / 2),
    }
    return marks(loss, unseen=unseen).with_columns(
        **{k: v if isinstance(v, pl.Expr) else pl.lit(v) for k, v in run.items()}
    )


def counts(discount, tenth, heaps):
    """What `measure_words` says of a text of two discounts whose words grow in order with the slope `heaps`."""
    n = np.geomspace(1000, 1_000_000, 40)
    law = {"tokens": [1_000_000.0, 100_000.0], "discount": [discount, tenth], "error": [0.002, 0.004]}
    laws = pl.DataFrame({"axis": ["whole", "tenth"], **law, "distinct": [30_000.0, 9000.0]})
    growth = pl.DataFrame({"axis": ["growth"] * 40, "tokens": n, "distinct": 5 * n**heaps, "random": 5 * n**discount})
    return pl.concat([laws, growth], how="diagonal")


def planted(
    exponent=0.55, capacity=0.7, discount=0.45, tenth=0.47, heaps=0.8, shuffled=0.52, compressed=0.55, unseen=0.0
):
    """What a run would have found in a text of these exponents."""
    shape, training = Shape(1, 8), OnePass()
    rows = [
        ("train_model", Model(READING, SIZES, 512, replace(shape, width=2 * k), 128, training), 0, frame)
        for k, params in enumerate((10_000, 40_000, 160_000, 640_000), 1)
        for frame in [model(params, exponent, capacity, unseen)]
    ]
    rows.append(("compress_text", Compressor(READING, SIZES), 0, marks(1.4 + 0.5 * (N / N[0]) ** -compressed, 2)))
    rows.append(("measure_words", READING, 0, counts(discount, tenth, heaps)))
    words, random = 1000.0 * 2 ** np.arange(6), np.random.default_rng(1)
    for source, fall, replicates in (("text", 0.3, 1), ("shuffled", shuffled, 4), ("drawn", 0.52, 4)):
        for k in range(replicates):
            bits = 9 + 50 * words**-fall * (1 + 1e-3 * random.random())
            rows.append(("code_words", Control(READING, source), k, pl.DataFrame({"words": words, "bits": bits})))
    return Found.collect(Config(), rows)


def evidence(**truth):
    return real_text.evidence(planted(**truth))


def verdicts(found, *names):
    return [getattr(real_text, name)(found).verdict for name in names]


def test_a_learner_that_follows_the_discount_is_recognised():
    found = evidence()
    assert verdicts(found, "control", "one_discount", "unseen_words", "data_exponent") == ["holds"] * 4
    law = real_text.data_exponent(found)
    assert (law.measured, law.predicted, found.data.tenth) == pytest.approx((0.55, 0.55, 0.53))
    assert "0.550 by the discount of the whole text, 0.530 by that" in law.rule
    assert real_text.unseen_words(found).measured == pytest.approx(0.55)
    assert verdicts(found, "rival", "nearer") == ["fails", "fails"]
    assert real_text.rival(found).predicted == pytest.approx(0.2)
    assert verdicts(found, "without_training", "familiar_is_cheap") == ["holds", "holds"]


def test_a_learner_that_follows_the_order_is_recognised():
    found = evidence(exponent=0.2, compressed=0.4, tenth=0.6, shuffled=0.3)
    assert verdicts(found, "rival", "nearer") == ["holds", "holds"]
    assert verdicts(found, "control", "one_discount", "data_exponent", "without_training") == ["fails"] * 4
    assert verdicts(evidence(heaps=0.46), "nearer") == ["inconclusive"], "the rival lies within the discounts' range"
    assert verdicts(evidence(exponent=0.9, heaps=0.1), "nearer") == ["holds"]
    assert verdicts(evidence(discount=0.1, tenth=0.15), "unseen_words") == ["fails"]


def test_all_runs_together_show_both_exponents():
    judged = "fitted_data_exponent", "fitted_capacity_exponent", "fitted_discount"
    found = evidence(capacity=1 / 0.45 - 1)
    assert real_text.fitted_data_exponent(found).measured == pytest.approx(0.55, abs=0.02)
    assert real_text.fitted_capacity_exponent(found).measured == pytest.approx(1 / 0.45 - 1, abs=0.1)
    assert "95% interval of the profile likelihood;" in real_text.fitted_discount(found).rule
    assert verdicts(found, *judged) == ["holds"] * 3
    assert verdicts(evidence(exponent=0.25, capacity=0.4), *judged) == ["fails"] * 3


def test_runs_that_show_no_such_form_leave_claims_open():
    rising = evidence(exponent=-0.1)
    assert verdicts(rising, "data_exponent") == ["inconclusive"], "a loss that rises has no exponent"
    few = replace(rising, models=rising.models[:1])
    assert verdicts(few, "fitted_data_exponent") == ["inconclusive"]
    assert np.isnan(real_text.fitted_data_exponent(few).measured)


@pytest.mark.parametrize(("unseen", "verdict"), [(0.02, "holds"), (0.2, "fails")])
def test_whether_novelty_gets_cheaper(unseen, verdict):
    judged = real_text.novelty_is_incompressible(evidence(unseen=unseen))
    assert judged.measured == pytest.approx(unseen)
    assert judged.verdict == verdict


def test_a_familiar_word_that_is_dear_fails():
    largest = planted().parts[3].frame
    dear = largest.with_columns(
        bits=pl.when(pl.col("familiarity") == "11+").then(100.0).otherwise(1.0) * pl.col("length")
    )
    found = evidence()
    dearer = replace(found.largest, frame=dear)
    assert verdicts(replace(found, models=(*found.models[:-1], dearer)), "familiar_is_cheap") == ["fails"]


def test_what_a_reader_sees():
    tables = list(real_text.tables(planted()))
    frames, runs = {table.name: table.frame for table in tables}, tables[0].frame
    assert [table.name for table in tables if table.csv] == ["runs"]
    assert runs.columns == ["params", "tokens", "flops", "loss", "bytes", "bits_per_byte"], (
        "as `twopart fit` reads them"
    )
    assert (runs["loss"] / np.log(2) / runs["bits_per_byte"]).to_list() == pytest.approx([2.0] * len(runs))
    law = frames["savings"].filter(pl.col("series") == "1 - d of the whole")
    assert tp.fits.slope(law["bytes"], law["saved"]) == pytest.approx(-0.55)
    familiar = frames["familiarity"].filter((pl.col("reader") == "compressor") & (pl.col("bytes") == SIZES[2]))
    assert familiar["part of the loss"].sum() == pytest.approx(
        frames["losses"].filter((pl.col("series") == "compressor") & (pl.col("bytes") == SIZES[2]))["bits per byte"][0]
    )
    assert familiar.select(pl.col("share of words", "share of bytes").sum()).row(0) == pytest.approx((1, 1))


def test_at_most_four_models_are_drawn():
    for count, shown in ((4, [1, 2, 3, 4]), (5, [1, 3, 5]), (6, [2, 4, 6]), (9, [3, 6, 9])):
        frame = pl.DataFrame({"params": [*range(1, count + 1), None]})
        assert frame.filter(real_text.SHOWN)["params"].to_list() == [*shown, None]


# ------------------------------------------------------------------------------------------------ cells


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """Sixty documents of a few hundred words each."""
    root, random = tmp_path_factory.mktemp("texts"), np.random.default_rng(5)
    for k in range(60):
        ids = random.zipf(1.5, 400) % 5000
        (root / f"{k:02}.txt").write_text(" ".join(f"w{i}" for i in ids) + "\n")
    return Reading(Text((str(root),), size=60_000, held_out=15_000), 3)


def test_a_run_is_examined_at_every_data_size(reading, tmp_path):
    """The first rows of a long run are the rows of a short one: the rate knows nothing of the run's length."""
    sizes = (10_000, 20_000, 40_000)
    training = OnePass(batch=16, learning_rate=0.01, warmup=5, hold=20)
    long = Model(reading, sizes, 270, Shape(1, 8), 32, training)
    found = real_text_cells.train_model(long, tp.lab.Cell(tmp_path / "long", seed=4))
    short = real_text_cells.train_model(replace(long, sizes=sizes[:2]), tp.lab.Cell(tmp_path / "short", seed=4))
    assert found.filter(pl.col("size") <= 20_000).equals(short)
    vocabulary, text, held_out = real_text_cells.encode(reading, sizes[0], 270)
    tokens = found["tokens"].unique().sort().to_numpy()
    assert np.all(tokens % (16 * 32) == 0)
    assert text.ends[tokens - 1] == pytest.approx(sizes, abs=16 * 32 * 4)
    assert found["params"].unique().to_list() == [long.shape.of(vocabulary + 1, 32).parameters]
    assert found["held_out_tokens"].unique().to_list() == [len(held_out.tokens)]
    losses = found.group_by("size").agg(pl.col("bits").sum()).sort("size")["bits"].to_list()
    assert losses == sorted(losses, reverse=True)


def test_a_compressor_is_charged_what_its_file_would_grow_by(reading, tmp_path):
    case = Compressor(reading, (10_000, 60_000))
    found = real_text_cells.compress_text(case, tp.lab.Cell(tmp_path, seed=1))
    document = reading.documents.held_out[2]
    for size in case.sizes:
        method, text = ContextMixing("fast").sized(60_000), reading.documents.text[:size]
        grown = len(tp.lossless.compress(text + document, method)) - len(tp.lossless.compress(text, method))
        charged = found.filter((pl.col("size") == size) & (pl.col("document") == 2))["bits"].sum()
        assert charged == pytest.approx(8 * grown, abs=0.01 * charged + 64)


def test_counts_are_those_of_the_tool(reading, tmp_path):
    found = real_text_cells.measure_words(reading, tp.lab.Cell(tmp_path, seed=2))
    tokens = words_of(reading.documents.text)
    whole = found.row(0, named=True)
    assert (whole["tokens"], whole["distinct"]) == (len(tokens), len(set(tokens)))
    counted = np.unique(tokens, return_counts=True)[1]
    assert whole["discount"] == pytest.approx(tp.fits.pitman_yor(counted).discount)


def test_shuffling_keeps_the_words(reading, tmp_path):
    frames = {
        source: real_text_cells.code_words(Control(reading, source), tp.lab.Cell(tmp_path, seed=2))
        for source in ("text", "shuffled", "drawn")
    }
    assert frames["text"]["words"].equals(frames["shuffled"]["words"])
    assert not frames["text"]["bits"].equals(frames["shuffled"]["bits"])
    assert all(frame["bits"].is_between(0, 100).all() for frame in frames.values())


def test_another_text_is_another_case(reading):
    assert reading.digest == Reading(reading.text, 3).digest
    assert reading.digest != Reading(reading.text, 4).digest
    with pytest.raises(ValueError, match=r"`size` must be at most what there is, \d+ bytes .*, got 9000000; "):
        Reading(replace(reading.text, size=9_000_000), 3)
