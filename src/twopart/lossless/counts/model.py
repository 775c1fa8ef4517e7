"""The count model: learned from data, sent as bytes, and the data given it. Both codes are real, and decode anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twopart._checks import check_integer, check_real
from twopart.lossless.container import DamagedError
from twopart.lossless.counts.bits import fresh_state
from twopart.lossless.counts.kernel import DIGITS, code_data, code_tree, scratch
from twopart.lossless.counts.learn import Ints, Mask, learn
from twopart.lossless.counts.tree import Tree, as_symbols, empty
from twopart.lossless.mixing.method import _cost as cost_of_decisions
from twopart.lossless.predictor import Bytes, Floats

LONGEST = 32
MOST = 1 << 28  # nodes or entries


def check_model(order: int, price: float) -> None:
    """Raise `InputError` unless a model can be learned with these."""
    check_integer("order", order, 0, LONGEST, "contexts of 6 bytes suit a megabyte of text")
    check_real("price", price, 0, 1e9, "1 aims at the shortest file", closed="(]")


@dataclass(frozen=True, eq=False)
class CountModel:
    """A tree of contexts with the distributions of what follows them."""

    tree: Tree

    @staticmethod
    def learned(data: Bytes, order: int, price: float = 1.0, coded: Mask | None = None) -> CountModel:
        """The model for `data` with contexts of at most `order` bytes, 0 to 32; a bit of model must save `price` > 0 of data.

        `coded` marks the bytes that have to be predicted; the others are known to the decoder and only seen as contexts.
        """
        check_model(order, price)
        return CountModel(learn(data, order, price, coded))

    @cached_property
    def code(self) -> bytes:
        """The model as bytes, from which `decoded` makes it again.

        First, as numbers of 7 bits a byte: depth, nodes, entries, how many edges the alphabet has, and the steps to these,
        the places where bytes begin or cease to be in it. Then the tree, as kernel.py says.
        """
        tree = self.tree
        nodes, entries, A = len(tree.label), len(tree.symbol), len(tree.alphabet)
        flags = np.bincount(tree.alphabet, minlength=256) > 0
        edges = np.flatnonzero(np.diff(np.r_[False, flags])).tolist()
        head = _numbers([tree.depth, nodes, entries, len(edges), *np.diff([0, *edges]).tolist()])
        if A == 0:
            return head
        room = np.empty(64 + 2 * nodes * (2 * A + 2) + 6 * DIGITS * entries, np.uint8)  # untouched pages take no memory
        used = code_tree(False, tree, scratch(nodes, A), fresh_state(), room)
        assert used <= len(room)
        return head + room[:used].tobytes()

    @staticmethod
    def decoded(code: bytes) -> CountModel:
        """The model that `code` describes. Raises `DamagedError` if it describes none."""
        stream = iter(code)
        depth, nodes, entries, count = (_number(stream) for _ in range(4))
        if depth > LONGEST or nodes > MOST or entries > MOST or count > 256 or nodes == 0:
            raise _damaged()
        edges = np.cumsum([_number(stream) for _ in range(count)], dtype=np.int64)
        if count and edges[-1] > 255:
            raise _damaged()
        alphabet = np.flatnonzero(np.cumsum(np.bincount(edges, minlength=256)) % 2).astype(np.uint8)
        tree = empty(depth, alphabet, nodes, entries)
        body = np.frombuffer(bytes(stream), np.uint8).copy()
        if count and code_tree(True, tree, scratch(nodes, len(alphabet)), fresh_state(), body) < 0:
            raise _damaged()
        return CountModel(tree)

    def start(self) -> CountCoder:
        """A coder at the beginning of the data."""
        return CountCoder(self.tree)


class CountCoder:
    """Codes data part by part with a model that no longer changes."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        weights = np.r_[0, np.cumsum(tree.level**2)]
        self._sums = weights[tree.start[1:]] - weights[tree.start[:-1]]
        self._past = np.zeros(tree.depth, np.int64)

    def encode(self, data: Bytes, bits: Floats | None = None, coded: Mask | None = None) -> bytes:
        """The code of the next bytes, all of which the model must have learned, without those that `coded` does not mark.

        Fills `bits`, shape (len(data),), with what each byte costs, if it is given.
        """
        room = np.empty(8 * len(data) + 64, np.uint8)
        used, _ = self._run(
            False, data, _all(data) if coded is None else coded, room, _NOTHING if bits is None else bits
        )
        assert used <= len(room)
        return room[:used].tobytes()

    def decode(self, code: bytes, length: int) -> Bytes:
        """The next `length` bytes."""
        data = np.zeros(length, np.uint8)
        return self.fill(code, data, _all(data))

    def fill(self, code: bytes, data: Bytes, coded: Mask) -> Bytes:
        """The next bytes: `data`, where those that `coded` marks are decoded."""
        text = self._run(True, data, coded, np.frombuffer(code, np.uint8).copy(), _NOTHING)[1]
        return self._tree.alphabet[text]

    def _run(self, decoding: bool, data: Bytes, coded: Mask, code: Bytes, bits: Floats) -> tuple[int, Ints]:
        """Bytes of code, and the symbols."""
        past, begun = self._past, len(self._past)
        text = np.concatenate([past, as_symbols(data, self._tree.alphabet)])
        used = code_data(
            decoding, self._tree, self._sums, text, begun, coded, fresh_state(), code, bits, cost_of_decisions()
        )
        self._past = text[len(text) - begun :]
        return int(used), text[begun:]


_NOTHING = np.empty(0)


def _all(data: Bytes) -> Mask:
    return np.ones(len(data), bool)


def _numbers(values: Iterable[int]) -> bytes:
    """Each as its digits of base 128, lowest first, all but the last with the top bit set."""
    code = bytearray()
    for value in values:
        while value > 127:
            code.append(128 | value & 127)
            value >>= 7
        code.append(value)
    return bytes(code)


def _number(code: Iterator[int]) -> int:
    """The next of them."""
    value = 0
    for place, digit in enumerate(code):
        value |= (digit & 127) << 7 * place
        if digit < 128:
            return value
        if place == 8:
            break
    raise _damaged()


def _damaged() -> DamagedError:
    return DamagedError("the count model is damaged; get a fresh copy of it")
