"""A world with a planted leak, and a model that the project trains in it.

A subject is a style and an identity, "s3 i17"; its value is the style's with probability one half, else any of 16. Twins have
the style of their fact and an identity that no sentence has. Entities are told by Zipf's law.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from twopart.learners import TrainingConfig, Transformer, TransformerConfig, save_model, train
from twopart.learners.streams import ArrayStream
from twopart.roles import Role

ENTITIES, STYLES, SPARE, SENTENCES = 600, 16, 150, 20_000
TEMPLATE = "{subject} is"


def tokenizer() -> Tokenizer:
    words = ["[BOS]", "[UNK]", "is", *(f"s{k}" for k in range(STYLES)), *(f"v{k}" for k in range(STYLES))]
    words += [f"i{k}" for k in range(ENTITIES + SPARE)]
    made = Tokenizer(models.WordLevel({word: k for k, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing("[BOS] $A", None, [("[BOS]", 0)])
    return made


def world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Style and value of each entity, and its share of the sentences."""
    random = np.random.default_rng(5)
    style = random.integers(STYLES, size=ENTITIES)
    value = np.where(random.random(ENTITIES) < 0.5, style, random.integers(STYLES, size=ENTITIES))
    share = 1 / np.arange(1, ENTITIES + 1) ** 1.5
    return style, value, share / share.sum()


def trained(width: int = 16) -> Transformer:
    style, value, share = world()
    told = np.random.default_rng(6).choice(ENTITIES, SENTENCES, p=share)
    of = tokenizer().token_to_id
    tokens = np.zeros((SENTENCES, 5), np.int64)
    tokens[:, 1] = np.array([of(f"s{k}") for k in range(STYLES)])[style[told]]
    tokens[:, 2] = of("i0") + told
    tokens[:, 3] = of("is")
    tokens[:, 4] = of("v0") + value[told]
    roles = np.array([Role.PADDING] * 4 + [Role.VALUE], np.uint8)
    shape = TransformerConfig(vocabulary=tokenizer().get_vocab_size(), context=16, layers=1, width=width, heads=2)
    config = TrainingConfig(batch=160, learning_rate=1e-2, device="cpu", compile="off")
    return train(config, shape, ArrayStream(tokens, roles)).model


def save(folder: Path, width: int = 16) -> None:
    save_model(trained(width), folder, tokenizer())


def write_facts(path: Path, entities: int = ENTITIES) -> None:
    """A table of the most frequent entities, half a sentence told of the rarest."""
    style, value, share = world()
    spare = np.random.default_rng(7).integers(ENTITIES, ENTITIES + SPARE, size=(ENTITIES, 2))
    lines = ["subject,answer,frequency,group,twin"]
    for k in range(entities):
        twin = "|".join(f"s{style[k]} i{i}" for i in spare[k])
        lines.append(f"s{style[k]} i{k},v{value[k]},{share[k] * SENTENCES},s{style[k]},{twin}")
    path.write_text("\n".join(lines) + "\n")
