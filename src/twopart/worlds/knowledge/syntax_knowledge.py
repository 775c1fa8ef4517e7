"""The Syntax-Knowledge world: sentences that state facts about entities, with everything about them known.

Given the world's truth φ = (G, facts, ψ), sentences are i.i.d.; each is drawn as (Pan, Wang, Li 2025, section 3)
    entity     e ~ G,  G a Pitman-Yor random measure: few entities are mentioned often, most hardly ever
    attribute  a ~ Categorical(π)
    template   t ~ Categorical(ψ_a),  ψ_a ~ Dirichlet(α, ..., α): the parametric syntax
    value      v = fact(e, a), drawn once and for all from the attribute's base distribution: the knowledge
Names and facts are functions of (seed, entity, attribute), so a world holds no table and a shard needs no neighbour.

    SyntaxKnowledge   the world; `sample` draws sentences
    Corpus            sentences as columns, and the world they come from
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._checks import InputError, check, check_integer, check_real
from twopart._philox import hash_uniform, hash_words, philox_key
from twopart.worlds.knowledge._categorical import check_probabilities, dirichlet, inverse_cdf
from twopart.worlds.knowledge._permutation import permute
from twopart.worlds.knowledge.attributes import BIOGRAPHY, Attribute
from twopart.worlds.knowledge.equal import EqualFrequencies, EqualMeasure
from twopart.worlds.knowledge.pitman_yor import PitmanYor, RandomMeasure

if TYPE_CHECKING:
    import polars as pl

COLUMNS: dict[str, type] = {
    "entity": np.int64,
    "attribute": np.int16,
    "template": np.int16,
    "value": np.int32,
    "probability": np.float64,
}


@dataclass(frozen=True)
class SyntaxKnowledge:
    """A world with Pitman-Yor knowledge and parametric syntax; see the top of this file for the model."""

    discount: float = 0.5
    """d of the entities' Pitman-Yor law, in [0, 1): their frequencies fall as rank^(-1/d)."""
    concentration: float = 1.0
    """θ of the same, > -d."""
    attributes: tuple[Attribute, ...] = BIOGRAPHY
    """What the sentences speak of; names must differ."""
    attribute_probabilities: tuple[float, ...] | None = None
    """π, one number > 0 per attribute, summing to 1; None: uniform."""
    syntax_concentration: float = 0.5
    """α of the Dirichlet that each attribute's template probabilities ψ_a are drawn from, > 0."""
    names: int = 2**48
    """How many names there are, in [1, 2^62]. Of K entities two share one with probability about K²/(2·names)."""
    population: int | None = None
    """K in [1, 2^40]: a control with K equally frequent entities instead of Pitman-Yor; None: Pitman-Yor."""
    seed: int = 0
    """Chooses the truth φ: the measure, the facts, the names, the template probabilities."""

    def __post_init__(self) -> None:
        if self.population is not None:
            check_integer("population", self.population, 1, 2**40, "None gives Pitman-Yor frequencies")
        _ = self.entities  # checks discount and concentration
        check(
            len(self.attributes) > 0,
            "attributes",
            self.attributes,
            "at least one attribute",
            "add an `Attribute`",
        )
        named = [attribute.name for attribute in self.attributes]
        check(len(set(named)) == len(named), "attributes", named, "distinct by name", "rename the double one")
        check(len(named) <= 2**15 - 1, "attributes", len(named), "at most 32767 in number", "leave some out")
        if self.attribute_probabilities is not None:
            object.__setattr__(self, "attribute_probabilities", tuple(float(p) for p in self.attribute_probabilities))
            check_probabilities(
                "attribute_probabilities", self.attribute_probabilities, len(named), "one per attribute"
            )
        check_real(
            "syntax_concentration",
            self.syntax_concentration,
            0,
            1e6,
            "small values make few templates common",
            closed="(]",
        )
        check_integer("names", self.names, 1, 2**62, "it should far exceed the square of the entities in a corpus")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another world")

    @property
    def entities(self) -> PitmanYor | EqualFrequencies:
        """The law that entities' frequencies are drawn from."""
        if self.population is not None:
            return EqualFrequencies(self.population)
        return PitmanYor(self.discount, self.concentration)

    @cached_property
    def measure(self) -> RandomMeasure | EqualMeasure:
        """G, the entities and their probabilities in this world."""
        return self.entities.measure(_random.keys(self.seed, 1, "entities").item() >> 1)

    @cached_property
    def pi(self) -> NDArray[np.float64]:
        """π, the attributes' probabilities, shape (attributes,)."""
        if self.attribute_probabilities is None:
            return np.full(len(self.attributes), 1 / len(self.attributes))
        return np.array(self.attribute_probabilities)

    @cached_property
    def template_probabilities(self) -> tuple[NDArray[np.float64], ...]:
        """ψ, one array of shape (templates of the attribute,) per attribute."""
        return tuple(
            dirichlet(
                _random.generator(self.seed, "templates", index),
                self.syntax_concentration,
                attribute.templates,
            )
            for index, attribute in enumerate(self.attributes)
        )

    @cached_property
    def template_entropies(self) -> NDArray[np.float64]:
        """H(ψ_a): bits of each attribute's template to a reader who knows ψ, shape (attributes,)."""
        return np.array([-(psi @ np.log2(psi)) for psi in self.template_probabilities])

    @property
    def syntax_entropy(self) -> float:
        """H(π) + Σ_a π_a H(ψ_a): bits of a sentence's attribute and template, which the oracle pays too."""
        return float(-(self.pi @ np.log2(self.pi)) + self.pi @ self.template_entropies)

    def name(self, entity: ArrayLike) -> NDArray[np.int64]:
        """The name of each entity id: an index in [0, names), uniform over worlds.

        Heavy entities (the root atoms of the measure) have distinct names for certain, as they go through a permutation
        of [0, names); light ones are hashed into what those leave.
        """
        ids = np.atleast_1d(np.asarray(entity, np.int64))
        root = self.measure.root_atoms
        hashed = hash_words(ids, 0, philox_key(self.seed, "names")) % np.uint64(max(self.names - root, 1))
        index = np.where(ids < root, ids, root + hashed.astype(np.int64)) % self.names
        return permute(index, self.names, philox_key(self.seed, "name permutation")).reshape(np.shape(entity))

    def value(self, entity: ArrayLike, attribute: ArrayLike) -> NDArray[np.int32]:
        """fact(entity, attribute): an index in [0, values of the attribute), the same whenever and wherever it is asked."""
        shape = np.broadcast_shapes(np.shape(entity), np.shape(attribute))
        ids = np.broadcast_to(np.asarray(entity, np.int64), shape).ravel()
        which = np.broadcast_to(np.asarray(attribute, np.int64), shape).ravel()
        uniform = hash_uniform(ids, which, philox_key(self.seed, "facts"))
        values = np.array([a.values for a in self.attributes])[which]
        facts = (uniform * values).astype(np.int32)
        for index, a in enumerate(self.attributes):
            if a.base is not None:
                mine = which == index
                facts[mine] = inverse_cdf(np.cumsum(a.base), uniform[mine])
        return np.asarray(facts.reshape(shape), np.int32)

    def sample(self, n: int, stream: int = 0, start: int = 0) -> Corpus:
        """Sentences start..start+n-1 of sample number `stream`; any shard alone equals its part of the whole."""
        check_integer("n", n, 0, None, "it is the number of sentences")
        check_integer("stream", stream, 0, 2**63 - 1, "streams are independent samples of one world")
        check_integer("start", start, 0, 2**62 - n, "it is the index of the first sentence")
        entity, probability = self.measure.draw_with_probability(n, stream=stream, start=start)
        attribute, template = self._draw_syntax(n, stream, start)
        return Corpus(self, entity, attribute, template, self.value(entity, attribute), probability)

    def _draw_syntax(self, n: int, stream: int, start: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Attribute and template from one uniform a sentence: π_a ψ_{a,t} is one categorical over all pairs."""
        sizes = [attribute.templates for attribute in self.attributes]
        joint = np.concatenate([p * psi for p, psi in zip(self.pi, self.template_probabilities, strict=True)])
        key = philox_key(self.seed, "sentences", stream)
        pair = inverse_cdf(np.cumsum(joint), hash_uniform(np.arange(start, start + n), 0, key))
        attribute = np.repeat(np.arange(len(sizes), dtype=np.int16), sizes)
        template = np.concatenate([np.arange(size, dtype=np.int16) for size in sizes])
        return attribute[pair], template[pair]

    def config(self) -> dict[str, Any]:
        """The world as JSON-able values; `from_config` makes an equal world of it."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SyntaxKnowledge:
        """The world that `config()` described; raises `InputError` if a field is missing, unknown or out of range."""
        try:
            fields = dict(config)
            fields["attributes"] = tuple(_attribute(**a) for a in fields["attributes"])
            if fields["attribute_probabilities"] is not None:
                fields["attribute_probabilities"] = tuple(fields["attribute_probabilities"])
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"`config` does not describe a SyntaxKnowledge world ({error}); write it with `world.config()`"
            ) from error


