"""Codes: what it costs to say a corpus, in bits per sentence, split by role.

oracle.py      the code that knows the world's truth; its bits are the entropy of the world
text_order.py  the same for English text, its bits split by role in the order of the text
bayes.py       the code that learns it in the best possible way; its excess over the oracle is the redundancy
tuned.py       the same for a shifted world, after a corpus of the world before
words.py       the Bayes code of words one by one, under a Pitman-Yor law
exam.py        what held-out documents cost, by how familiar their words are
ideal/         the two-part code of a world's syntax and of its top facts, the others unknown

Codes of any bytes, as files that decompress: twopart.lossless.
"""

from twopart.codes.bayes import BayesCoder, bayes_code
from twopart.codes.exam import FAMILIARITY, Exam, Marks
from twopart.codes.oracle import oracle_code
from twopart.codes.text_order import oracle_code_of_text
from twopart.codes.tuned import TunedCoder
from twopart.codes.words import numbered, word_bits
from twopart.roles import CodeLengths

__all__ = [
    "FAMILIARITY",
    "BayesCoder",
    "CodeLengths",
    "Exam",
    "Marks",
    "TunedCoder",
    "bayes_code",
    "numbered",
    "oracle_code",
    "oracle_code_of_text",
    "word_bits",
]
