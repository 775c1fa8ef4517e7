"""Laws: what theory predicts, as curves computed from a world. Nothing here is fitted and nothing is simulated.

capacity.py  the capacity law: the best model of so many bits, its threshold, and its asymptote
allocation.py, tails.py   the price that shares bits among facts and syntax; sums over facts above a frequency
data.py      the data law: expected redundancy of the Bayes code at every step, exact, and its asymptote
entities.py  its part about entities: what it costs not to know the measure and the names
syntax.py    its part about templates: what it costs not to know a categorical distribution
"""

from twopart.laws.capacity import CapacityLaw, capacity_asymptote, capacity_at, capacity_law, capacity_needed
from twopart.laws.data import data_law, data_law_asymptote, knowledge_law

__all__ = [
    "CapacityLaw",
    "capacity_asymptote",
    "capacity_at",
    "capacity_law",
    "capacity_needed",
    "data_law",
    "data_law_asymptote",
    "knowledge_law",
]