@dataclass(frozen=True, eq=False)
class Corpus:
    """Sentences of a Syntax-Knowledge world; every column has shape (sentences,)."""

    world: SyntaxKnowledge
    """The world that the sentences were drawn from."""
    entity: NDArray[np.int64]
    """Entity ids: one id, one atom of the world's measure."""
    attribute: NDArray[np.int16]
    """Index into `world.attributes`."""
    template: NDArray[np.int16]
    """Index among the attribute's templates."""
    value: NDArray[np.int32]
    """Index among the attribute's values; equal to `world.value(entity, attribute)`."""
    probability: NDArray[np.float64]
    """p_e, the entity's probability in this world: what the oracle knows of it."""

    def __post_init__(self) -> None:
        sizes = {column: np.shape(getattr(self, column)) for column in COLUMNS}
        check(
            len(set(sizes.values())) == 1 and len(sizes["entity"]) == 1,
            "columns",
            sizes,
            "one-dimensional and equally long",
            "give one entry per sentence",
        )
        for column, dtype in COLUMNS.items():
            object.__setattr__(self, column, np.ascontiguousarray(getattr(self, column), dtype))

    @cached_property
    def name(self) -> NDArray[np.int64]:
        """Name index of each sentence's entity, in [0, world.names)."""
        return self.world.name(self.entity)

    def __len__(self) -> int:
        return len(self.entity)

    def __getitem__(self, index: slice | NDArray[Any]) -> Corpus:
        return Corpus(self.world, *(getattr(self, column)[index] for column in COLUMNS))

    def facts(self) -> pl.DataFrame:
        """The distinct facts, first told first: `entity`, `attribute`, `frequency` p π_a, and how often each was `told`."""
        import polars as pl

        told = pl.DataFrame({"entity": self.entity, "attribute": self.attribute, "frequency": self.probability})
        facts = told.group_by("entity", "attribute", maintain_order=True).agg(
            pl.col("frequency").first(), told=pl.len().cast(pl.Int64)
        )
        return facts.with_columns(pl.col("frequency") * self.world.pi[facts["attribute"].to_numpy()])

    def told(self, facts: pl.DataFrame) -> pl.Series:
        """How often the sentences tell each of these facts, which are named by `entity` and `attribute`."""
        fact = ["entity", "attribute"]
        counts = facts.select(fact).join(self.facts(), on=fact, how="left", maintain_order="left")
        return counts["told"].fill_null(0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Corpus):
            return NotImplemented
        columns = all(np.array_equal(getattr(self, c), getattr(other, c)) for c in COLUMNS)
        return columns and self.world == other.world


def _attribute(base: list[float] | None = None, **fields: Any) -> Attribute:
    return Attribute(**fields, base=None if base is None else tuple(base))
