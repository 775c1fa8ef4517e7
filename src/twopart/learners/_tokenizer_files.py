"""A tokenizer beside a model, as `AutoTokenizer` reads it: tokenizer.json, tokenizer_config.json, special_tokens_map.json.

A tokenizer of `transformers` writes its files itself; of one of `tokenizers`, or its tokenizer.json, the special tokens are
known by their usual names.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twopart._checks import InputError, check
from twopart._files import check_source, write_bytes, write_json, write_text

TOKENIZER = "tokenizer.json"
NAMES = {
    "bos": ("<s>", "<bos>", "[BOS]", "<BOS>", "<|bos|>", "<|begin_of_text|>", "<|startoftext|>"),
    "eos": ("</s>", "<eos>", "[EOS]", "<EOS>", "<|eos|>", "<|end_of_text|>", "<|endoftext|>"),
    "pad": ("<pad>", "[PAD]", "<PAD>", "<|pad|>"),
    "unk": ("<unk>", "[UNK]", "<UNK>", "<|unk|>"),
}
"""What special tokens are usually called."""


def write_tokenizer(tokenizer: Any, folder: Path, vocabulary: int, context: int) -> dict[str, int | None]:
    """Write the files of `tokenizer` into `folder`; the ids of its special tokens by what they are for.

    Raises `InputError` for what is no tokenizer, and for one with more ids than the model's `vocabulary`.
    """
    if isinstance(tokenizer, str | os.PathLike):
        tokenizer = _read(Path(tokenizer))
    if hasattr(tokenizer, "save_pretrained"):
        _check(len(tokenizer), vocabulary)
        _copy(tokenizer, folder)
        return {role: getattr(tokenizer, f"{role}_token_id", None) for role in NAMES}
    if not hasattr(tokenizer, "to_str"):
        raise InputError(
            f"`tokenizer` must be one of `tokenizers` or `transformers`, or the path of a tokenizer.json, got {tokenizer!r}"
        )
    ids = tokenizer.get_vocab(with_added_tokens=True)
    _check(1 + max(ids.values(), default=-1), vocabulary)
    special = {role: next((name for name in names if name in ids), None) for role, names in NAMES.items()}
    named = {f"{role}_token": name for role, name in special.items() if name is not None}
    write_text(folder / TOKENIZER, tokenizer.to_str(pretty=True))
    write_json(folder / "special_tokens_map.json", named)
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": context,
            "model_input_names": ["input_ids", "attention_mask"],  # a Llama takes no types of tokens
            "padding_side": "left",  # so that a batch of prompts ends where it is to be continued
            "clean_up_tokenization_spaces": False,
            **named,
        },
    )
    return {role: None if name is None else ids[name] for role, name in special.items()}


def _read(path: Path) -> Any:
    from tokenizers import Tokenizer

    file = path / TOKENIZER if path.is_dir() else path
    check_source(file, "name a tokenizer.json")
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(f"{file} is no tokenizer that can be read ({error}); name a tokenizer.json") from None


def _copy(tokenizer: Any, folder: Path) -> None:
    """The files that the tokenizer writes, each whole or absent."""
    with TemporaryDirectory() as aside:
        tokenizer.save_pretrained(aside)
        for file in sorted(Path(aside).rglob("*")):
            if file.is_file():
                write_bytes(folder / file.relative_to(aside), file.read_bytes())


def _check(ids: int, vocabulary: int) -> None:
    check(ids <= vocabulary, "tokenizer", ids, f"of at most {vocabulary} ids, the model's vocabulary", "give its own")
