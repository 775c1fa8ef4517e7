"""Laws: what theory predicts, as curves computed from a world. Nothing here is fitted and nothing is simulated.

data.py      the data law: expected redundancy of the Bayes code at every step, exact, and its asymptote
entities.py  its part about entities: what it costs not to know the measure and the names
syntax.py    its part about templates: what it costs not to know a categorical distribution
"""

from twopart.laws.data import data_law, data_law_asymptote, knowledge_law

__all__ = ["data_law", "data_law_asymptote", "knowledge_law"]
