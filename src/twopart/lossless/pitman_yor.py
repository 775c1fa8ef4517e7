"""A hierarchical Pitman-Yor model of bytes: the Bayes code's own law, one restaurant for every context of 0 to `depth` bytes.

    p_k(b) = (c_b - d_k t_b) / (θ + C) + (θ + d_k T) / (θ + C) p_{k-1}(b),        p_{-1}(b) = 1/256

Context k, the last k bytes, has seated C customers at T tables, c_b of them and t_b tables for byte b. A new customer for
b sits at a new table with probability proportional to (θ + d_k T) p_{k-1}(b), against c_b - d_k t_b, and a new table is a
customer of the context one byte shorter (Teh 2006, A hierarchical Bayesian language model based on Pitman-Yor processes).
Kneser-Ney smoothing is the case in which every byte has one table.

Seats are drawn from their exact law, so the mean of the product of these p over all draws is the probability of the data
under the model: E 2^-length = P(data), which the tests check, and by Jensen the expected length exceeds -log2 P(data) by
what one draw of seats loses. Addition, multiplication and division of float64 round alike on all machines, and nothing
else is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from twopart._checks import check, check_integer, check_real
from twopart._numba import inlined
from twopart.lossless._logistic import ONE
from twopart.lossless.intervals import REGISTER, START, closing_byte, first_bytes, middle, settle
from twopart.lossless.mixing._numbers import bare_kernel, mixed
from twopart.lossless.mixing.method import _cost
from twopart.lossless.predictor import Bytes, Floats

SYMBOLS = 256
RANDOM, NODES, SEATS = (
    0,
    1,
    2,
)  # places in `now`: the state of the seats' random numbers; restaurants and entries in use
UNIT_OF_53_BITS = 1.0 / (1 << 53)


@dataclass(frozen=True)
class PitmanYorBytes:
    """Bytes as draws from a hierarchy of Pitman-Yor processes, one for each context."""

    kind: ClassVar[str] = "pitman-yor"
    discounts: tuple[float, ...] = (0.62, 0.69, 0.74, 0.80, 0.95, 0.95, 0.95)
    """d_k of the contexts of k bytes, k from 0, each in [0, 1);
    the defaults are those of Gasthaus, Wood and Teh (2010), section 4.
    """
    concentration: float = 0.5
    """θ of all contexts, in (0, 1000]."""
    room_bits: int = 22
    """Room for 2^room_bits contexts and twice as many bytes below them, 8 to 26; a model that is full learns no new ones."""
    seed: int = 0
    """Of the seats, 0 to 2^32 - 1; the decoder draws the same ones."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "discounts", tuple(float(d) for d in self.discounts))  # JSON knows lists only
        check(
            0 < len(self.discounts) <= 32, "discounts", self.discounts, "1 to 32 numbers", "one for each context length"
        )
        for discount in self.discounts:
            check_real("discounts", discount, 0, 1, "0 gives Dirichlet processes", closed="[)")
        check_real("concentration", self.concentration, 0, 1000, "0.5 suits text", closed="(]")
        check_integer("room_bits", self.room_bits, 8, 26, "22 is 230 MB")
        check_integer("seed", self.seed, 0, 2**32 - 1, "any whole number will do")

    def sized(self, length: int) -> PitmanYorBytes:
        """No more room than the file can fill."""
        bits = (2 * length * len(self.discounts)).bit_length()
        return PitmanYorBytes(self.discounts, self.concentration, min(self.room_bits, max(8, bits)), self.seed)

    def start(self) -> Franchise:
        return Franchise(self)


