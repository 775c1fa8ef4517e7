"""Plan: what to train under a budget, which facts a model of a size will know, and what to replay when it is fine-tuned.

training.py            a scaling law and a goal -> the best split, the cost of missing it, limits on data, serving
training_findings.py   that as a report
knowledge.py           Pitman-Yor frequencies and a model's bits -> what it knows, what it makes up, what lifts a rare fact
knowledge_findings.py  that as a report
learner.py             a learner's own two numbers -> how often a fact must be told to it, and that as a report
batches.py             sweeps over batch sizes -> the batch size beyond which more devices do not pay, and that as a report
fine_tune.py           the same and new facts -> how much of the old data to replay, and what is lost
fine_tune_findings.py  that as a report
"""

from twopart.tools.plan.batches import BatchPlan, plan_batches
from twopart.tools.plan.fine_tune import FineTunePlan, plan_fine_tune
from twopart.tools.plan.knowledge import KnowledgePlan, plan_knowledge
from twopart.tools.plan.learner import LearnerPlan, plan_learner
from twopart.tools.plan.training import TrainingPlan, plan_training

__all__ = [
    "BatchPlan",
    "FineTunePlan",
    "KnowledgePlan",
    "LearnerPlan",
    "TrainingPlan",
    "plan_batches",
    "plan_fine_tune",
    "plan_knowledge",
    "plan_learner",
    "plan_training",
]
