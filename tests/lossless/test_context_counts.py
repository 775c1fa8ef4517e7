"""The two-part code of counts: real files, a model that is what its bytes say, and pruning that pays."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lossless.test_lossless import TEXT, words
from twopart._checks import InputError
from twopart.lossless import ContextCounts, DamagedError, compress, compress_file, decompress, file_lengths
from twopart.lossless.counts.model import CountModel

METHODS = [ContextCounts(0), ContextCounts(2), ContextCounts(6), ContextCounts(12, 0.1), ContextCounts(3, 50.0)]
CASES = {
    "empty": b"",
    "zero": b"\0",
    "one": b"a",
    "pairs": b"ab" * 3000,
    "zeros": bytes(5000),
    "all": bytes(range(256)) * 3,
    "text": TEXT,
    "blanks": b"\n" * 99 + b" " * 999,
}


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("data", CASES.values(), ids=CASES)
def test_what_was_coded_is_restored(method, data):
    assert decompress(compress(data, method)) == data


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=300) | st.text(alphabet="ab \n", max_size=300).map(str.encode),
    order=st.integers(0, 9),
    price=st.floats(0.01, 100),
)
def test_any_bytes_are_restored(data, order, price):
    assert decompress(compress(data, ContextCounts(order, price))) == data


def test_the_file_is_model_and_data_and_each_byte_has_its_cost(tmp_path):
    (tmp_path / "a").write_bytes(data := words(4, 30_000))
    spent = []
    lengths = compress_file(tmp_path / "a", tmp_path / "b", ContextCounts(3), lambda part, bits: spent.append(bits))
    assert lengths.total == 8 * (tmp_path / "b").stat().st_size
    assert lengths.model == 8 * len(CountModel.learned(np.frombuffer(data, np.uint8), 3).code)
    assert sum(bits.sum() for bits in spent) == pytest.approx(lengths.data, rel=1e-3, abs=16)


def test_data_bits_are_the_cost_at_the_weights_that_were_sent():
    """Against a dictionary of contexts, read from the decoded tree node by node, and -log2 of exact shares."""
    data = words(7, 3000)
    model = CountModel.decoded(CountModel.learned(np.frombuffer(data, np.uint8), 4).code)
    tree, contexts = model.tree, {0: b""}
    for node in range(len(tree.label)):
        for child in range(tree.first[node], tree.first[node + 1]):
            contexts[child] = bytes([tree.alphabet[tree.label[child]]]) + contexts[node]
    shares = {}
    for node, context in contexts.items():
        entries = slice(tree.start[node], tree.start[node + 1])
        weights = dict(zip(tree.alphabet[tree.symbol[entries]], tree.level[entries] ** 2, strict=True))
        if weights:
            shares[context] = {byte: weight / sum(weights.values()) for byte, weight in weights.items()}
    assert len(shares) == tree.contexts > 20
    before = bytes([tree.alphabet[0]]) * 4
    costs = []
    for place, byte in enumerate(data):
        past = (before + data)[place : place + 4]
        longest = next(past[start:] for start in range(5) if past[start:] in shares)
        costs.append(-np.log2(shares[longest][byte]))
    bits = np.zeros(len(data))
    model.start().encode(np.frombuffer(data, np.uint8), bits)
    assert bits == pytest.approx(costs, abs=0.02)


def test_a_decoded_model_is_the_model():
    model = CountModel.learned(np.frombuffer(words(5, 20_000), np.uint8), 5)
    again = CountModel.decoded(model.code)
    for here, there in zip(model.tree, again.tree, strict=True):
        assert np.array_equal(here, there)
    assert again.code == model.code


def test_the_source_is_found_and_nothing_else():
    """A chain of order 2 on 4 symbols: its 16 contexts are kept and no longer one. The data bits are the source's own: 48
    parameters fitted to the data save 0.72 bits each, and levels a step of root 3 apart lose as much; both have
    a standard deviation below 10 bits in all."""
    rng = np.random.default_rng(3)
    law = rng.dirichlet(np.full(4, 0.5), (4, 4))
    data, spent = [0, 0], 0.0
    for u in rng.random(40_000):
        p = law[data[-2], data[-1]]
        data.append(int(np.searchsorted(np.cumsum(p)[:-1], u)))
        spent -= np.log2(p[data[-1]])
    lengths = file_lengths(bytes(data), ContextCounts(6))
    model = CountModel.learned(np.array(data, np.uint8), 6)
    parameters = 16 * 3
    assert 12 <= model.tree.contexts <= 17
    assert abs(lengths.data - spent) < 60
    assert lengths.model < parameters * (0.5 * np.log2(len(data) / 16) + 6)


def test_coin_flips_have_no_structure():
    data = np.random.default_rng(5).integers(0, 2, 20_000).astype(np.uint8)
    model = CountModel.learned(data, 8)
    assert model.tree.contexts == 1
    assert 8 * len(model.code) < 120
    assert 8 * len(model.start().encode(data)) == pytest.approx(20_000, abs=30)


def test_a_higher_price_gives_a_smaller_model_and_more_data():
    data = words(9, 60_000)
    lengths = [file_lengths(data, ContextCounts(5, price)) for price in (0.25, 1, 4, 16, 64)]
    assert all(a.model > b.model and a.data < b.data for a, b in pairwise(lengths))
    assert min(lengths, key=lambda length: length.total) in lengths[:3]


@pytest.mark.parametrize("price", [0.25, 1.0, 4.0])
def test_the_step_of_levels_is_the_one_that_pays(price, monkeypatch):
    """Data bits and price times model bits of one distribution, at the derived step and at half and twice it: derived is least
    where counts are many, as the derivation assumes."""
    rng = np.random.default_rng(1)
    data = rng.choice(200, 400_000, p=rng.dirichlet(np.full(200, 5.0))).astype(np.uint8)
    costs = []
    for factor in (0.5, 1.0, 2.0):
        model = CountModel.learned(data, 0, price * factor**2)
        costs.append(8 * len(model.start().encode(data)) + price * 8 * len(model.code))
    assert costs[1] == min(costs)


def test_what_is_known_is_not_coded():
    """Rows of a known byte and one that follows from it: the second alone is coded, and decoded from the first."""
    rng = np.random.default_rng(2)
    known = rng.integers(0, 8, 5000).astype(np.uint8)
    rows = np.stack([known, 100 + known], 1).ravel()
    coded = np.arange(rows.size) % 2 == 1
    model = CountModel.learned(rows, 1, coded=coded)
    code = model.start().encode(rows, coded=coded)
    assert len(code) <= 2
    given_only = np.where(coded, 0, rows).astype(np.uint8)
    assert np.array_equal(CountModel.decoded(model.code).start().fill(code, given_only, coded), rows)


def test_a_tree_that_is_none_is_refused():
    code = CountModel.learned(np.frombuffer(TEXT, np.uint8), 3).code
    for damaged in (code[:2], b"", b"\xff" * 20, code[:1] + b"\1" + code[2:], code[:1] + b"\0" + code[2:]):
        with pytest.raises(DamagedError):
            CountModel.decoded(damaged)


def test_bytes_of_a_model_changed_anywhere_never_break_the_decoder():
    """The container refuses them; should it not, wrong bytes come out and nothing else."""
    data = np.frombuffer(TEXT[:600], np.uint8)
    model = CountModel.learned(data, 3)
    body = model.start().encode(data)
    for place in range(10, len(model.code)):
        changed = bytearray(model.code)
        changed[place] ^= 0x55
        try:
            found = CountModel.decoded(bytes(changed)).start().decode(body, len(data))
        except DamagedError:
            continue
        assert len(found) == len(data)


def test_the_format_has_not_changed():
    assert hashlib.sha256(compress(TEXT, ContextCounts(4))).hexdigest()[:16] == "53c4a746ac98eee1"


@pytest.mark.parametrize(("order", "price"), [(-1, 1.0), (33, 1.0), (2, 0.0), (2, float("nan")), (2.5, 1.0)])
def test_bad_settings(order, price):
    with pytest.raises(InputError, match=r"`\w+` must be .*, got .*; "):
        ContextCounts(order, price)
