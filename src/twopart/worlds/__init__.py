"""Worlds: what the data is. Generative models whose truth is known.

pitman_yor.py        entities with power-law frequencies: exact quantities and exact i.i.d. draws
equal.py             equally frequent entities, the control
known.py             the entities of one world as a corpus tells them
excerpt.py           the most frequent entities of a world as a finite world, and how to exercise the rare ones
restaurant.py        the same Pitman-Yor law drawn one by one, an independent check
syntax_knowledge.py  the Syntax-Knowledge world: entity, attribute, template, value
shifts.py            what fine-tuning changes in it: format, entities, facts; what moves and what stays
shifted.py           the world after a shift, and replay of the world before
lessons.py           sentences chosen for what they tell
corpus.py            sentences as columns
storage.py           corpora in Parquet files, streamed
clusters.py          points around orthogonal centres, in two classes
images.py            real images, grouped in two classes
renderings/          sentences as English or as symbols, every byte and token with its role
"""

from twopart.worlds.biographies import Biographies
from twopart.worlds.clusters import OrthogonalClusters, Points
from twopart.worlds.corpus import Corpus
from twopart.worlds.equal import EqualFrequencies
from twopart.worlds.excerpt import Excerpt
from twopart.worlds.images import Images
from twopart.worlds.known import KnownEntities, known_entities
from twopart.worlds.lessons import practised, told_so_often
from twopart.worlds.pitman_yor import PitmanYor, RandomMeasure
from twopart.worlds.restaurant import chinese_restaurant
from twopart.worlds.shifted import ShiftedWorld, replay
from twopart.worlds.shifts import Shift
from twopart.worlds.storage import iterate_corpus, read_corpus, write_corpus
from twopart.worlds.syntax_knowledge import Attribute, SyntaxKnowledge

__all__ = [
    "Attribute",
    "Biographies",
    "Corpus",
    "EqualFrequencies",
    "Excerpt",
    "Images",
    "KnownEntities",
    "OrthogonalClusters",
    "PitmanYor",
    "Points",
    "RandomMeasure",
    "Shift",
    "ShiftedWorld",
    "SyntaxKnowledge",
    "chinese_restaurant",
    "iterate_corpus",
    "known_entities",
    "practised",
    "read_corpus",
    "replay",
    "told_so_often",
    "write_corpus",
]
