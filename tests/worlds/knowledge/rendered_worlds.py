"""Worlds and corpora that the tests of renderings and storage share."""

from hypothesis import strategies as st

from twopart.worlds import Attribute, SyntaxKnowledge
from twopart.worlds.knowledge.renderings.lexicon import lexicon

KNOWN = tuple(lexicon().templates)


def widest(most_values: int = 2**31, **fields: object) -> SyntaxKnowledge:
    """Every attribute with every template and value (of each, up to `most_values`) that the lexicon has."""
    words = lexicon()
    attributes = tuple(Attribute(a, min(most_values, len(words.values[a])), len(words.templates[a])) for a in KNOWN)
    return SyntaxKnowledge(**{"attributes": attributes, "syntax_concentration": 100.0, **fields})


@st.composite
def english_worlds(draw: st.DrawFn) -> SyntaxKnowledge:
    """Any world that English has words for."""
    limits = lexicon()

    def attribute(name: str) -> Attribute:
        values = draw(st.integers(1, min(len(limits.values[name]), 500)))
        return Attribute(name, values, draw(st.integers(1, len(limits.templates[name]))))

    return SyntaxKnowledge(
        discount=draw(st.sampled_from([0.0, 0.3, 0.5, 0.8])),
        concentration=draw(st.sampled_from([0.5, 1.0, 50.0])),
        attributes=tuple(attribute(name) for name in draw(st.lists(st.sampled_from(KNOWN), min_size=1, unique=True))),
        names=draw(st.integers(1, 48).flatmap(lambda bits: st.integers(1, 2**bits))),
        population=draw(st.none() | st.integers(1, 1000)),
        seed=draw(st.integers(0, 2**63 - 1)),
    )
