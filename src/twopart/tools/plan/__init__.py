"""Plan: what to train under a budget, and which facts a model of a size will know.

training.py            a scaling law and a goal -> the best split, the cost of missing it, limits on data, serving
training_findings.py   that as a report
knowledge.py           Pitman-Yor frequencies and a model's bits -> what it knows, what it makes up, what lifts a rare fact
knowledge_findings.py  that as a report
"""

from twopart.tools.plan.knowledge import KnowledgePlan, plan_knowledge
from twopart.tools.plan.training import TrainingPlan, plan_training

__all__ = ["KnowledgePlan", "TrainingPlan", "plan_knowledge", "plan_training"]
