"""Laws: what theory predicts, as curves computed from a world or from plain arrays. Nothing here is fitted or simulated.

knowledge/  what a corpus of facts costs to learn and to hold, the core; its names are on this face too
features/   which features gradient descent picks up, and how fragile that makes a classifier
in_context/ what attention makes of the examples before it
policies/   which way of answering reinforcement selects, and when
regression/ the risk of SGD on least squares and its kin
sampling/   where samplers with a finite step are after finitely many
diffusion/  what denoising is worth, and what generating in parallel loses
gaussian_flow.py   diffusion samplers on Gaussian data, exact at any number of steps (needs torch)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twopart._lazy import late

if TYPE_CHECKING:
    from twopart.laws import diffusion, features, gaussian_flow, in_context, knowledge, policies, regression, sampling
    from twopart.laws.knowledge import (
        CapacityLaw,
        Facts,
        FinetuningLaw,
        ForgettingLaw,
        HallucinationLaw,
        JointLaw,
        LearnerFit,
        LearnerRuns,
        MemoryLaw,
        MissingMass,
        Retention,
        Split,
        StepSum,
        StructureFunction,
        TwoTerms,
        bit_complexity,
        bits_at,
        bits_holding,
        capacity_asymptote,
        capacity_at,
        capacity_law,
        capacity_needed,
        data_law,
        data_law_asymptote,
        exposures_at,
        finetuning_law,
        fit_learner,
        flow_bits,
        flow_margin,
        forgetting_law,
        format_examples,
        good_turing,
        hallucination_law,
        hidden_horizon,
        joint_law,
        joint_limit,
        knowledge_law,
        learner_law,
        memory_law,
        noise_floor,
        optimal_split,
        retention_law,
        tagged_excess,
    )

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
    "diffusion",
    "exposures_at",
    "features",
    "finetuning_law",
    "fit_learner",
    "flow_bits",
    "flow_margin",
    "forgetting_law",
    "format_examples",
    "gaussian_flow",
    "good_turing",
    "hallucination_law",
    "hidden_horizon",
    "in_context",
    "joint_law",
    "joint_limit",
    "knowledge",
    "knowledge_law",
    "learner_law",
    "memory_law",
    "noise_floor",
    "optimal_split",
    "policies",
    "regression",
    "retention_law",
    "sampling",
    "tagged_excess",
]

if not TYPE_CHECKING:
    ROOMS = ("diffusion", "features", "gaussian_flow", "in_context", "knowledge", "policies", "regression", "sampling")
    __getattr__, __dir__ = late(__name__, __all__, rooms=ROOMS, core="knowledge")
