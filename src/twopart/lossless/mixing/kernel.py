"""The loop over bytes and bits: predict, code, learn. Encoder and decoder are one function, so they cannot drift apart."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from twopart._numba import inlined
from twopart.lossless.intervals import REGISTER, START, closing_byte, first_bytes, middle, settle
from twopart.lossless.mixing._numbers import bare_kernel, natural
from twopart.lossless.mixing.contexts import COLUMN, INDENT, KINDS, LAST4, POSITION, WORD, see, set_contexts
from twopart.lossless.mixing.matches import BYTE, LENGTH, USED, agrees, bucket, find_matches
from twopart.lossless.mixing.memory import BINS, CHOICES, Sizes
from twopart.lossless.mixing.mixer import adapt, learn_final, learn_weights, mix, mix_sets
from twopart.lossless.mixing.refine import learn_rows, refine, seek_rows
from twopart.lossless.mixing.slots import find, remember, seek

HISTORY_LIMIT, OWN_LIMIT, MATCH_LIMIT, ORDER0_LIMIT = 1023, 255, 1023, 255


@lru_cache
def coder(s: Sizes) -> Any:
    """The kernel for these sizes: `code_bytes(memory, rate, start_rate, decoding, data, code, bits, cost)`.

    It codes the bytes `data` into `code`, or restores them from it, and returns the bytes of `code` used. `bits`, unless
    empty, gets what each byte costs; `cost` has the bits of an event of probability p / 2^16.
    """

    @bare_kernel
    def code_bytes(
        m: Any, rate: int, start_rate: int, decoding: bool, data: Any, code: Any, bits: Any, cost: Any
    ) -> int:
        now, rows = m.now, len(m.refined) // (BINS * s.refinements)
        low, high, register, used = 0, REGISTER, 0, 0
        if decoding:
            register, used = first_bytes(code), START
        for k in range(len(data)):
            set_contexts(now, m.followers, m.context)
            step = rate + (start_rate << 12) // (now[POSITION] + 4096)
            partial, spent, last4 = 1, 0.0, now[LAST4]
            for place in range(8):
                if place == 0 or place == 4:
                    seek(s, m, partial)
                    if place == 0:
                        find_matches(now, m.past, m.places, m.matched)
                    for i in range(s.contexts):
                        m.at[i] = find(s, m, m.at[i])
                node = partial if place < 4 else (partial & ((1 << (place - 4)) - 1)) | (1 << (place - 4))
                seek_rows(s, m, rows, last4, partial)
                known = read_histories(s, m, node)
                longest = read_matches(s, m, partial, place)
                choose_weights(s, m, partial, place, longest, known)
                mix(s, m)
                logit = mix_sets(s, m, partial)
                mixture = int(m.squash[logit + 3071])
                p = refine(s, m, logit, mixture)
                cut = middle(low, high, p)
                bit = int(register <= cut) if decoding else (int(data[k]) >> (7 - place)) & 1
                if bit:
                    high = cut
                else:
                    low = cut + 1
                low, high, register, used = settle(low, high, register, used, code, decoding)
                if len(bits) > 0:
                    spent += cost[p] if bit else cost[65536 - p]
                learn_histories(s, m, node, bit)
                learn_matches(s, m, partial, bit)
                learn_weights(s, m, bit, step)
                learn_final(s, m, partial, bit, mixture)
                learn_rows(s, m, bit)
                partial = 2 * partial + bit
            data[k] = partial & 255
            if len(bits) > 0:
                bits[k] = spent
            see(now, m.past, m.followers, partial & 255)
        if not decoding:
            code[used] = closing_byte(low)
            used += 1
        return used

    return code_bytes


@inlined
def read_histories(s: Sizes, m: Any, node: int) -> int:
    """What the histories of each context say, as logits; nothing if it was never here. How many were."""
    x, known, kept = m.inputs, 0, min(s.inputs, 2)
    for i in range(s.contexts):
        pair = int(m.slots[natural(m.at[i] + node)])
        seen, k = int(pair != 0), s.inputs * i
        m.used[kept * i] = 512 * i + (pair & 255)
        chance = int(m.maps[natural(m.used[kept * i])] >> 20)
        x[k] = m.stretch[chance] * seen
        if s.inputs > 1:
            m.used[kept * i + 1] = 512 * i + 256 + (pair >> 8)
            x[k + 1] = m.stretch[m.maps[natural(m.used[kept * i + 1])] >> 20] * seen
            own = int(m.own[natural(m.at[i] + node)] >> 20)
            x[k + 2] = m.stretch[own] * seen
            x[k + 3] = ((own - 2048) >> 1) * seen
        known += seen
    return known


@inlined
def learn_histories(s: Sizes, m: Any, node: int, bit: int) -> None:
    for i in range(s.contexts):
        remember(s, m.slots, m.at[i] + node, m.following, bit)
        if s.inputs > 1:
            adapt(m.own, m.at[i] + node, bit, m.reciprocal, OWN_LIMIT)
    for i in range(min(s.inputs, 2) * s.contexts):
        adapt(m.maps, m.used[i], bit, m.reciprocal, HISTORY_LIMIT)


@inlined
def read_matches(s: Sizes, m: Any, partial: int, place: int) -> int:
    """The inputs of the matches, of order 0 and a constant; the length of the longest match (5 bits), and its byte (8 bits)."""
    x, k, longest = m.inputs, s.inputs * s.contexts, 0
    for j in range(s.matches):
        state = m.matched[j]
        x[k] = x[k + 1] = 0
        if agrees(state, partial, place):
            length = bucket(state[LENGTH])
            state[USED] = 64 * j + 2 * length + ((state[BYTE] >> (7 - place)) & 1)
            chance = int(m.match_maps[state[USED]] >> 20)
            x[k], x[k + 1] = m.stretch[chance], (chance - 2048) >> 1
            if length > longest >> 8:
                longest = length << 8 | (state[BYTE] & 255)
        else:
            state[USED], state[LENGTH] = -1, 0
        k += 2
    x[k] = m.stretch[m.match_maps[64 * s.matches + partial] >> 20]
    x[k + 1] = 256
    return longest


@inlined
def learn_matches(s: Sizes, m: Any, partial: int, bit: int) -> None:
    for j in range(s.matches):
        if m.matched[j, USED] >= 0:
            adapt(m.match_maps, m.matched[j, USED], bit, m.reciprocal, MATCH_LIMIT)
    adapt(m.match_maps, 64 * s.matches + partial, bit, m.reciprocal, ORDER0_LIMIT)


@inlined
def choose_weights(s: Sizes, m: Any, partial: int, place: int, longest: int, known: int) -> None:
    """The row of each set: by the byte so far and the match; the last byte; the match; the byte before; kinds;
    expected byte; place in the line; how many contexts were here before, with the place or with the byte so far; the last two.
    """
    rows, now, length = m.rows, m.now, longest >> 8
    last4 = now[LAST4]
    if s.sets == 1:
        rows[0] = partial + 256 * (int(length > 0) + int(length > 15) + int(length > 24))
        return
    rows[0] = partial
    rows[1] = CHOICES + (last4 & 255) + 256 * (place >> 1)
    rows[2] = 2 * CHOICES + 8 * length + place
    rows[3] = 3 * CHOICES + ((last4 >> 8) & 255) + 256 * int(now[WORD] == 0)
    rows[4] = 4 * CHOICES + ((now[KINDS] * 37) & 0xFFFFFF) % CHOICES
    if s.sets > 5:
        rows[5] = 5 * CHOICES + (longest & 255) + 256 * int(length > 15)
        rows[6] = 6 * CHOICES + 64 * min(now[INDENT], 15) + min(now[COLUMN], 63)
        rows[7] = 7 * CHOICES + 8 * known + place
        rows[8] = 8 * CHOICES + 256 * min(known >> 2, 7) + partial
        rows[9] = 9 * CHOICES + (((last4 & 0xFFFF) * 40503) >> 3) % CHOICES
