"""Probe a model: which facts it knows, what it makes up about the others, and how much of that is the look of a name.

facts.py       facts in a table;  data/  those that ship (scripts/probe_facts.py)
answers.py     what comes back from
askers.py      a folder of Hugging Face, a GGUF file, any decoder;  endpoint.py  an endpoint
symbols.py     a world's symbols as words, for models of `learners`
decoder.py     prompts that begin alike, read once;  trie.py  answers as paths of tokens
twins.py       invented subjects
asking.py      everything that is asked, kept as it comes
analysis.py    guess rates, anchor, threshold, bootstrap;  compare.py  two models;  quantised.py  one in fewer bits
probing.py     all of it put together
findings.py    the same as claims, tables and charts;  claims.py  their rules

probed = probe(open_asker("models/mine"), read_facts("facts.csv", templates=["The capital of {subject} is"]))
probed.studied[0].strata, probed.studied[0].estimate("threshold")
findings(probed)
"""

from typing import TYPE_CHECKING

from twopart._lazy import late
from twopart.tools.probe.answers import Answers, Asker
from twopart.tools.probe.facts import Facts, read_facts
from twopart.tools.probe.findings import findings
from twopart.tools.probe.probing import Probed, probe

__all__ = ["Answers", "Asked", "Asker", "Facts", "Probed", "findings", "open_asker", "probe", "read_facts"]
if TYPE_CHECKING:
    from twopart.tools.probe.askers import Asked, open_asker
else:  # answers that are stored are studied without torch
    __getattr__, __dir__ = late(__name__, __all__, rooms=(), core="askers")
