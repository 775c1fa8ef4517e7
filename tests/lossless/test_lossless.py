"""Lossless codes: exact round trips of anything, and a refusal of everything damaged."""

import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twopart.lossless import (
    ContextMixing,
    DamagedError,
    PitmanYorBytes,
    compress,
    compress_file,
    decompress,
    decompress_file,
    encode,
)
from twopart.lossless.container import OVERHEAD, VERSION, Writer
from twopart.lossless.mixing.method import LEVELS

FAST = ContextMixing("fast", 12, 12)
SMALL = {"mixing": [ContextMixing(level, 12, 12) for level in ("fastest", "fast", "strong", "best")]}
SMALL["pitman-yor"] = [PitmanYorBytes(room_bits=10), PitmanYorBytes((0.5, 0.6), 2.0, 12, seed=5)]
ALL = [pytest.param(method, id=f"{kind}-{i}") for kind, methods in SMALL.items() for i, method in enumerate(methods)]
TEXT = b"".join(
    b"The %d-th line says: %s.\n" % (i, hashlib.sha256(bytes([i % 7])).hexdigest().encode()) for i in range(60)
)


def words(seed, length):
    """Bytes of a source with memory: repeated words, so that every part of a predictor has something to do."""
    rng = np.random.default_rng(seed)
    vocabulary = [bytes(rng.integers(97, 123, rng.integers(1, 9)).astype(np.uint8)) for _ in range(40)]
    text = b" ".join(vocabulary[k] for k in rng.zipf(1.3, length) % 40)
    return text[:length]


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\xff", b"a", b"ab" * 3000, bytes(5000), bytes(range(256)) * 3, TEXT, b"\n" * 99 + b" " * 999],
    ids=["empty", "zero", "ones", "one", "pairs", "zeros", "all", "text", "blanks"],
)
def test_what_was_coded_is_restored(method, data):
    assert decompress(compress(data, method)) == data


@pytest.mark.parametrize("method", ALL)
@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=300) | st.text(alphabet="ab \n", max_size=300).map(str.encode))
def test_any_bytes_are_restored(method, data):
    assert decompress(compress(data, method)) == data


@pytest.mark.parametrize("method", ALL)
def test_parts_of_a_file_are_coded_with_what_was_learned_before(method):
    """Two halves that are equal: the second costs less; and the twin follows over the border of parts."""
    data = np.frombuffer(words(1, 4000), np.uint8)
    coder, twin = method.start(), method.start()
    codes = [coder.encode(data), coder.encode(data)]
    assert len(codes[1]) < len(codes[0])
    assert all(np.array_equal(twin.decode(code, len(data)), data) for code in codes)


def test_a_file_of_several_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(encode, "FRAME_BYTES", 700)
    (tmp_path / "a").write_bytes(data := words(2, 3000))
    for end in (1399, 1400, 1401):
        (tmp_path / "a").write_bytes(data[:end])
        assert compress_file(tmp_path / "a", tmp_path / "b", FAST).original == end
        assert decompress_file(tmp_path / "b", tmp_path / "c") == end
        assert (tmp_path / "c").read_bytes() == data[:end]


@pytest.mark.parametrize("method", ALL)
def test_random_bytes_grow_by_less_than_a_hundredth(method):
    data = np.random.default_rng(3).integers(0, 256, 40_000).astype(np.uint8).tobytes()
    assert len(compress(data, method)) < 1.01 * len(data)


@pytest.mark.parametrize("method", ALL)
def test_what_is_stored_is_learned_too(method, monkeypatch):
    """Random bytes that come twice: stored the first time, and the predictor knows them the second."""
    monkeypatch.setattr(encode, "FRAME_BYTES", 3000)
    data = np.random.default_rng(4).integers(0, 256, 3000).astype(np.uint8).tobytes() * 2
    container = compress(data, method)
    assert decompress(container) == data
    if method.kind == "mixing":
        assert len(container) < 0.75 * len(data)


@pytest.mark.parametrize("method", ALL)
def test_reported_bits_are_the_size_of_the_file(method, tmp_path):
    (tmp_path / "a").write_bytes(data := words(4, 30_000))
    spent = []
    lengths = compress_file(tmp_path / "a", tmp_path / "b", method, lambda part, bits: spent.append(bits))
    size = (tmp_path / "b").stat().st_size
    assert lengths.total == 8 * size
    assert sum(map(len, spent)) == len(data)
    ideal = sum(bits.sum() for bits in spent) + lengths.container + lengths.model
    assert abs(8 * size - ideal) < 0.001 * 8 * size
    assert lengths.bits_per_byte == pytest.approx(8 * size / len(data))


def test_reported_bits_do_not_change_the_code():
    data = np.frombuffer(TEXT, np.uint8)
    for method in itertools.chain.from_iterable(SMALL.values()):
        assert method.start().encode(data) == method.start().encode(data, np.zeros(len(data)))


@pytest.mark.parametrize("level", LEVELS)
def test_a_price_is_what_coding_costs_and_leaves_no_trace(level):
    """The past is so short that it wraps, the tables so small that contexts meet."""
    method, before, asked = ContextMixing(level, 10, 10), np.frombuffer(words(1, 3000), np.uint8), TEXT[:1500]
    data = np.frombuffer(asked, np.uint8)
    mixer, twin, bits = method.start(), method.start(), np.empty(len(data))
    for one in (mixer, twin):
        one.encode(before)
    prices = [mixer.price(part) for part in (data, data[:7], data[:0], data)]
    assert all(map(np.array_equal, mixer._trial, mixer._memory)), "every array is as it was"
    assert mixer.encode(data) == twin.encode(data, bits)
    assert np.array_equal(prices[0], bits)
    assert np.array_equal(prices[3], bits), "the first three are forgotten"
    assert np.array_equal(prices[1], bits[:7])
    assert np.array_equal(mixer.price(data), twin.price(data)), "what was coded since is known"


