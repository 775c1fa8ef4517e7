"""The cells of the study of a text's exponent: learners in worlds of which all is known, and what is measured of texts."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.knowledge.horizon import noise_bar
from twopart.lossless import ContextMixing
from twopart.roles import Role
from twopart.studies.knowledge._known_exponents import Learned, Noise, Remembered
from twopart.studies.knowledge.text_exponent import COUNTS, Rung, Text
from twopart.tools.measure import measure
from twopart.tools.measure.contexts import contexts, repeated, shared_bits
from twopart.tools.measure.correlations import correlations
from twopart.tools.measure.count_code import count_code_losses

ASIDE = 32  # of the text's tokens, one in so many tells a transformer when to stop
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Rows = tuple[Integers, NDArray[np.uint8]]
"""Of a learner: tokens behind BOS, and their roles."""


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
    """After each size the `excess` over the entropy rate in bits per output, by `context`, how many inputs are seen; and the
    entries `kept`, by V.
    """
    world, rows = case.world, []
    V, L, each = world.values, world.lags, np.arange(world.lags)
    truth = np.zeros((L, V, V))
    truth[each[:, None], np.arange(V), world.maps] = world.weights[:, None]
    for r in range(case.seeds):
        stream = int(_random.keys(cell.seed, 1, "learn", r)[0] >> 2)
        before, y, lag = world.sample(case.sizes[-1], stream)
        asked = world.sample(2000, stream + 1)[0]
        true, counts = _mixed(truth, asked, (L,))[0], np.zeros((L, V, V) if not world.tagged else (L, V))
        for start, stop in pairwise((0, *case.sizes)):
            if world.tagged:
                counts[lag[start:stop] - 1, before[np.arange(start, stop), lag[start:stop] - 1]] += 1
                excess = [np.log2(V) * float(world.weights @ (counts == 0).mean(1))]
                kept = float((counts > 0).sum() / V)
            else:
                for l in each:
                    counts[l] += np.bincount(before[start:stop, l] * V + y[start:stop], minlength=V * V).reshape(V, V)
                over = counts - stop / V**2
                entries = np.where(over > noise_bar(V, L) * np.sqrt(stop) / V, over * V / stop, 0)
                guesses = _mixed(entries, asked, case.contexts)
                excess = [float((true * np.log2(true / guess)).sum(1).mean()) for guess in guesses]
                kept = float((entries > 0).sum() / V)
            rows += [
                {"replicate": r, "size": stop, "context": n, "excess": e, "kept": kept}
                for n, e in zip(case.contexts, excess, strict=True)
            ]
        cell.progress(r + 1, case.seeds)
    return pl.DataFrame(rows)


def _mixed(entries: Floats, x: Integers, contexts: tuple[int, ...]) -> list[Floats]:
    """Probabilities of V outputs if these entries (lags, x, y) are mixed up to each context, and the rest is uniform."""
    p, found = np.zeros((len(x), entries.shape[2])), []
    for lag, of_lag in enumerate(entries, 1):
        p += of_lag[x[:, lag - 1]]
        if lag in contexts:
            rest = np.maximum(1 - p.sum(1, keepdims=True), 1e-3)
            found.append(np.asarray((p + rest / p.shape[1]) / (p.sum(1, keepdims=True) + rest)))
    return found


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


@lru_cache(maxsize=4)
def _tokens(text: Text, order: int, vocabulary: int) -> tuple[list[Integers], list[Integers]]:
    """What is read and what is held out, a row for each document; pairs are learned on what is read, a word with its space."""
    documents = text.documents(order)
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
        rows_of = _tokens(case, 0, vocabulary)[0]
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
    """What each held-out document costs after each size: `learner`, `size`, `document`, `bits`, `length`; `before`: tokens of
    context that a code by counts has.
    """
    documents, sizes = case.documents(cell.replicate), case.sizes
    text, held_out = np.frombuffer(documents.text, np.uint8), [np.frombuffer(d, np.uint8) for d in documents.held_out]
    code = ContextMixing("fast").sized(len(text))
    ready, bits = code.start(), []
    for start, stop in pairwise((0, *sizes)):
        ready.encode(text[start:stop])
        bits.append([ready.price(document).sum() for document in held_out])
        cell.progress(stop, 2 * sizes[-1])
    found = {"mixing": np.array(bits)[:, None]}
    for unit, vocabulary in list(case.units.items())[:2]:
        read, asked = _tokens(case, cell.replicate, vocabulary)
        lengths = [int(sum(map(len, read)) * size / len(text)) for size in sizes]
        name = COUNTS if not vocabulary else f"counts, {unit}"
        found[name] = count_code_losses(read, asked, 4 if vocabulary else 6, lengths, vocabulary or 256)
    cell.progress(1, 1)
    length = np.array([len(document) for document in held_out])
    labels = {"size": np.array(sizes)[:, None, None], "document": np.arange(len(length)), "length": length}
    frames = []
    for name, each in found.items():
        columns = {"bits": each[None], "before": np.arange(each.shape[1])[:, None], **labels}
        frames.append(long("ladder", columns, learner=name).drop("replicate"))
    return pl.concat(frames)


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
    shared = shared_bits(text, 2 ** np.arange(11, max(13, len(text).bit_length() - 3)))
    cell.progress(1, 1)
    laws = {"axis": ["whole", "tenth"], "discount": [words.law.discount, words.part.discount]}
    found = pl.DataFrame({**laws, "repeated": [repeated(documents.read)] * 2})
    halves = pl.DataFrame({"size": shared.sizes, "bits": shared.bits, "axis": "shared"})
    return pl.concat([found, halves], how="diagonal")


def train(case: Rung, cell: Cell) -> pl.DataFrame:
    """What tokens of each held-out document cost a transformer, by tokens `before` them in its row: `bits`, `targets`; how many
    `passes` over what it learns from, its `params`. When to stop, the end of the text tells, from which no model learns.
    """
    from twopart.learners.knowledge.early import learn_until  # torch, which the other cells do without
    from twopart.learners.knowledge.text import token_bits

    config, vocabulary = case.text.config, case.text.config.vocabulary[0]
    read, asked = _tokens(case.text, cell.replicate, vocabulary)
    tokens, ends = np.concatenate(read), np.cumsum([len(document) for document in read])
    apart = len(tokens) - len(tokens) // ASIDE
    learned = min(apart, int(len(tokens) * case.size / case.text.sizes[-1]))
    parts = [_rows(tokens, ends, config.context, vocabulary, *ab) for ab in ((0, learned), (apart, len(tokens)))]
    shape, most = config.shape.of(vocabulary + 1, config.context), 50

    def told(passes: int, bits: float) -> None:
        cell.progress(passes, 2 * most, f"{bits / config.context:.2f} bits a token")

    how = config.training.training(cell.device)
    model, costs = learn_until(how, shape, *parts, most=most, seed=cell.seed, on_pass=told)
    before = [np.arange(len(document)) % config.context for document in asked]
    bits = [np.bincount(n, token_bits(model, d), config.context) for n, d in zip(before, asked, strict=True)]
    targets = [np.bincount(n, minlength=config.context) for n in before]
    cell.progress(1, 1)
    columns = {"bits": [bits], "targets": [targets], "document": np.arange(len(asked))[:, None]}
    columns["before"] = np.arange(config.context)
    return long("before", columns, passes=len(costs), params=shape.parameters).drop("replicate")


def _rows(tokens: Integers, ends: Integers, context: int, bos: int, start: int, stop: int) -> Rows:
    """Of tokens from `start` to `stop`, each document in rows of its own, the last filled up with what is not scored."""
    from twopart.learners.knowledge.text import in_rows

    borders = ends[(ends > start) & (ends < stop)] - start
    rows = np.concatenate([in_rows(part, context, bos) for part in np.split(tokens[start:stop], borders)])
    return rows, np.where(rows == bos, Role.PADDING, Role.SYNTAX).astype(np.uint8)