class _Memory(NamedTuple):
    """The restaurants, and for each a list of the bytes served there."""

    now: Any
    keys: Any
    """int64 (2^room_bits,): the hash of each context, by open addressing; 0 is free."""
    customers: Any
    tables: Any
    first: Any
    """int32 (2^room_bits,): customers, tables, first entry of each restaurant; entry 0 is none."""
    byte: Any
    guests: Any
    seats: Any
    following: Any
    """(2^(room_bits + 1),): byte, customers, tables, next of each entry."""
    path: Any
    """int64 (depth + 1,): the restaurants of the contexts in hand, -1 where there is no room."""
    below: Any
    """float64 (depth + 2,): p_{k-1} of the byte that was coded, k = 0 ... depth + 1."""
    chances: Any
    """float64 (256,): p of every byte."""
    past: Any
    """int64 (32,): the last bytes, latest first."""
    discounts: Any


class Franchise:
    """The model in the middle of a file."""

    def __init__(self, method: PitmanYorBytes) -> None:
        self._concentration, nodes, entries = method.concentration, 1 << method.room_bits, 2 << method.room_bits
        depth = len(method.discounts)
        self._memory = _Memory(
            now=np.array([method.seed, 0, 1]),
            keys=np.zeros(nodes, np.int64),
            customers=np.zeros(nodes, np.int32),
            tables=np.zeros(nodes, np.int32),
            first=np.zeros(nodes, np.int32),
            byte=np.zeros(entries, np.uint8),
            guests=np.zeros(entries, np.int32),
            seats=np.zeros(entries, np.int32),
            following=np.zeros(entries, np.int32),
            path=np.zeros(depth, np.int64),
            below=np.zeros(depth + 1),
            chances=np.zeros(SYMBOLS),
            past=np.zeros(32, np.int64),
            discounts=np.array(method.discounts),
        )

    def encode(self, data: Bytes, bits: Floats | None = None) -> bytes:
        """The code of the next bytes; see `Predictor`."""
        code = np.empty(16 * len(data) + 16, np.uint8)
        return code[: self._run(False, data.copy(), code, np.empty(0) if bits is None else bits)].tobytes()

    def decode(self, code: bytes, length: int) -> Bytes:
        """The next `length` bytes; see `Predictor`."""
        data = np.zeros(length, np.uint8)
        self._run(True, data, np.frombuffer(code, np.uint8).copy(), np.empty(0))
        return data

    def _run(self, decoding: bool, data: Bytes, code: Bytes, bits: Floats) -> int:
        return int(_code_bytes(self._memory, self._concentration, decoding, data, code, bits, _cost()))


@bare_kernel
def _code_bytes(m: Any, theta: float, decoding: bool, data: Any, code: Any, bits: Any, cost: Any) -> int:
    """Code `data` into `code` or restore it; the bytes of `code` used.

    The 8 bits of a byte halve the 256 chances one by one.
    """
    low, high, register, used = 0, REGISTER, 0, 0
    if decoding:
        register, used = first_bytes(code), START
    for k in range(len(data)):
        _enter(m)
        _predict(m, theta)
        start, width, spent = 0, SYMBOLS, 0.0
        for place in range(8):
            width >>= 1
            zeros, ones = _sum(m.chances, start, width), _sum(m.chances, start + width, width)
            p = min(max(int(ones / (zeros + ones) * ONE), 1), ONE - 1)
            cut = middle(low, high, p)
            bit = int(register <= cut) if decoding else (int(data[k]) >> (7 - place)) & 1
            if bit:
                high, start = cut, start + width
            else:
                low = cut + 1
            low, high, register, used = settle(low, high, register, used, code, decoding)
            if len(bits) > 0:
                spent += cost[p] if bit else cost[ONE - p]
        data[k] = start
        if len(bits) > 0:
            bits[k] = spent
        _seat(m, theta, start)
    if not decoding:
        code[used] = closing_byte(low)
        used += 1
    return used


@inlined
def _sum(chances: Any, start: int, width: int) -> float:
    total = 0.0
    for i in range(start, start + width):
        total += chances[i]
    return total


