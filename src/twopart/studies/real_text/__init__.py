"""Study `real-text`: a small ladder of models on real text, beside the exponents that the text's own counts would predict.

config.py    settings and presets
corpus.py    the text: documents, their order, what is held out
tokens.py    text as tokens that respect words; how often each held-out word was seen before
exam.py      costs on the held-out documents, by document and by how familiar the word is
cells.py     pieces of work on the text in order: models, and a compressor, both judged on the same documents
words.py     pieces of work on words: what their counts predict, and the control, in which words are shuffled
evidence.py  losses, differences of losses and their exponents, with intervals
claims.py    what is claimed, and the rules that judge it
tables.py, charts.py   what a reader sees; runs.csv, which `twopart fit` reads
"""

from twopart.studies.real_text.config import PRESETS, Config
from twopart.studies.real_text.study import plan, run

__all__ = ["PRESETS", "Config", "plan", "run"]
