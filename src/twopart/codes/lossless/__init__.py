"""Lossless codes of any bytes, as files that decompress.

container.py   the file: header, checked frames, trailer
files.py       bytes and files into containers and back, streamed
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

from twopart.codes.lossless.container import DamagedError
from twopart.codes.lossless.counts.method import ContextCounts
from twopart.codes.lossless.files import FileLengths, compress, compress_file, decompress, decompress_file, file_lengths
from twopart.codes.lossless.mixing.method import ContextMixing
from twopart.codes.lossless.neural.method import PrequentialTransformer, TwoPartTransformer
from twopart.codes.lossless.pitman_yor import PitmanYorBytes

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
