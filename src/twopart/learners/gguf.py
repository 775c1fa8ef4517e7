"""GGUF files of a Llama, as llama.cpp writes them: weights of any of its quantisations, and the tokenizer that is in the file.

load_gguf(path)    -> the model in float32, and its tokenizer of `tokenizers`

llama.cpp turns neighbouring entries of a head where Hugging Face turns the two halves; rows of query and key are put back.
Needs the package `gguf` (pip install "twopart[gguf]"). Tests hold the logits against the weights that were written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from twopart._checks import InputError
from twopart._files import check_source
from twopart.learners.huggingface import HEAD, TABLE, named_weights
from twopart.learners.rotary import Rotary
from twopart.learners.transformer import Transformer, TransformerConfig

NAMES = {TABLE: "token_embd", HEAD: "output", "model.norm.weight": "output_norm"}
PARTS = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""llama.cpp's names of a layer's parts by Hugging Face's."""
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS: dict[str, Any] = {
    "gpt-2": [],
    "smollm": [pre_tokenizers.Digits(individual_digits=True)],
    "llama-bpe": [pre_tokenizers.Split(Regex(_LETTERS + r"\p{N}{1,3}" + _REST), "isolated")],
    "qwen2": [pre_tokenizers.Split(Regex(_LETTERS + r"\p{N}" + _REST), "isolated")],
}
"""How text is split before its byte pairs, by `tokenizer.ggml.pre`."""
SPECIAL = 3  # of `tokenizer.ggml.token_type`: control tokens


def load_gguf(path: str | Path) -> tuple[Transformer, Tokenizer]:
    """The model and the tokenizer in a GGUF file.

    Raises `InputError` for a file that is damaged, of another architecture than Llama, or with a tokenizer that is not by
    byte pairs, and where the package `gguf` is missing.
    """
    path = Path(path)
    check_source(path, "name a GGUF file")
    reader = _reader(path)
    values = {name: field.contents() for name, field in reader.fields.items()}
    kind = values.get("general.architecture")
    if kind != "llama":
        raise InputError(f"{path} holds a model of the architecture {kind!r}; only a Llama can be read from GGUF")
    stored = {tensor.name: tensor for tensor in reader.tensors}
    try:
        config = _shape(values, tied="output.weight" not in stored)
        model = Transformer(config, seed=None)
        with torch.no_grad():
            for name, weight in named_weights(model).items():
                weight.copy_(_weight(stored[_name(name)], config, name))
        return model, _tokenizer(path, values)
    except (KeyError, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} lacks a part of its model or holds another ({error}); save it again") from error


def _reader(path: Path) -> Any:
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise InputError(f'{path} is read by the package gguf; pip install "twopart[gguf]"') from error

    class Plain(GGUFReader):
        """Every slice of a memory map is one again, which costs more than what is read; a view of it is an array."""

        @property
        def data(self) -> Any:
            return self._view

        @data.setter
        def data(self, mapped: Any) -> None:
            self._view = np.asarray(mapped)

    try:
        return Plain(path)
    except (ValueError, IndexError, KeyError) as error:
        raise InputError(f"{path} is no GGUF file that can be read ({error}); name another") from error


def _shape(values: dict[str, Any], tied: bool) -> TransformerConfig:
    of = {name.removeprefix("llama."): value for name, value in values.items()}
    heads, width = of["attention.head_count"], of["embedding_length"]
    head = of.get("attention.key_length", of.get("rope.dimension_count", width // heads))
    return TransformerConfig(
        vocabulary=len(values["tokenizer.ggml.tokens"]),
        context=of["context_length"],
        layers=of["block_count"],
        width=width,
        heads=heads,
        hidden=of["feed_forward_length"],
        head=None if head * heads == width else head,
        key_heads=of.get("attention.head_count_kv", heads),
        tied=tied,
        epsilon=of["attention.layer_norm_rms_epsilon"],
        rotary=Rotary(float(of.get("rope.freq_base", 10_000.0))),
    )


def _name(name: str) -> str:
    if name in NAMES:
        return f"{NAMES[name]}.weight"
    _, _, layer, part = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{PARTS[part]}.weight"


def _weight(tensor: Any, config: TransformerConfig, name: str) -> Tensor:
    from gguf.quants import dequantize

    weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
    if name.endswith(("q_proj.weight", "k_proj.weight")):
        halves = weight.view(-1, config.head_width // 2, 2, config.width).transpose(1, 2)
        weight = halves.reshape(weight.shape)
    return weight


def _tokenizer(path: Path, values: dict[str, Any]) -> Tokenizer:
    kind, split = values.get("tokenizer.ggml.model"), values.get("tokenizer.ggml.pre", "gpt-2")
    if kind != "gpt2" or split not in SPLITS:
        known = ", ".join(SPLITS)
        raise InputError(
            f"{path} has a tokenizer {kind!r} that splits as {split!r}; those by byte pairs that split as {known} are read"
        )
    tokens = values["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in values["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split in ("gpt-2", "smollm"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*SPLITS[split], bytewise])
    tokenizer.decoder = decoders.ByteLevel()
    kinds = values.get("tokenizer.ggml.token_type", [])
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, kinds, strict=False) if kind == SPECIAL])
    return tokenizer
