"""What was seen before, as numbers: the contexts. A level uses the first few of them.

0-2    the last 3 bytes, the last 6, the word so far and the byte before
3-5    2 bytes, 4 bytes, 1 byte
6-10   8 bytes; this word and the one before; column and the byte above; line: indent, first byte, column; nothing
11-15  what followed the last two bytes the last times; bytes 2-3; the kinds of the last bytes; this word and the second
       before; the two bytes above
16-31  5, 7 and 10 bytes; sparse ones; three words; kinds, indent, the bytes above and the name before a dot, each with the
       word; what followed the last byte
"""

from __future__ import annotations

from typing import Any

from twopart._numba import inlined
from twopart.lossless.mixing._numbers import bare_kernel, mixed

# places in `now`
POSITION, LAST4, LAST8, LAST12 = 0, 1, 2, 3  # bytes so far; the last four, the four before, and the four before
WORD, WORD1, WORD2 = 4, 5, 6  # hashes: the word so far (0 outside one), the last whole word, the one before
KINDS = 7  # the last five bytes, letters alike and a word as one
# where the line and the one above began; place in it; its blanks; its first other byte
LINE, ABOVE_LINE, COLUMN, INDENT, FIRST = 8, 9, 10, 11, 12
ABOVE = 13  # the bytes above this place and right of it
OWNER = 14  # the word before the last . ( =

NEWLINE, BLANK, LETTER = 10, 32, 97

NUMBERS = (3, 6, 16, 32)
"""How many contexts a level may use: as many as `set_contexts` writes."""


@bare_kernel
def set_contexts(now: Any, followers: Any, context: Any) -> None:
    """The hash of each context before the next byte."""
    c4, c8 = now[LAST4], now[LAST8]
    c1, c2, word = c4 & 0xFF, c4 & 0xFFFF, now[WORD]
    context[0] = mixed(3, c4 & 0xFFFFFF)
    context[1] = mixed(mixed(6, c4), c8 & 0xFFFF)
    context[2] = mixed(mixed(7, word), c1)
    if len(context) > 3:
        context[3] = mixed(2, c2)
        context[4] = mixed(4, c4)
        context[5] = mixed(1, c1)
    if len(context) > 6:
        context[6] = mixed(mixed(8, c4), c8)
        context[7] = mixed(mixed(9, word), now[WORD1])
        context[8] = mixed(mixed(10, now[COLUMN]), now[ABOVE] & 0xFF)
        context[9] = mixed(mixed(11, now[INDENT]), mixed(now[FIRST], now[COLUMN]))
        context[10] = 12
        context[11] = mixed(mixed(13, followers[256 + c2]), c1)
        context[12] = mixed(14, c4 & 0xFFFF00)
        context[13] = mixed(mixed(15, now[KINDS]), c1)
        context[14] = mixed(mixed(16, word), now[WORD2])
        context[15] = mixed(mixed(17, now[ABOVE]), c1)
    if len(context) > 16:
        context[16] = mixed(mixed(18, c4), c8 & 0xFF)
        context[17] = mixed(mixed(19, c4), c8 & 0xFFFFFF)
        context[18] = mixed(mixed(20, c4), mixed(c8, now[LAST12] & 0xFFFF))
        context[19] = mixed(21, c4 & 0xFF00FF)
        context[20] = mixed(22, c4 & 0xFFFFFF00)
        context[21] = mixed(23, (c4 & 0xFF0000) | (c8 & 0xFF) << 32)
        context[22] = mixed(mixed(24, now[WORD1]), mixed(now[WORD2], word))
        context[23] = mixed(mixed(25, now[KINDS] & 0xFFFF), word)
        context[24] = mixed(mixed(26, now[ABOVE]), word)
        context[25] = mixed(mixed(27, now[INDENT]), word)
        context[26] = mixed(mixed(28, followers[c1] & 0xFFFF), followers[256 + c2] & 0xFF)
        context[27] = mixed(mixed(29, followers[c1]), c1)
        context[28] = mixed(mixed(30, followers[256 + c2]), c2)
        context[29] = mixed(mixed(31, c2), now[WORD1])
        context[30] = mixed(mixed(32, c4 & 0xFFFFFF), now[WORD1])
        context[31] = mixed(mixed(33, now[OWNER]), word)


@inlined
def in_word(byte: int) -> bool:
    """Letters, digits, underscore, and all beyond ASCII."""
    letter = (byte >= 97 and byte <= 122) or (byte >= 65 and byte <= 90)
    return letter or byte >= 128 or (byte >= 48 and byte <= 57) or byte == 95


@bare_kernel
def see(now: Any, past: Any, followers: Any, byte: int) -> None:
    """Move on by one byte."""
    past[now[POSITION] & (len(past) - 1)] = byte
    now[POSITION] += 1
    _see_follower(now, followers, byte)
    now[LAST12] = ((now[LAST12] << 8) | (now[LAST8] >> 24)) & 0xFFFFFFFF
    now[LAST8] = ((now[LAST8] << 8) | (now[LAST4] >> 24)) & 0xFFFFFFFF
    now[LAST4] = ((now[LAST4] << 8) | byte) & 0xFFFFFFFF
    _see_word(now, byte)
    _see_line(now, past, byte)


@inlined
def _see_follower(now: Any, followers: Any, byte: int) -> None:
    one, two = now[LAST4] & 0xFF, 256 + (now[LAST4] & 0xFFFF)
    followers[one] = ((followers[one] << 8) | byte) & 0xFFFFFF
    followers[two] = ((followers[two] << 8) | byte) & 0xFFFF


@inlined
def _see_word(now: Any, byte: int) -> None:
    kind = byte
    if in_word(byte):
        kind = LETTER
        now[WORD] = mixed(now[WORD], byte + 32 if byte >= 65 and byte <= 90 else byte)
    elif now[WORD] != 0:
        now[WORD2], now[WORD1], now[WORD] = now[WORD1], now[WORD], 0
    if kind != LETTER or (now[KINDS] & 0xFF) != LETTER:
        now[KINDS] = ((now[KINDS] << 8) | kind) & 0xFFFFFFFFFF
    if byte == 46 or byte == 40 or byte == 61:  # . ( =
        now[OWNER] = now[WORD1]


@inlined
def _see_line(now: Any, past: Any, byte: int) -> None:
    if byte == NEWLINE:
        now[ABOVE_LINE], now[LINE] = now[LINE], now[POSITION]
        now[COLUMN] = now[INDENT] = now[FIRST] = 0
    else:
        now[COLUMN] += 1
        if now[FIRST] == 0 and byte == BLANK:
            now[INDENT] += 1
        elif now[FIRST] == 0:
            now[FIRST] = byte
    mask, above = len(past) - 1, now[ABOVE_LINE] + now[COLUMN]
    now[ABOVE] = past[above & mask] * 256 + past[(above + 1) & mask] if above + 1 < now[LINE] else NEWLINE
