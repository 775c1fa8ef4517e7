"""Other people's compressors, each at its strongest usual setting, where their modules are installed."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
"""Coder and decoder."""


def peers() -> Iterator[tuple[str, Codec | None]]:
    """Each by name; None where its module is missing."""
    yield "xz -9e", (lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress)
    yield "bzip2 -9", (bz2.compress, bz2.decompress)
    yield "gzip -9", (lambda data: zlib.compress(data, 9), zlib.decompress)
    zstandard, brotli, ppmd = _module("zstandard"), _module("brotli"), _module("pyppmd")
    yield "zstd -22", zstandard and (zstandard.ZstdCompressor(level=22).compress, zstandard.decompress)
    yield "brotli -11", brotli and (lambda data: brotli.compress(data, quality=11, lgwin=24), brotli.decompress)
    yield "PPMd, order 16", ppmd and _ppmd(ppmd)


def size_by(codec: Codec | None, data: bytes) -> tuple[int | None, str]:
    """Bits of the code of `data`, which is decoded and compared; without them, why not."""
    if codec is None:
        return None, "its module is not installed"
    encode, decode = codec
    code = encode(data)
    return (8 * len(code), "") if decode(code) == data else (None, "it does not restore what it coded")


def _ppmd(module: Any) -> Codec:
    """Variant H, as in 7z, with 256 MiB; its code does not say how long the text is, so 8 bytes before it do."""
    settings = 16, 256 << 20

    def encode(data: bytes) -> bytes:
        encoder = module.Ppmd7Encoder(*settings)
        code: bytes = len(data).to_bytes(8, "little") + encoder.encode(data) + encoder.flush()
        return code

    def decode(code: bytes) -> bytes:
        return bytes(module.Ppmd7Decoder(*settings).decode(code[8:], int.from_bytes(code[:8], "little")))

    return encode, decode


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
