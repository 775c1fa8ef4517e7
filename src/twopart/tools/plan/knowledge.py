"""Which facts a model of a size will know: the capacity, joint and hallucination laws for facts of one kind.

Facts have the frequencies of a Pitman-Yor law (`fits.pitman_yor` or `twopart measure` give its discount), each is worth
`facts_bits` bits, and the model has `bits_per_param` times its parameters to hold them in. With nothing else to learn, the laws
depend on how many facts fit alone; so they are asked about facts of one bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from twopart._checks import InputError, check_real
from twopart.findings import Shown
from twopart.laws import hallucination_law
from twopart.worlds import Attribute, SyntaxKnowledge

PER_DECADE = 8
SIZES = tuple(10 ** (k / PER_DECADE) for k in range(-3 * PER_DECADE, 3 * PER_DECADE + 1))
"""Models beside the plan's, as multiples of its size."""
FULL = 0.99
"""A model whose facts take up less of its room has no threshold: it holds what it was told."""


@dataclass(frozen=True)
class KnowledgePlan(Shown, told_by="twopart.tools.plan.knowledge_findings"):
    """What a model knows of facts with Pitman-Yor frequencies. Arguments first, what follows from them below."""

    discount: float
    concentration: float
    facts_bits: float
    """Bits of a fact."""
    params: float
    bits_per_param: float
    """Bits of knowledge that a parameter holds."""
    statements: float
    """Statements of facts that it is trained on; inf: as many as one likes."""
    exposures: float
    """T, how often a fact must be stated to be learned."""

    threshold: float
    """λ: facts stated less often than this, as a share of all statements, are not held; 0 if all that is told fits."""
    facts: float
    """Expected number of facts known."""
    unknown: float
    """Probability that a fact asked for as often as it is stated is not known."""
    missing: float
    """Probability that its fact is not among those of n/T statements, so that no model of any size knows it."""
    sizes: pl.DataFrame
    """The same for models of other sizes."""

    @property
    def capacity(self) -> float:
        """Bits of knowledge that the model holds."""
        return self.params * self.bits_per_param

    @property
    def room(self) -> float:
        """Facts that fit."""
        return self.capacity / self.facts_bits

    @property
    def hallucination(self) -> float:
        """Probability of a wrong answer if one is always given and unknown values are guessed: unknown (1 - 2^-bits)."""
        return self.unknown * -math.expm1(-self.facts_bits * math.log(2))

    @property
    def threshold_exposures(self) -> float:
        """How often a fact at the threshold is stated in training; inf without a limit to the statements."""
        return self.threshold * self.statements if self.threshold else math.nan

    def known(self, frequency: float) -> float:
        """Probability that a fact of this frequency is known: 1 - (1-f)^(n/T) above the threshold, 0 below."""
        if frequency < self.threshold:
            return 0.0
        return -math.expm1(self.statements / self.exposures * math.log1p(-frequency)) if frequency < 1 else 1.0

    def oversampling(self, frequency: float, confidence: float = 0.95) -> float:
        """How many times as often a fact of this frequency must be stated to be known with `confidence`; 1 if it is.

        It must reach the threshold, where it takes the place of the rarest fact held, and be learned from its statements:
        (1-f)^(n/T) <= 1 - confidence.
        """
        f = check_real("frequency", frequency, 0, 1, "it is a share of the statements", closed="()")
        sure = check_real("confidence", confidence, 0, 1, "0.95 is customary", closed="()")
        told = -math.expm1(math.log1p(-sure) * self.exposures / self.statements)
        return max(1.0, self.threshold / f, told / f)


def plan_knowledge(
    *,
    discount: float,
    facts_bits: float,
    params: float,
    concentration: float = 1.0,
    bits_per_param: float = 2.0,
    statements: float = math.inf,
    exposures: float = 1.0,
) -> KnowledgePlan:
    """What a model of `params` parameters knows; see `KnowledgePlan`. Raises `InputError` for numbers out of range, and
    for a model without room for one fact."""
    bits = check_real("facts_bits", facts_bits, 1e-6, 1e6, "log2 of the number of values, if all are equally likely")
    size = check_real("params", params, 0, 1e18, "it is a number of parameters", closed="(]")
    held = check_real("bits_per_param", bits_per_param, 0, 64, "2 is what the literature finds", closed="(]")
    told = check_real("statements", statements, 1, math.inf, "inf leaves it out")
    once = check_real("exposures", exposures, 1e-6, 1e15, "1 learns a fact at once")
    if size * held < bits:
        raise InputError(
            f"{size:.4g} parameters hold {size * held:.4g} bits and a fact has {bits:.4g}; plan a larger model"
        )
    world = SyntaxKnowledge(discount, concentration, (Attribute("fact", values=2, templates=1),))
    factors = np.array((1.0, *SIZES))
    law = hallucination_law(world, told, factors * size * held / bits, exposures=once)
    full = law.joint.facts > FULL * factors * size * held / bits
    sizes = pl.DataFrame(
        {
            "parameters": factors[1:] * size,
            "facts known": law.joint.facts[1:],
            "threshold frequency": np.where(full, law.joint.price, 0.0)[1:],
            "of what is asked, known (%)": 100 * np.maximum(1 - law.unknown[1:], 0.0),
            "wrong answers (%)": 100 * law.unknown[1:] * -math.expm1(-bits * math.log(2)),
        }
    )
    price = float(law.joint.price[0]) if full[0] else 0.0
    numbers = (price, float(law.joint.facts[0]), float(law.unknown[0]), float(law.missing_mass[0]))
    arguments = (world.discount, world.concentration, bits, size, held, told, once)
    return KnowledgePlan(*arguments, *numbers, sizes)
