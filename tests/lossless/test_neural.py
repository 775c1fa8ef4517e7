"""Neural codes: what was coded is restored, here and in another process, or refused; and the weights that are sent."""

import io
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twopart._checks import InputError
from twopart.cli import main
from twopart.learners import Transformer, TransformerConfig
from twopart.lossless import (
    DamagedError,
    PrequentialTransformer,
    TwoPartTransformer,
    compress,
    compress_file,
    container,
    decompress,
    encode,
    file_lengths,
)
from twopart.lossless.container import Reader, Writer
from twopart.lossless.neural import arithmetic
from twopart.lossless.neural.two_part import STEPS
from twopart.lossless.neural.weights import pack, unpack
from twopart.report import read_findings

TINY = {"layers": 1, "width": 16, "heads": 2, "lanes": 3, "block": 4, "memory": 8, "learning_rate": 1e-2}
ONLINE = PrequentialTransformer(**TINY)
SENT = TwoPartTransformer(**TINY, epochs=1, step=0.5)
ALL = [pytest.param(method, id=method.kind) for method in (ONLINE, SENT)]
TEXT = b"she sells sea shells by the sea shore; " * 10


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\xff", b"ab", b"abc" * 4, b"abc" * 4 + b"d", bytes(300), bytes(range(256)), TEXT],
    ids=["empty", "zero", "ones", "less than the lanes", "a block", "a block and one", "zeros", "all", "text"],
)
def test_what_was_coded_is_restored(method, data):
    assert decompress(compress(data, method)) == data


def test_training_says_how_far_it_is():
    read = []
    replace(SENT, epochs=2).train(TEXT, read.append)
    assert read == sorted(read)
    assert read[-1] == 2 * len(TEXT)


@pytest.mark.parametrize("method", ALL)
@settings(max_examples=10, deadline=None)
@given(data=st.binary(max_size=100) | st.text(alphabet="ab \n", max_size=200).map(str.encode))
def test_any_bytes_are_restored(method, data):
    assert decompress(compress(data, method)) == data


@pytest.mark.parametrize("method", ALL)
def test_a_file_of_several_frames(method, monkeypatch):
    """Learning goes on over their borders, on both sides; the second of two equal frames is cheaper to a learner."""
    monkeypatch.setattr(encode, "FRAME_BYTES", 150)
    assert decompress(compress(TEXT, method)) == TEXT
    if method is ONLINE:
        coder, part = ONLINE.start(), np.frombuffer(TEXT, np.uint8)
        assert len(coder.encode(part)) > len(coder.encode(part))


@pytest.mark.slow
@pytest.mark.parametrize("method", ALL)
def test_reported_bits_are_the_size_of_the_file(method, tmp_path):
    (tmp_path / "a").write_bytes(data := np.random.default_rng(1).integers(0, 60, 30_000).astype(np.uint8).tobytes())
    method = replace(method, lanes=256, block=16, memory=16)
    spent = []
    lengths = compress_file(tmp_path / "a", tmp_path / "b", method, lambda part, bits: spent.append(bits))
    size = (tmp_path / "b").stat().st_size
    assert lengths.total == 8 * size
    assert lengths == file_lengths(data, method)
    assert (lengths.model > 0) == isinstance(method, TwoPartTransformer)
    ideal = sum(bits.sum() for bits in spent) + lengths.model + lengths.container
    assert abs(8 * size - ideal) < 0.001 * 8 * size


