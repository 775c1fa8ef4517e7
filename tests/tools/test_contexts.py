"""What context is worth, what halves share, what is repeated, and the code by counts: against slow twins."""

from collections import Counter
from math import log2

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.lossless import ContextMixing
from twopart.tools.measure.contexts import contexts, repeated, shared_bits
from twopart.tools.measure.count_code import count_code_losses

RANDOM = np.random.default_rng(0)
TEXT = b" ".join(RANDOM.choice([b"to", b"be", b"or", b"not", b"that", b"is", b"the", b"question"], 3000))
CODE = ContextMixing("fastest", slot_bits=12, past_bits=14)


def test_all_of_a_document_as_context_is_the_document_coded():
    document = TEXT[-341:]
    found = contexts(TEXT[:5000], [document], contexts=(64, 300), targets=2, segment=40, code=CODE)
    predictor, bits = CODE.sized(5000).start(), np.empty(341)
    predictor.encode(np.frombuffer(TEXT[:5000], np.uint8))
    predictor.encode(np.frombuffer(document, np.uint8), bits)
    starts = {300: bits[300:340]}
    assert (found.document == 0).all()
    assert found.bits[0, 1] == pytest.approx(starts[300], abs=1e-12) or found.bits[1, 1] == pytest.approx(starts[300])
    assert found.bits.shape == (2, 2, 40)
    assert found.savings == pytest.approx((found.bits[:, 0] - found.bits[:, 1]).mean(1)[:, None])


def test_halves_share_what_the_second_costs_less_after_the_first():
    data = np.frombuffer(TEXT, np.uint8)
    found = shared_bits(TEXT, [256, 1024], code=CODE, places=3)
    lengths = []
    for start in (0, (len(data) - 2048) // 2, len(data) - 2048):
        two, bits = data[start : start + 2048], np.empty(2048)
        CODE.sized(2048).start().encode(two, bits)
        alone = np.empty(1024)
        CODE.sized(2048).start().encode(two[1024:], alone)
        lengths.append(bits[:1024].sum() + alone.sum() - bits.sum())
    assert found.bits[1] == pytest.approx(np.mean(lengths))
    assert found.exponent == pytest.approx(np.log(found.bits[1] / found.bits[0]) / np.log(4))
    copy = shared_bits(RANDOM.integers(256, size=600, dtype=np.uint8).tobytes() * 2, [300, 600], code=CODE, places=1)
    assert copy.bits[1] > 0.8 * 600 * 8, "two equal halves share nearly all that they are"
    assert abs(copy.bits[0]) < 0.1 * 300 * 8, "two random halves nothing"


def test_repeated_runs_are_those_of_other_documents():
    documents = [RANDOM.integers(4, size=200, dtype=np.uint8).tobytes() for _ in range(4)]
    documents[2] = documents[2][:50] + documents[0][20:120] + documents[2][50:]
    documents[3] += documents[3]  # its own copies do not count
    runs = [[d[i : i + 16] for i in range(len(d) - 15)] for d in documents]
    owners = Counter(run for own in runs for run in set(own))
    expected = sum(owners[run] > 1 for own in runs for run in own) / sum(map(len, runs))
    assert repeated(documents, 16) == pytest.approx(expected)
    assert 0.1 < expected < 0.3
    assert repeated([b"short", b"texts"]) == 0


def slow_counts(train, held_out, orders, V):
    """The same code with dictionaries; `held_out` is one document."""
    pairs, contexts_, types = Counter(), Counter(), Counter()
    for document in train:
        for at, token in enumerate(document):
            for k in range(min(orders, at) + 1):
                context = tuple(document[at - k : at])
                types[context] += (context, token) not in pairs
                pairs[context, token] += 1
                contexts_[context] += 1
    met = [Counter(c for (context, _), c in pairs.items() if len(context) == k) for k in range(orders + 1)]
    bits = np.zeros(orders + 1)
    for at, token in enumerate(held_out):
        p = 1 / V
        for k in range(orders + 1):
            context = tuple(held_out[at - k : at]) if k <= at else None
            if context in contexts_:
                D = (met[k][1] + 0.5) / (met[k][1] + 2 * met[k][2] + 1)
                count = pairs[context, token]
                p = (max(count - D, 0) + D * types[context] * p) / contexts_[context]
            bits[k] -= log2(p)
    return bits


def test_the_code_by_counts_is_what_dictionaries_give():
    random = np.random.default_rng(3)
    train = [random.choice(6, n, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05]) for n in (3000, 1, 2500)]
    asked = [random.choice(7, 40), random.choice(6, 3)]
    found = count_code_losses(train, asked, 3, [1000, 5501], 7)
    assert found.shape == (2, 4, 2)
    for d in range(2):
        assert found[1, :, d] == pytest.approx(slow_counts([t.tolist() for t in train], asked[d].tolist(), 3, 7))
        assert found[0, :, d] == pytest.approx(slow_counts([train[0].tolist()[:1000]], asked[d].tolist(), 3, 7))


def test_a_context_and_its_token_that_meet_one_free_place_get_two():
    token = np.random.default_rng(2).integers(40, size=1500)
    found = count_code_losses([token], [token], 3, [1500], 40)[0, :, 0]
    assert found == pytest.approx(slow_counts([token.tolist()], token.tolist(), 3, 40), rel=1e-12)


def test_probabilities_of_all_tokens_sum_to_one():
    train = [np.frombuffer(TEXT[:3000], np.uint8)]
    before = list(TEXT[100:105])
    found = count_code_losses(train, [np.array([*before, x]) for x in range(256)], 4, [3000], 256)[0]
    alone = count_code_losses(train, [np.array(before)], 4, [3000], 256)[0]
    assert (2.0 ** -(found - alone)).sum(1) == pytest.approx(np.ones(5), abs=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: contexts(TEXT, [b"short"], contexts=(8, 16), targets=2), "`contexts` must be less than the length"),
        (lambda: contexts(TEXT, [TEXT], contexts=(16, 8)), "`contexts` must be rising"),
        (lambda: contexts(TEXT, [TEXT], contexts=(8, 16), targets=1), "`targets`"),
        (lambda: contexts(TEXT, [TEXT], contexts=(8, 16), segment=0), "`segment`"),
        (lambda: shared_bits(TEXT, [64, 32]), "`sizes` must be rising"),
        (lambda: shared_bits(TEXT, [64, len(TEXT)]), "`sizes`"),
        (lambda: shared_bits(TEXT, [64, 128], places=0), "`places`"),
        (lambda: repeated([TEXT], 0), "`run`"),
        (lambda: count_code_losses([[0, 1]], [[0]], 1, [3], 2), "`sizes` must be rising"),
        (lambda: count_code_losses([[0, 2]], [[0]], 1, [1], 2), "`train` must be in"),
        (lambda: count_code_losses([[0, 1]], [[0.5]], 1, [1], 2), "`held_out` must be a list of rows"),
        (lambda: count_code_losses([[0, 1]], [[0]], -1, [1], 2), "`orders`"),
        (lambda: count_code_losses([[0, 1]], [[0]], 1, [1], 1), "`vocabulary`"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(InputError, match=words):
        call()