@bare_kernel
def _enter(m: Any) -> None:
    """The restaurants of the contexts in hand, opened if they are new."""
    key = 1
    for k in range(len(m.path)):
        if k > 0:
            key = mixed(key, m.past[k - 1] + 1)
        slot = (key >> 20) & (len(m.keys) - 1)
        while m.keys[slot] != key and m.keys[slot] != 0:
            slot = (slot + 1) & (len(m.keys) - 1)
        if m.keys[slot] == 0:
            if 4 * m.now[NODES] >= 3 * len(m.keys):
                slot = -1
            else:
                m.keys[slot] = key
                m.now[NODES] += 1
        m.path[k] = slot


@bare_kernel
def _predict(m: Any, theta: float) -> None:
    """p of every byte: from the empty context to the longest."""
    chances = m.chances
    for b in range(SYMBOLS):
        chances[b] = 1.0 / SYMBOLS
    for k in range(len(m.path)):
        node = m.path[k]
        if node >= 0 and m.customers[node] > 0:
            total, d = theta + m.customers[node], m.discounts[k]
            share = (theta + d * m.tables[node]) / total
            for b in range(SYMBOLS):
                chances[b] *= share
            entry = m.first[node]
            while entry > 0:
                chances[m.byte[entry]] += (m.guests[entry] - d * m.seats[entry]) / total
                entry = m.following[entry]


@inlined
def _entry(m: Any, node: int, byte: int) -> int:
    """Where the byte stands in the restaurant's list; 0 if it was never served."""
    entry = m.first[node]
    while entry > 0 and m.byte[entry] != byte:
        entry = m.following[entry]
    return int(entry)


@bare_kernel
def _seat(m: Any, theta: float, byte: int) -> None:
    """Seat a customer for `byte` in the longest context, and in a shorter one for each new table."""
    below = m.below
    below[0] = 1.0 / SYMBOLS
    for k in range(len(m.path)):
        below[k + 1] = _chance(m, theta, k, byte, below[k])
    for k in range(len(m.path) - 1, -1, -1):
        if m.path[k] >= 0 and not _seat_in(m, theta, k, byte, below[k]):
            break
    for j in range(len(m.past) - 1, 0, -1):
        m.past[j] = m.past[j - 1]
    m.past[0] = byte


@inlined
def _chance(m: Any, theta: float, k: int, byte: int, below: float) -> float:
    """p_k of one byte."""
    node = m.path[k]
    if node < 0 or m.customers[node] == 0:
        return below
    entry, d = _entry(m, node, byte), m.discounts[k]
    total = theta + m.customers[node]
    own = (m.guests[entry] - d * m.seats[entry]) / total if entry > 0 else 0.0
    return float(own + (theta + d * m.tables[node]) / total * below)


@inlined
def _seat_in(m: Any, theta: float, k: int, byte: int, below: float) -> bool:
    """Whether the customer took a new table, of which the shorter context must hear."""
    node, d = m.path[k], m.discounts[k]
    entry = _entry(m, node, byte)
    if entry == 0:
        if m.now[SEATS] >= len(m.byte):
            return True  # no room to note it here
        entry = m.now[SEATS]
        m.now[SEATS] += 1
        m.byte[entry], m.following[entry], m.first[node] = byte, m.first[node], entry
    old = m.guests[entry] - d * m.seats[entry]
    new = (theta + d * m.tables[node]) * below
    opens = m.guests[entry] == 0 or _uniform(m.now) * (old + new) < new
    m.guests[entry] += 1
    m.customers[node] += 1
    if opens:
        m.seats[entry] += 1
        m.tables[node] += 1
    return bool(opens)


@inlined
def _uniform(now: Any) -> float:
    """A number in [0, 1) of 53 random bits: a 64-bit congruential generator, its state hashed."""
    now[RANDOM] = now[RANDOM] * 6364136223846793005 + 1442695040888963407
    return ((mixed(now[RANDOM], 11) >> 11) & ((1 << 53) - 1)) * UNIT_OF_53_BITS