def test_a_byte_costs_its_own_bits():
    """The first byte of each lane is predicted by the first weights from nothing, wherever it stands in the file."""
    bits = np.zeros(len(TEXT))
    ONLINE.start().encode(np.frombuffer(TEXT, np.uint8), bits)
    rows = ONLINE.network().step(0, torch.zeros(3, dtype=torch.int64)).numpy()
    for lane, place in enumerate(range(0, len(TEXT), len(TEXT) // 3)):
        assert bits[place] == pytest.approx(-np.log2(rows[lane, TEXT[place]]), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ALL)
def test_random_bytes_grow_by_less_than_a_hundredth(method):
    data = np.random.default_rng(0).bytes(1 << 17)
    wide = replace(method, lanes=512, block=16, memory=0)
    if method is SENT:  # the smallest of models: it can only cost
        wide = replace(wide, width=2, heads=1)
    code = compress(data, wide)
    assert len(code) < 1.01 * len(data)
    assert decompress(code) == data


DECODE = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(int(sys.argv[1]))
from twopart.lossless import decompress
for path in sys.argv[2:]:
    sys.stdout.buffer.write(decompress(Path(path).read_bytes()))
assert torch.get_num_threads() == int(sys.argv[1])
"""


@pytest.mark.slow
def test_a_fresh_process_with_another_number_of_threads_restores_the_same(tmp_path):
    for method in (ONLINE, SENT):
        wide = replace(method, layers=2, width=64, lanes=16, threads=1)
        (tmp_path / method.kind).write_bytes(compress(TEXT, wide))
    command = [sys.executable, "-c", DECODE, "2", *(str(tmp_path / method.kind) for method in (ONLINE, SENT))]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "2"}, capture_output=True, check=True)
    assert done.stdout == TEXT * 2


@pytest.mark.parametrize("method", ALL)
def test_another_arithmetic_is_refused_before_anything_is_decoded(method, monkeypatch, tmp_path, capsys):
    (tmp_path / "code.tpz").write_bytes(compress(TEXT, method))
    here = arithmetic.arithmetic()
    monkeypatch.setattr(arithmetic, "arithmetic", lambda: here.replace("numba ", "numba 9.").replace("e cpu", "e gpu"))
    with pytest.raises(
        InputError, match=r"was coded with numba [0-9.]+; device cpu, and here are numba 9\..*device gpu"
    ):
        decompress((tmp_path / "code.tpz").read_bytes())
    assert main(["decompress", str(tmp_path / "code.tpz")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["code.tpz"]


def test_the_arithmetic_names_versions_device_and_processor():
    named = arithmetic.arithmetic()
    assert f"torch {torch.__version__}" in named
    assert "device cpu" in named
    assert all(f"{name} " in named for name in ("numba", "numpy", "constriction"))


@pytest.mark.parametrize("method", ALL)
def test_damage_is_refused(method):
    code = compress(TEXT[:50], method)
    for end in range(0, len(code), 7):
        with pytest.raises(DamagedError):
            decompress(code[:end])
    for place in range(0, len(code), 5):
        damaged = bytearray(code)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(DamagedError):
            decompress(bytes(damaged))


def test_a_code_that_is_whole_but_wrong_is_refused():
    """Damage that all checksums of the frames overlook ends in wrong bytes, and those in the checksum of the original."""
    sink, method = io.BytesIO(), ONLINE.sized(0)
    writer = Writer(sink, {"kind": method.kind, **vars(method)})
    writer.frame(TEXT[:300], ONLINE.start().encode(np.frombuffer(TEXT[1:301], np.uint8)))
    writer.finish()
    with pytest.raises(DamagedError, match="not what was coded"):
        decompress(sink.getvalue())


@pytest.mark.parametrize("code", [b"\xff" * 20, bytes(20), b"", b"odd"])
def test_what_no_encoder_writes_is_refused(code):
    """constriction finds some of it impossible, the checksum of the original the rest."""
    sink, method = io.BytesIO(), ONLINE.sized(0)
    writer = Writer(sink, {"kind": method.kind, **vars(method)})
    writer.frame(TEXT[:50], code)
    writer.finish()
    with pytest.raises(DamagedError):
        decompress(sink.getvalue())


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 250])
def test_a_model_comes_in_pieces(size, monkeypatch):
    monkeypatch.setattr(container, "FRAME_BYTES", 100)
    sink, model = io.BytesIO(), np.random.default_rng(size).bytes(size)
    writer = Writer(sink, {"kind": "any"})
    writer.model(model)
    writer.frame(b"abc", b"x")
    writer.finish()
    reader = Reader(io.BytesIO(sink.getvalue()))
    assert reader.model() == model
    assert list(reader.frames()) == [(3, b"x")]
    with pytest.raises(DamagedError, match="a model stands"):
        list(Reader(io.BytesIO(sink.getvalue())).frames())


def test_a_missing_model_is_refused():
    sink, method = io.BytesIO(), SENT.sized(0)
    writer = Writer(sink, {"kind": method.kind, **vars(method)})
    writer.frame(b"abc", b"x")
    writer.finish()
    with pytest.raises(DamagedError, match="its model is missing"):
        decompress(sink.getvalue())


def transformer():
    return Transformer(TransformerConfig(256, 12, 1, 32, 2), seed=3)


@pytest.mark.parametrize("step", [0.1, 0.5, 1.0])
def test_weights_are_rounded_to_the_grid_at_the_price_of_a_normal_law(step):
    """First weights are normal: log2(sqrt(2 pi e) / step) bits each, exact for small steps, and some bytes a tensor."""
    model, again = transformer(), transformer()
    with torch.no_grad():
        for weight in again.parameters():
            weight.zero_()
    packed = pack(model, step)
    unpack(packed, again)
    for weight, restored in zip(model.parameters(), again.parameters(), strict=True):
        centre = 1.0 if weight.ndim == 1 else 0.0
        half = step / 2 * (weight - centre).square().mean().sqrt()
        assert (weight - restored).abs().max() <= half * 1.001 + 1e-6
    numbers = sum(weight.numel() for weight in model.parameters() if weight.ndim == 2)
    expected = numbers * np.log2(np.sqrt(2 * np.pi * np.e) / step)
    tensors = len(list(model.parameters()))
    assert abs(8 * len(packed) - expected) < (0.02 if step < 1 else 0.06) * expected + 160 * tensors


@pytest.mark.parametrize("cut", [0, 5, -1])
def test_what_is_no_model_is_refused(cut):
    with pytest.raises(DamagedError, match="its model"):
        unpack(pack(transformer(), 1.0)[:cut], transformer())


def test_an_impossible_law_is_refused():
    packed = bytearray(pack(transformer(), 1.0))
    packed[12:16] = np.float32(np.nan).tobytes()
    with pytest.raises(DamagedError, match="its model"):
        unpack(bytes(packed), transformer())


@pytest.mark.slow
def test_precision_is_paid_for_and_pays():
    """One training, many precisions: a finer grid has a longer model and leaves shorter data."""
    trained = TwoPartTransformer(**{**TINY, "lanes": 8, "block": 8}, epochs=4).train(TEXT * 8)
    lengths = [trained.lengths(step) for step in (4.0, 1.0, 0.25)]
    assert lengths[0].model < lengths[1].model < lengths[2].model
    assert lengths[0].data > lengths[1].data > lengths[2].data
    assert trained.best_step() in STEPS


@pytest.mark.slow
def test_the_explained_model_is_beside_the_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_bytes(TEXT)
    assert main(["compress", "book.txt", "--method", "two-part", "--explain"]) == 0
    findings = read_findings(tmp_path / "book.txt.tpz.report")
    parts = dict(findings.table("parts").select("part", "bits").iter_rows())
    assert not findings.failed
    assert parts["model"] > 0
    assert sum(parts.values()) == 8 * (tmp_path / "book.txt.tpz").stat().st_size
    assert "two parts" in findings.summary
    assert main(["decompress", "book.txt.tpz", "--out", "again"]) == 0
    assert (tmp_path / "again").read_bytes() == TEXT


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"memory": 5}, "memory"), ({"width": 15}, "width"), ({"lanes": 0}, "lanes"), ({"threads": 0}, "threads")],
)
def test_bad_fields_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        replace(ONLINE, **fields)


def test_codes_load_without_torch():
    code = "import sys, twopart.codes; assert not {'torch', 'constriction'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
