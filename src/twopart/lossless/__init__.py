"""Lossless: codes of any bytes, as files that decompress. An engine beside the science.

container.py   the file: header, checked frames, trailer
encode.py      bytes and files into containers, streamed; decode.py  and back
predictor.py   what a method of coding is
methods.py     the methods there are
intervals.py   the arithmetic coder of one bit after the other
ledger.py      which bytes and words the bits went to
pitman_yor.py  a hierarchical Pitman-Yor model: the Bayes code's law, for bytes in context
counts/        a tree of contexts with counts, sent first: a two-part code
mixing/        context mixing: counts of many contexts, mixed online, in whole numbers
peers.py       other people's compressors
neural/        a transformer that learns as it codes, or one whose weights are sent
"""

from twopart.lossless.container import DamagedError
from twopart.lossless.counts.method import ContextCounts
from twopart.lossless.decode import decompress, decompress_file
from twopart.lossless.encode import FileLengths, compress, compress_file, file_lengths
from twopart.lossless.mixing.method import ContextMixing
from twopart.lossless.neural.method import PrequentialTransformer
from twopart.lossless.neural.two_part import TwoPartTransformer
from twopart.lossless.pitman_yor import PitmanYorBytes

__all__ = [
    "ContextCounts",
    "ContextMixing",
    "DamagedError",
    "FileLengths",
    "PitmanYorBytes",
    "PrequentialTransformer",
    "TwoPartTransformer",
    "compress",
    "compress_file",
    "decompress",
    "decompress_file",
    "file_lengths",
]
