"""Worlds: what the data is. Generative models whose truth is known, a room per theory.

knowledge/  sentences that state facts about entities: the Syntax-Knowledge world, the core; its names are on this face too
diffusion/  grids of tokens whose joint law is known
features/   points and images in two classes, with several features each
in_context/ examples of a task and a question about one more
policies/   questions answered in one of several ways, with rewards that can be checked
regression/ inputs with a known covariance, and answers linear in them

What samplers and diffusion models are asked for, in files of their own (they need torch):
targets.py     Gaussians and mixtures: exact log density, score, moments, samples
landscapes.py  wells, a ring, Mueller-Brown: the same by quadrature
posteriors.py  Bayesian linear and logistic regression, with minibatch scores
noised.py      any of them as a diffusion sees it at time t, and as a perfect network; noise.py has the clocks
quantized.py   a mixture's cells in bits: exact masses, scores of bit flips, samples
spectra.py     spectra of circulant precisions (no torch)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twopart._lazy import late

if TYPE_CHECKING:
    from twopart.worlds import (
        diffusion,
        features,
        in_context,
        knowledge,
        landscapes,
        noise,
        noised,
        policies,
        posteriors,
        quantized,
        regression,
        spectra,
        targets,
    )
    from twopart.worlds.knowledge import (
        Attribute,
        Biographies,
        Corpus,
        Documents,
        EnglishRendering,
        EnglishText,
        EqualFrequencies,
        Excerpt,
        Facts,
        FluidSantaFe,
        Hierarchy,
        KnownEntities,
        Lags,
        PitmanYor,
        RandomMeasure,
        Sharded,
        Shift,
        ShiftedWorld,
        SymbolRendering,
        SymbolText,
        SyntaxKnowledge,
        Text,
        chinese_restaurant,
        divide,
        encode_english,
        iterate_corpus,
        known_entities,
        practised,
        read_corpus,
        render,
        replay,
        shifted_world,
        standard_library,
        token_roles,
        told_so_often,
        train_tokenizer,
        word_spans,
        words_of,
        write_corpus,
        write_sample,
    )

__all__ = [
    "Attribute",
    "Biographies",
    "Corpus",
    "Documents",
    "EnglishRendering",
    "EnglishText",
    "EqualFrequencies",
    "Excerpt",
    "Facts",
    "FluidSantaFe",
    "Hierarchy",
    "KnownEntities",
    "Lags",
    "PitmanYor",
    "RandomMeasure",
    "Sharded",
    "Shift",
    "ShiftedWorld",
    "SymbolRendering",
    "SymbolText",
    "SyntaxKnowledge",
    "Text",
    "chinese_restaurant",
    "diffusion",
    "divide",
    "encode_english",
    "features",
    "in_context",
    "iterate_corpus",
    "knowledge",
    "known_entities",
    "landscapes",
    "noise",
    "noised",
    "policies",
    "posteriors",
    "practised",
    "quantized",
    "read_corpus",
    "regression",
    "render",
    "replay",
    "shifted_world",
    "spectra",
    "standard_library",
    "targets",
    "token_roles",
    "told_so_often",
    "train_tokenizer",
    "word_spans",
    "words_of",
    "write_corpus",
    "write_sample",
]

if not TYPE_CHECKING:
    FILES = ("landscapes", "noise", "noised", "posteriors", "quantized", "spectra", "targets")
    __getattr__, __dir__ = late(
        __name__,
        __all__,
        rooms=("diffusion", "features", "in_context", "knowledge", "policies", "regression", *FILES),
        core="knowledge",
    )
