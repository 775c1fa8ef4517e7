"""Lossless codes: bits per byte and MB/s of ours and of the classic ones, each made to restore what it coded.

Texts: the first 10 MB of the Python standard library's sources, sorted by path, and the files named in TWOPART_TEXTS,
separated by ":". xz and bzip2 come with Python; brotli, zstandard and pyppmd with the extra `bench` of this package (`pip
install -c constraints.txt -e ".[bench]"`); 7z (PPMd, order 16) and zpaq (-m5) with the system. A row says which are not there,
and a peer that does not restore what it coded has a row that says so and no size. `ratio` is the peer's bits over ours.
Seconds are wall seconds, with files of the peers' commands in memory if /dev/shm is there.

The transformer that learns as it codes is measured against the same training without coding: `learners.train` of the same
model on the same bytes, as many a batch, on one thread; `ratio` is its seconds over ours, so 0.77 is 1.3 times its time.
"""

from __future__ import annotations

import bz2
import lzma
import math
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._table import Row, ratios, seconds
from twopart.lossless import ContextCounts, ContextMixing, PitmanYorBytes, PrequentialTransformer, compress, decompress

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
PPMD = ("7z PPMd o16", "pyppmd PPMd o16")
ZPAQ = ("zpaq -m5",)
MODULES = ("brotli", "zstandard", "pyppmd")
COMMANDS = ("7z", "zpaq")
PPMD_MEMORY = 256 << 20
OURS = {
    "fastest": (ContextMixing("fastest"), PPMD, ">= 1 x, 1 MB/s"),
    "fast": (ContextMixing("fast"), PPMD, ">= 1 x"),
    "strong": (ContextMixing("strong"), ZPAQ, ">= 1 x, 0.2 MB/s"),
    "best": (ContextMixing("best"), ZPAQ, ">= 1 x, 0.02 MB/s"),
    "pitman-yor": (PitmanYorBytes(), PPMD, "none"),
    "counts": (ContextCounts(), PPMD, "none"),
}
CODED = 1 << 15
"""Bytes that the transformer codes."""


def run() -> Iterator[Row]:
    yield from coding_and_training(next(texts())[1][:CODED])
    if missing := [*(one for one in MODULES if not _module(one)), *(one for one in COMMANDS if not shutil.which(one))]:
        yield Row("left out", f"not installed: {', '.join(missing)}", "none", math.nan, "none")
    for name, text in texts():
        sizes: dict[str, int] = {}
        for peer, codec in peers().items():
            try:
                sizes[peer], speed = measured(codec, text)
            except AssertionError as error:
                yield Row(f"{name}: {peer}", str(error), "raw", math.nan, "none")
                continue
            yield Row(f"{name}: {peer}", speed, "raw", len(text) / sizes[peer], "none")
        for method, (ours, rivals, aim) in OURS.items():
            compress(text[:1000], ours)  # compiles
            size, speed = measured((lambda data, ours=ours: compress(data, ours), decompress), text)
            rival = next((one for one in rivals if one in sizes), "xz -9e")
            yield Row(f"{name}: twopart {method}", speed, rival, sizes[rival] / size, aim)


def coding_and_training(text: bytes) -> Iterator[Row]:
    """What it costs to code while learning, and to decode, beside learning alone."""
    import torch

    from twopart.learners import ArrayStream, TrainingConfig, TransformerConfig, train
    from twopart.roles import Role

    method, data = PrequentialTransformer(), np.frombuffer(text, np.uint8)
    T = method.block
    rows = data[: len(data) // T * T].reshape(-1, T)
    before = np.concatenate([[0], rows[:-1, -1]])  # as in coding, a row begins with the byte before it
    stream = ArrayStream(np.column_stack([before, rows]), np.full(T + 1, Role.VALUE, np.uint8))
    shape = TransformerConfig(256, T, method.layers, method.width, method.heads)
    config = TrainingConfig(batch=method.lanes, learning_rate=method.learning_rate, device="cpu", compile="off")
    threads = torch.get_num_threads()
    torch.set_num_threads(method.threads)
    code = method.start().encode(data)
    if not np.array_equal(method.start().decode(code, len(data)), data):
        raise AssertionError("the transformer's code is not restored")
    for name, work in {
        "encoding": lambda: method.start().encode(data),
        "decoding": lambda: method.start().decode(code, len(data)),
    }.items():
        ratio = ratios(work, lambda: train(config, shape, stream), rounds=3)
        yield Row(f"transformer: {name}", f"{1 / ratio:.2f} x its training", "learners.train", ratio, ">= 0.77 x")
    torch.set_num_threads(threads)


def texts() -> Iterator[tuple[str, bytes]]:
    root = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(path for path in root.rglob("*.py") if "site-packages" not in path.parts)
    version = sysconfig.get_python_version()
    for path in filter(None, os.environ.get("TWOPART_TEXTS", "").split(":")):
        yield Path(path).name, Path(path).read_bytes()
    yield f"Python {version} library, 10 MB", b"".join(path.read_bytes() for path in files)[:10_000_000]


def measured(codec: Codec, text: bytes) -> tuple[int, str]:
    """Size of the code of `text`; bits per byte and speed both ways, in words. Raises if `text` is not restored."""
    done: dict[str, bytes] = {}
    encode, decode = codec
    there = seconds(lambda: done.update(code=encode(text)))
    back = seconds(lambda: done.update(text=decode(done["code"])))
    if done["text"] != text:
        raise AssertionError("does not restore what it coded")
    size = len(done["code"])
    return size, f"{8 * size / len(text):.3f} b/B {len(text) / there / 1e6:.3f}, {len(text) / back / 1e6:.3f} MB/s"


def peers() -> dict[str, Codec]:
    found: dict[str, Codec] = {
        "xz -9e": (lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
        "bzip2 -9": (bz2.compress, bz2.decompress),
    }
    if zstandard := _module("zstandard"):
        wide = zstandard.ZstdCompressionParameters.from_level(22, window_log=27)
        found["zstd --ultra -22"] = (zstandard.ZstdCompressor(compression_params=wide).compress, zstandard.decompress)
    if brotli := _module("brotli"):
        found["brotli -11 -w24"] = (lambda data: brotli.compress(data, quality=11, lgwin=24), brotli.decompress)
    if pyppmd := _module("pyppmd"):
        found["pyppmd PPMd o16"] = (
            lambda data: pyppmd.compress(data, max_order=16, mem_size=PPMD_MEMORY),
            lambda code: pyppmd.decompress(code, max_order=16, mem_size=PPMD_MEMORY),
        )
    if shutil.which("7z"):
        make = ["7z", "a", "-bso0", "-m0=PPMd:o=16:mem=256m", "code.7z", "text"]
        found["7z PPMd o16"] = _commands(make, "code.7z", ["7z", "e", "-bso0", "-y", "code.7z"])
    if shutil.which("zpaq"):
        make = ["zpaq", "a", "code.zpaq", "text", "-m5", "-t1"]
        found["zpaq -m5"] = _commands(make, "code.zpaq", ["zpaq", "x", "code.zpaq", "-t1"])
    return found


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def _commands(make: list[str], code: str, restore: list[str]) -> Codec:
    """A codec from two commands that work on the files `text` and `code` of the folder they run in."""

    def through(command: list[str], given: str, wanted: str) -> Callable[[bytes], bytes]:
        def run_it(data: bytes) -> bytes:
            with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
                Path(folder, given).write_bytes(data)
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                return Path(folder, wanted).read_bytes()

        return run_it

    return through(make, "text", code), through(restore, code, "text")
