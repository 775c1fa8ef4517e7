"""Study `structure-function`: model bits against data bits of real two-part codes, for a world of known truth and for text.

config.py    settings and presets
corpora.py   what is coded: sentences of a world with their names known, and a text
cells.py     pieces of work on the world: the ideal codes, codes of counts, transformers
text.py      pieces of work on the text: codes of counts, transformers, prequential codes, other people's compressors
evidence.py  frontiers, their bends, and the capacity law beside them
claims.py    what is claimed, and the rules that judge it
tables.py, charts.py   what a reader sees
"""

from twopart.studies.structure_function.config import PRESETS, Config
from twopart.studies.structure_function.study import plan, run

__all__ = ["PRESETS", "Config", "plan", "run"]
