"""A world's symbols as words, so that a model of `learners` is probed like any other: asked as it is, or from a saved folder.

asker = Asked(Llama(model), symbol_tokenizer(world), "mine")     or save_model(model, folder, symbol_tokenizer(world))
facts = symbol_facts(world, entity, attribute=2, frequency=told)
probe(asker, facts)

Words are a letter and a number: `a` an attribute, `t` a template, `v` a value, `n` a digit of a name. Their probabilities, as
shares among an attribute's values, are those of `recall` (tested).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from twopart import _random
from twopart._checks import check
from twopart.tools.probe.asking import TWINS
from twopart.tools.probe.facts import SLOT, Facts
from twopart.worlds import Corpus, SyntaxKnowledge
from twopart.worlds.knowledge.renderings import SymbolRendering

BOS = "[BOS]"


def symbol_tokenizer(world: SyntaxKnowledge) -> Tokenizer:
    """A word for each id of the world's symbols; a text begins with BOS, which stands for words that are none."""
    made = Tokenizer(models.WordLevel({word: id for id, word in enumerate(_words(world))}, unk_token=BOS))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(f"{BOS} $A", None, [(BOS, 0)])
    return made


def symbol_facts(world: SyntaxKnowledge, entity: ArrayLike, attribute: int, frequency: ArrayLike) -> Facts:
    """One attribute of entities (N,) that have names of their own, by its usual template; `frequency` (N,), positive.

    A subject tells nothing of its answer here: all are one group. Twins are names drawn at random that none of them has.
    """
    of, often = np.asarray(entity), np.asarray(frequency, float)
    check(often.shape == of.shape, "frequency", often.shape, f"of shape {of.shape}", "give one for each entity")
    check(bool((often > 0).all()), "frequency", often.min(initial=1), "> 0", "leave out what is never told")
    rendering, words, which = SymbolRendering(world), _words(world), np.full(len(of), attribute, np.int16)
    template = np.full(len(of), world.template_probabilities[attribute].argmax(), np.int16)
    answer = world.value(of, which)
    rows = rendering.encode(Corpus(world, of, which, template, answer, np.ones(len(of)))).tokens
    name = rendering.name_tokens
    subject, asked = (
        [" ".join(words[i] for i in row[part]) for row in rows] for part in (np.s_[:name], np.s_[name:-1])
    )
    twice = len(subject) - len(set(subject))
    check(twice == 0, "entity", f"{twice} of a name that another has", "entities of different names", "leave them out")
    base = rendering.name_base
    drawn = _random.generator(world.seed, "symbol twins").integers(world.names, size=(len(of), TWINS, 1))
    digits = drawn // base ** np.arange(name)[::-1] % base
    invented = [[" ".join(f"n{digit}" for digit in row) for row in rows] for rows in digits]
    taken = set(subject)
    return Facts(
        subject=tuple(subject), answer=answer.astype(np.int64), group=("",) * len(of), frequency=often, other=None,
        twins=tuple(tuple(twin for twin in twins if twin not in taken) for twins in invented),
        candidates=tuple((f"v{value}",) for value in range(world.attributes[attribute].values)),
        weight=np.ones(len(of)), near=None, prompt=None, templates=(f"{SLOT} {asked[0]}",), left_out=0,
    )  # fmt: skip


def _words(world: SyntaxKnowledge) -> list[str]:
    """Of each id, BOS first."""
    rendering = SymbolRendering(world)
    templates = max(attribute.templates for attribute in world.attributes)
    blocks = (("a", len(world.attributes)), ("t", templates), ("v", rendering.value_base), ("n", rendering.name_base))
    return [BOS, *(f"{letter}{number}" for letter, size in blocks for number in range(size))]
