"""Laws of knowledge: what a corpus of facts costs to learn and to hold, as curves computed from a world.

data.py           the data law: expected redundancy of the Bayes code at every step, exact, and its asymptote
capacity.py       the capacity law: the best model of so many bits, its threshold, and its asymptote
joint.py          both together: what was told and fits
compute.py        the joint law's two-term limit, and the best split of operations between sentences and parameters
hallucination.py  how often a model that must answer is wrong, and when it should doubt
finetuning.py     the fine-tuning law: what a learner of the world before pays for a shifted one, by role
forgetting.py     which old facts a full model gives up for new ones, and what replay keeps
horizon.py        how far back a learner of so many tokens can use the past, and what its loss is then
held.py           bits of random facts that a model holds, from its losses
missing_mass.py   the missing mass as a sample shows it
learner.py       a learner that is not the best possible one: a memory that is solved, and transformers by two numbers
learner_fit.py    these two numbers, from runs
retention.py      what such a memory keeps of old facts when new ones are told
structure_function.py  data bits by model bits, where structure ends, and the code in one part beside it

Their parts:
entities.py       what it costs not to know the measure and the names
syntax.py         what it costs not to know a categorical distribution
untaught.py       the same after so many sentences, for thousands of n
allocation.py     the one price that shares bits among facts and syntax
learner_flow.py   how one fact is learned, alone or through noise
tails.py          sums over the facts above a frequency
frequencies.py    other sums over facts, as a table of frequencies
"""

from twopart.laws.knowledge.capacity import CapacityLaw, capacity_asymptote, capacity_at, capacity_law, capacity_needed
from twopart.laws.knowledge.compute import Split, TwoTerms, joint_limit, optimal_split
from twopart.laws.knowledge.data import data_law, data_law_asymptote, knowledge_law
from twopart.laws.knowledge.finetuning import FinetuningLaw, finetuning_law, format_examples
from twopart.laws.knowledge.forgetting import ForgettingLaw, bits_holding, forgetting_law
from twopart.laws.knowledge.hallucination import HallucinationLaw, hallucination_law
from twopart.laws.knowledge.held import bit_complexity
from twopart.laws.knowledge.horizon import hidden_horizon, noise_floor, tagged_excess
from twopart.laws.knowledge.joint import JointLaw, bits_at, exposures_at, joint_law
from twopart.laws.knowledge.learner import Facts, MemoryLaw, StepSum, learner_law, memory_law
from twopart.laws.knowledge.learner_fit import LearnerFit, LearnerRuns, fit_learner
from twopart.laws.knowledge.learner_flow import flow_bits, flow_margin, stranger_shares
from twopart.laws.knowledge.missing_mass import MissingMass, good_turing
from twopart.laws.knowledge.retention import Retention, retention_law
from twopart.laws.knowledge.structure_function import StructureFunction

__all__ = [
    "CapacityLaw",
    "Facts",
    "FinetuningLaw",
    "ForgettingLaw",
    "HallucinationLaw",
    "JointLaw",
    "LearnerFit",
    "LearnerRuns",
    "MemoryLaw",
    "MissingMass",
    "Retention",
    "Split",
    "StepSum",
    "StructureFunction",
    "TwoTerms",
    "bit_complexity",
    "bits_at",
    "bits_holding",
    "capacity_asymptote",
    "capacity_at",
    "capacity_law",
    "capacity_needed",
    "data_law",
    "data_law_asymptote",
    "exposures_at",
    "finetuning_law",
    "fit_learner",
    "flow_bits",
    "flow_margin",
    "forgetting_law",
    "format_examples",
    "good_turing",
    "hallucination_law",
    "hidden_horizon",
    "joint_law",
    "joint_limit",
    "knowledge_law",
    "learner_law",
    "memory_law",
    "noise_floor",
    "optimal_split",
    "retention_law",
    "stranger_shares",
    "tagged_excess",
]