def test_an_empty_file_costs_the_container_alone():
    container = compress(b"", FAST)
    header = json.dumps({"kind": "mixing", "level": "fast", "slot_bits": 10, "past_bits": 10}, separators=(",", ":"))
    assert len(container) == OVERHEAD + len(header)


def test_every_truncation_is_refused():
    container = compress(TEXT[:300], FAST)
    for end in range(len(container)):
        with pytest.raises(DamagedError):
            decompress(container[:end])


def test_every_flipped_bit_is_refused():
    container = compress(TEXT[:60], FAST)
    for place in range(8 * len(container)):
        damaged = bytearray(container)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(DamagedError):
            decompress(bytes(damaged))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_other_damage_is_refused(data):
    """Bytes cut out, put in, doubled or swapped, and frames of another container."""
    container, other = compress(TEXT[:200], FAST), compress(TEXT[7:90], FAST)
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(container))] * 2)))
    put = data.draw(st.binary(max_size=20) | st.just(container[start:end] * 2) | st.just(other))
    damaged = container[:start] + put + container[end:]
    if damaged not in (container, other):
        with pytest.raises(DamagedError):
            decompress(damaged)


def test_a_code_that_is_whole_but_wrong_is_refused():
    """The last line of defence: frames and content are as they were written, but they do not say the original."""
    sink = io.BytesIO()
    writer = Writer(sink, {"kind": "mixing", "level": "fast", "slot_bits": 12, "past_bits": 12})
    writer.frame(TEXT[:100], FAST.start().encode(np.frombuffer(TEXT[1:101], np.uint8)))
    writer.finish()
    with pytest.raises(DamagedError, match="not what was coded"):
        decompress(sink.getvalue())


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ({"kind": "oracle"}, "kind of model"),
        ({"kind": "mixing", "depth": 3}, "depth"),
        ({"kind": "mixing", "level": "huge"}, "level"),
        ({"kind": ["mixing"]}, "kind of model"),
        ({"kind": "mixing", "slot_bits": 99}, "slot_bits"),
    ],
)
def test_an_unknown_model_is_refused(method, words):
    sink = io.BytesIO()
    Writer(sink, method).finish()
    with pytest.raises(ValueError, match=words):
        decompress(sink.getvalue())


def test_another_version_is_refused_by_name():
    container = bytearray(compress(b"a", FAST))
    container[8] = VERSION + 1
    with pytest.raises(DamagedError, match=f"version {VERSION + 1}"):
        decompress(bytes(container))


def test_a_damaged_file_leaves_nothing_behind(tmp_path):
    container = compress(TEXT, FAST)
    (tmp_path / "a").write_bytes(container[:-1])
    with pytest.raises(DamagedError, match="truncated"):
        decompress_file(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_frame_cannot_ask_for_more_memory_than_a_frame_may_have():
    container = bytearray(compress(TEXT, FAST))
    start = container.index(b"}") + 5
    container[start : start + 4] = (2**31).to_bytes(4, "little")
    with pytest.raises(DamagedError, match="impossible length"):
        decompress(bytes(container))


DECODE = """
import sys
from pathlib import Path
from twopart.lossless import decompress
for path in sys.argv[1:]:
    sys.stdout.buffer.write(decompress(Path(path).read_bytes()))
"""


@pytest.mark.slow
def test_a_fresh_process_with_another_number_of_threads_restores_the_same(tmp_path):
    data, methods = words(5, 20_000), list(itertools.chain.from_iterable(SMALL.values()))
    paths = [tmp_path / str(i) for i in range(len(methods))]
    for path, method in zip(paths, methods, strict=True):
        path.write_bytes(compress(data, method))
    threads = {"OMP_NUM_THREADS": "3", "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", DECODE, *map(str, paths)], env={**os.environ, **threads}, capture_output=True, check=True
    )
    assert done.stdout == data * len(methods)


def test_the_format_does_not_change_unseen():
    """Files written before must stay readable: after the first release, what changes one of these codes needs a new VERSION."""
    digests = {m.level: hashlib.sha256(compress(TEXT, m)).hexdigest()[:16] for m in SMALL["mixing"]}
    digests["pitman-yor"] = hashlib.sha256(compress(TEXT, SMALL["pitman-yor"][0])).hexdigest()[:16]
    assert digests == {
        "fastest": "2b8fa4aef74d45ab",
        "fast": "408816e93290178f",
        "strong": "863b511c32d1806f",
        "best": "f89482ac13caf9fc",
        "pitman-yor": "9f61fc3a3cbe968d",
    }


def test_a_level_cannot_have_sizes_that_the_kernel_does_not_write():
    with pytest.raises(ValueError, match=r"\(3, 6, 16, 32\) contexts, not 4"):
        replace(LEVELS["fast"], contexts=4)
    with pytest.raises(ValueError, match="1 or 4 inputs, not 2"):
        replace(LEVELS["fast"], inputs=2)
