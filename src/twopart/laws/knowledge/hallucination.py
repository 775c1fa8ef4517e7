"""The hallucination law: how often a model that must answer makes a fact up. Derived in docs/laws/hallucination.md.

A question asks for fact (e, a) as often as sentences tell it, with probability p_e π_a. A model that stored it answers right;
one that has not can do no better than its base distribution:
    sampled answers   wrong with probability 1 - Σ_v base_a(v)²
    best guesses      wrong with probability 1 - max_v base_a(v)
What is not stored was never told, or is rarer than the threshold (the joint law), so its mass is at least the missing mass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlog1py

from twopart._checks import check
from twopart.laws.knowledge.joint import JointLaw, joint_law, lowest_price
from twopart.laws.knowledge.tails import Entities, Floats, Tail
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

AT = 1 + 1e-9  # a fact so close to the price is at the price


@dataclass(frozen=True, eq=False)
class HallucinationLaw:
    """What a model does not know and how often it is wrong; arrays have the common shape of `n` and `bits`."""

    world: SyntaxKnowledge
    """Whose facts are asked for."""
    entities: Entities
    """What the entities' weights are drawn from."""
    exposures: float
    """T: how often a fact must be told."""
    joint: JointLaw
    """What the model holds, and what that leaves to pay."""
    unknown: Floats
    """Probability that the fact asked for is not known."""
    wrong_sampled: Floats
    """Probability of a wrong answer if unknown values are drawn from the base distribution."""
    wrong_best: Floats
    """Probability of a wrong answer if the most probable value is given."""
    missing_mass: Floats
    """Probability that the entity asked about was never told of at all, in n/T sentences: a lower bound of `unknown`."""

    def known(self, frequency: ArrayLike) -> Floats:
        """Probability that a fact of this probability q is known, 1 - (1-q)^(n/T) if q >= λ, else 0; frequencies last."""
        q, n, price = self._beside(np.asarray(frequency, float))
        told = -np.expm1(xlog1py(n / self.exposures, -q))
        return np.asarray(np.where(q * AT >= price, told, 0.0))

    def by_frequency(self, edges: ArrayLike) -> Floats:
        """Probability that a question is not known given that its fact's probability lies in [edge, next edge); last axis bins.

        `edges` rise within (0, 1]. NaN where the law has no facts. Of facts whose probability is just the price, as where all
        are equally frequent, as many are known as fit.
        """
        edge = np.asarray(edges, float)
        fine = edge.ndim == 1 and bool(np.all((edge > 0) & (edge <= 1)) and np.all(np.diff(edge) > 0))
        check(fine, "edges", edges, "a rising row within (0, 1]", "they are probabilities of facts")
        below = self._tails(edge, np.inf)[1]  # mass of the facts rarer than each edge
        unmet = self._tails(edge)[1] - below  # mass of the more frequent ones that were not told
        missed = np.where(edge <= self.joint.price[..., None] * AT, below, self.unknown[..., None] - unmet)
        mass = np.diff(below)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(mass > 1e-15, np.diff(missed) / np.where(mass > 1e-15, mass, 1.0), np.nan))

    def unknown_among(self, least: ArrayLike) -> Floats:
        """Share of the facts of probability at least `least` > 0 that are not known, each fact counted once; `least` last."""
        edge = np.asarray(least, float)
        check(
            bool(np.all((edge > 0) & (edge <= 1))), "least", least, "in (0, 1]", "there are endlessly many rarer facts"
        )
        flat = edge.ravel()
        known = np.where(flat <= self.joint.price[..., None] * AT, self.joint.facts[..., None], self._tails(flat)[0])
        facts = self._tails(flat, np.inf)[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((1 - known / facts).reshape((*self.unknown.shape, *edge.shape)))

    def risk(self, coverage: ArrayLike) -> Floats:
        """Share of wrong answers if only the share `coverage` in (0, 1] of questions is answered, the surest first; last axis.

        The model's confidence is calibrated: 1 for what it knows, max base_a for what it does not.
        """
        share = np.asarray(coverage, float)
        check(bool(np.all((share > 0) & (share <= 1))), "coverage", coverage, "in (0, 1]", "it is a share of questions")
        guess = np.array([a.value_probabilities().max() for a in self.world.attributes])
        order = np.argsort(-guess, kind="stable")
        mass = self.joint.unknown[..., order]
        start = 1 - self.unknown[..., None] + np.cumsum(mass, -1) - mass
        taken = np.clip(share.ravel()[:, None] - start[..., None, :], 0.0, mass[..., None, :])
        return np.asarray((taken @ (1 - guess[order]) / share.ravel()).reshape((*self.unknown.shape, *share.shape)))

    def _tails(self, price: Floats, n: float | None = None) -> tuple[Floats, Floats]:
        """(seen, unknown) over all attributes above each price, shape (*shape, prices) or, with a number for n, (prices,)."""
        sizes = np.array(self.joint.n if n is None else n, float) / self.exposures
        rows, row = np.unique(sizes.ravel(), return_inverse=True)
        low = min(lowest_price(rows, self.entities), float(price.min()) / 2)
        points, prices = np.repeat(np.arange(len(rows)), price.size), np.tile(price.ravel(), len(rows))
        sums = [Tail(self.entities, float(p), rows, low)(points, prices) for p in self.world.pi]
        seen, unknown = (np.sum([s[k] for s in sums], axis=0).reshape(len(rows), -1) for k in (0, 1))
        shape = (*sizes.shape, price.size)
        return seen[row.ravel()].reshape(shape), unknown[row.ravel()].reshape(shape)

    def _beside(self, last: Floats) -> tuple[Floats, Floats, Floats]:
        """`last`, n and the price, shaped so that they broadcast with `last` at the end."""
        extra = (...,) + (None,) * last.ndim
        return last, self.joint.n[extra], self.joint.price[extra]


def hallucination_law(
    world: SyntaxKnowledge,
    n: ArrayLike | None = None,
    bits: ArrayLike | None = None,
    entities: Entities | None = None,
    exposures: float = 1.0,
) -> HallucinationLaw:
    """How often the best model of `bits` bits, after `n` sentences, answers wrongly; None: no limit. Both broadcast.

    `entities` and `exposures` as in `joint_law`. Raises `InputError` if neither `n` nor `bits` is given.
    """
    check(
        n is not None or bits is not None, "n", n, "given unless `bits` is", "a model without limits knows everything"
    )
    law = world.entities if entities is None else entities
    joint = joint_law(world, np.inf if n is None else n, np.inf if bits is None else bits, law, exposures)
    bases = [attribute.value_probabilities() for attribute in world.attributes]
    same, best = (np.array(part) for part in zip(*((np.dot(b, b), b.max()) for b in bases), strict=True))
    unmet = _missing_mass(law, joint.n / exposures)
    unknown = joint.unknown
    return HallucinationLaw(
        world, law, exposures, joint, unknown.sum(-1), unknown @ (1 - same), unknown @ (1 - best), unmet
    )


def _missing_mass(law: Entities, n: Floats) -> Floats:
    """E[(1 - p̃)^n] for real n; 0 at inf."""
    rows, row = np.unique(n.ravel(), return_inverse=True)
    if not rows.size:
        return np.zeros(n.shape)
    low = lowest_price(rows, law)
    unknown = Tail(law, 1.0, rows, low)(np.arange(len(rows)), np.full(len(rows), low))[1]
    return np.asarray(unknown[row.ravel()].reshape(n.shape))
