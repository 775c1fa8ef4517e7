"""The cells of the study of a text's exponent: learners in worlds of which all is known, and what is measured of texts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.knowledge.horizon import noise_bar
from twopart.lossless import ContextMixing
from twopart.lossless.mixing.method import Mixer
from twopart.studies.knowledge.text_exponent import Learned, Noise, Remembered, Text
from twopart.tools.measure import measure
from twopart.tools.measure.contexts import contexts, repeated, shared_bits
from twopart.tools.measure.correlations import correlations
from twopart.tools.measure.count_code import count_code_losses
from twopart.worlds import Documents

Floats = NDArray[np.float64]


def draw_noise(case: Noise, cell: Cell) -> pl.DataFrame:
    """Norms of `C` in every draw, from 16 independent documents: `lag`, `squared`, `plug_in`."""
    random, length, rows = _random.generator(cell.seed, "noise"), case.tokens // 16, []
    for draw in range(case.draws):
        fresh = random.choice(case.types, (16, length), p=case.shares)
        new = random.random(fresh.shape) >= case.copied
        new[:, 0] = True
        last = np.maximum.accumulate(np.where(new, np.arange(length), 0), axis=1)
        tokens = np.take_along_axis(fresh, last, 1).ravel()
        found = correlations(tokens, case.lags, 16, np.arange(16) * length)
        rows.append(
            pl.DataFrame({"replicate": draw, "lag": found.lags, "squared": found.squared, "plug_in": found.plug_in})
        )
        cell.progress(draw + 1, case.draws)
    return pl.concat(rows)


def learn(case: Learned, cell: Cell) -> pl.DataFrame:
    """After each size the `excess` over the entropy rate in bits per output, and entries `kept`, by V."""
    world, rows = case.world, []
    V, L, each = world.values, world.lags, np.arange(world.lags)
    truth = np.zeros((L, V, V))
    truth[each[:, None], np.arange(V), world.maps] = world.weights[:, None]
    for r in range(case.seeds):
        stream = int(_random.keys(cell.seed, 1, "learn", r)[0] >> 2)
        before, y, lag = world.sample(case.sizes[-1], stream)
        asked = world.sample(2000, stream + 1)[0]
        counts = np.zeros((L, V, V) if not world.tagged else (L, V))
        for start, stop in pairwise((0, *case.sizes)):
            if world.tagged:
                counts[lag[start:stop] - 1, before[np.arange(start, stop), lag[start:stop] - 1]] += 1
                excess, kept = np.log2(V) * float(world.weights @ (counts == 0).mean(1)), float((counts > 0).sum() / V)
            else:
                for l in each:
                    counts[l] += np.bincount(before[start:stop, l] * V + y[start:stop], minlength=V * V).reshape(V, V)
                over = counts - stop / V**2
                entries = np.where(over > noise_bar(V, L) * np.sqrt(stop) / V, over * V / stop, 0)
                excess, kept = _divergence(truth, entries, asked), float((entries > 0).sum() / V)
            rows.append({"replicate": r, "size": stop, "excess": excess, "kept": kept})
        cell.progress(r + 1, case.seeds)
    return pl.DataFrame(rows)


def _divergence(truth: Floats, entries: Floats, asked: NDArray[np.int64]) -> float:
    """Mean bits that mixing these entries (lags, x, y), the rest of the mass being uniform, costs more than the truth."""

    def mixed(table: Floats, x: NDArray[np.int64]) -> Floats:
        p = sum((table[l][x[:, l]] for l in range(len(table))), np.zeros((len(x), table.shape[2])))
        rest = np.maximum(1 - p.sum(1, keepdims=True), 1e-3)
        return np.asarray((p + rest / p.shape[1]) / (p.sum(1, keepdims=True) + rest))

    p = mixed(truth, asked)
    return float((p * np.log2(p / mixed(entries, asked))).sum(1).mean())


def remember(case: Remembered, cell: Cell) -> pl.DataFrame:
    """The excess of the code that looks back n tokens: `size` is n, `excess` in bits per token."""
    world, most, rows = case.world, case.sizes[-1], []
    rate = world.entropy_rate() + float(world.shares @ np.log2(world.shares))  # of bits alone
    for r in range(case.seeds):
        fact, bit = world.sample(case.tokens, int(_random.keys(cell.seed, 1, "facts", r)[0] >> 2))
        order = np.argsort(fact, kind="stable")
        age, again = np.diff(order, prepend=0), np.append(False, np.diff(fact[order]) == 0)
        same = np.append(False, np.diff(bit[order]) == 0)
        kept = world.kept[fact[order]] ** np.where(again, age, 1)
        cost, late = (
            -np.log2(np.where(same, 1 + kept, 1 - kept) / 2, where=again, out=np.ones(len(kept))),
            order >= most,
        )
        losses = [np.where(again & (age <= n), cost, 1)[late].mean() for n in case.sizes]
        rows.append(pl.DataFrame({"replicate": r, "size": case.sizes, "excess": np.array(losses) - rate}))
        cell.progress(r + 1, case.seeds)
    return pl.concat(rows)


def _tokens(documents: Documents, vocabulary: int) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """What is read and what is held out, a row for each document; pairs are learned on what is read, a word with its space."""
    both = documents.read, documents.held_out
    if not vocabulary:
        read, held_out = ([np.frombuffer(d, np.uint8).astype(np.int64) for d in of] for of in both)
        return read, held_out
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer, letters = Tokenizer(models.BPE()), pre_tokenizers.ByteLevel.alphabet()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=letters, show_progress=False)
    texts = [[d.decode("utf-8", "replace") for d in of] for of in both]
    tokenizer.train_from_iterator(texts[0], trainer)
    read, held_out = ([np.array(one.ids, np.int64) for one in tokenizer.encode_batch_fast(of)] for of in texts)
    return read, held_out


def correlate(case: Text, cell: Cell) -> pl.DataFrame:
    """By `unit` and `lag` squared norms, and `without` one block at a time, which is the replicate."""
    rows = []
    for done, (unit, vocabulary) in enumerate(case.units.items(), 1):
        rows_of = _tokens(case.documents(), vocabulary)[0]
        longest = sum(map(len, rows_of)) // 16  # a text of few documents is cut, to have blocks
        read = [row[at : at + longest] for row in rows_of for at in range(0, len(row), longest)]
        ends = np.cumsum([len(row) for row in read])
        lags = np.unique(np.geomspace(1, min(512, max(16, ends[-1] // 4000)), 28).round().astype(int))
        found = correlations(np.concatenate(read), lags, 32, np.append(0, ends[:-1]))
        columns = {name: getattr(found, name) for name in ("squared", "error", "plug_in", "floor")}
        rows.append(long("lag", {"without": found.replicates, "lag": lags, **columns}, unit=unit))
        cell.progress(done, len(case.units))
    return pl.concat(rows)


def climb(case: Text, cell: Cell) -> pl.DataFrame:
    """What each held-out document costs after each size: `learner`, `size`, `document`, `bits`, `length`."""
    documents, sizes = case.documents(cell.replicate), case.sizes
    text, held_out = np.frombuffer(documents.text, np.uint8), [np.frombuffer(d, np.uint8) for d in documents.held_out]
    code = ContextMixing("fast").sized(len(text))
    ready, bits = code.start(), []
    for start, stop in pairwise((0, *sizes)):
        ready.encode(text[start:stop])
        with ready.snapshot() as copy:
            bits.append([_cost(copy(), document) for document in held_out])
        cell.progress(stop, 2 * sizes[-1])
    found = {"mixing": np.array(bits)}
    for unit, vocabulary in list(case.units.items())[:2]:
        read, asked = _tokens(documents, vocabulary)
        lengths = [int(sum(map(len, read)) * size / len(text)) for size in sizes]
        losses = count_code_losses(read, asked, 4 if vocabulary else 6, lengths, vocabulary or 256)
        found[f"counts, {unit}"] = losses[np.arange(len(sizes)), losses.sum(2).argmin(1)]  # the best order at each size
    cell.progress(1, 1)
    length = np.array([len(document) for document in held_out])
    labels = {"size": np.array(sizes)[:, None], "document": np.arange(len(length)), "length": length}
    frames = [long("ladder", {"bits": b[None], **labels}, learner=name).drop("replicate") for name, b in found.items()]
    return pl.concat(frames)


def _cost(code: Mixer, document: NDArray[np.uint8]) -> float:
    bits = np.empty(len(document))
    code.encode(document, bits)
    return float(bits.sum())


def weigh(case: Text, cell: Cell) -> pl.DataFrame:
    """After a sixteenth and after all, by document, the replicate, and bytes of context: sums over `targets` of bits per byte,
    and of their first 8 bytes.
    """
    documents, rows, config = case.documents(), [], case.config
    for done, size in enumerate((case.sizes[-1] >> 4, case.sizes[-1]), 1):
        text, seed = documents.text[:size], cell.seed >> 1
        found = contexts(text, documents.held_out, config.windows, config.targets, seed=seed)
        parts = [found.bits[found.document == d] for d in np.unique(found.document)]
        sums = {"bits": [p.mean(2).sum(0) for p in parts], "first": [p[:, :, :8].mean(2).sum(0) for p in parts]}
        counts = {"targets": np.array([[len(p)] for p in parts]), "window": found.contexts}
        rows.append(long("window", {**sums, **counts}, size=size))
        cell.progress(done, 2)
    return pl.concat(rows)


def survey(case: Text, cell: Cell) -> pl.DataFrame:
    """What other theories go by: `bits` shared by `size`, the `discount` of words, and the share of what is `repeated`."""
    documents = case.documents()
    text, path = documents.text, cell.folder / "text"
    path.write_bytes(text)
    words = measure(path, unit="identifiers", part=0.1, seed=cell.seed >> 1)
    shared = shared_bits(text, 2 ** np.arange(11, max(14, len(text).bit_length() - 3)))
    cell.progress(1, 1)
    laws = {"axis": ["whole", "tenth"], "discount": [words.law.discount, words.part.discount]}
    found = pl.DataFrame({**laws, "repeated": [repeated(documents.read)] * 2})
    halves = pl.DataFrame({"size": shared.sizes, "bits": shared.bits, "axis": "shared"})
    return pl.concat([found, halves], how="diagonal")
