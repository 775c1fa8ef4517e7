"""Saved models: folders of Hugging Face's `transformers`, of a `LlamaForCausalLM`, written and read with equal logits.

    config.json          the shape, in Hugging Face's words (`_llama_config.py`)
    model.safetensors    the weights, under Hugging Face's names: (out, in), query, key and value apart, gate and up apart;
                         or in parts, by model.safetensors.index.json
    tokenizer.json ...   the tokenizer, if one is given (`_tokenizer_files.py`)

Nothing of `transformers` is needed to write or read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from twopart._checks import InputError
from twopart._files import check_source, write_bytes, write_json
from twopart.learners._llama_config import from_entries, refuse_others, to_entries
from twopart.learners._tokenizer_files import write_tokenizer
from twopart.learners.transformer import Block, Transformer, TransformerConfig

WEIGHTS, CONFIG, INDEX, GENERATION = (
    "model.safetensors",
    "config.json",
    "model.safetensors.index.json",
    "generation_config.json",
)
REMEDY = "save the model again"
TABLE, HEAD = "model.embed_tokens.weight", "lm_head.weight"
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float32, "BF16": torch.float32}
"""Precisions of files, and those they are read in: half precision saves room on disk, and is exact in float32."""


def save_model(model: Transformer, folder: str | Path, tokenizer: Any = None) -> None:
    """Write `model` to `folder`, which is made if need be; config.json comes last, so a folder that has it is whole.

    With a `tokenizer`, of `tokenizers` or `transformers` or the path of a tokenizer.json, the folder is all that
    `AutoTokenizer`, `AutoModelForCausalLM` and a pipeline of `transformers` need. Raises `InputError` for a tokenizer with ids
    that the model has not.
    """
    folder, shape = Path(folder), model.config
    (folder / CONFIG).unlink(missing_ok=True)
    special = {} if tokenizer is None else write_tokenizer(tokenizer, folder, shape.vocabulary, shape.context)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in named_weights(model).items()}
    write_bytes(folder / WEIGHTS, save(tensors, {"format": "pt"}))
    if tokenizer is not None:
        write_json(folder / GENERATION, {f"{role}_token_id": special.get(role) for role in ("bos", "eos", "pad")})
    write_json(folder / CONFIG, to_entries(shape, str(model.embedding.dtype).removeprefix("torch."), special))


def load_model(folder: str | Path) -> Transformer:
    """The model in `folder`, written by `save_model`, or by `save_pretrained` of a dense Llama: tied or not, with grouped keys,
    biases, heads of any even width, stretched contexts, in parts. It is float32, or float64 if the file is.

    Raises `InputError` for what is missing or damaged, and names what of another architecture cannot be held.
    """
    folder = Path(folder)
    entries = _entries(folder / CONFIG)
    with _opened(folder) as stored:
        config = _shape(folder / CONFIG, entries, stored)
        _check_shapes(folder, config, stored)
        model = Transformer(config, seed=None)
        if any(tensor.precision == torch.float64 for tensor in stored.values()):
            model.double()
        with torch.no_grad():
            for name, weight in named_weights(model).items():
                weight.copy_(stored[name].read())
    return model


@dataclass(frozen=True)
class _Stored:
    """A tensor in an open file."""

    file: Any
    path: Path
    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.file.get_slice(self.name).get_shape())

    @property
    def precision(self) -> torch.dtype:
        found = self.file.get_slice(self.name).get_dtype()
        if found not in FLOATS:
            raise InputError(f"{self.path} holds {self.name} as {found}; save the model in one of {', '.join(FLOATS)}")
        return FLOATS[found]

    def read(self) -> Tensor:
        return cast(Tensor, self.file.get_tensor(self.name))


def _entries(path: Path) -> dict[str, Any]:
    check_source(path, "give the folder of a saved model")
    try:
        entries = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not a saved model's ({error}); {REMEDY}") from error
    if not isinstance(entries, dict):
        raise InputError(f"{path} is not a saved model's; {REMEDY}")
    return entries


@contextmanager
def _opened(folder: Path) -> Iterator[dict[str, _Stored]]:
    """The tensors in `folder` by name: of one file, or of those that the index lists."""
    with ExitStack() as stack:
        stored: dict[str, _Stored] = {}
        for path in _weight_files(folder):
            try:
                file = stack.enter_context(safe_open(path, framework="pt"))
            except SafetensorError as error:
                raise InputError(f"{path} is damaged or not a safetensors file ({error}); {REMEDY}") from error
            stored |= {name: _Stored(file, path, name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        yield stored


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).exists() or not (folder / INDEX).exists():
        other = next(iter(sorted(folder.glob("*.bin"))), None)
        remedy = REMEDY if other is None else f"there is {other.name}: save the model with safe_serialization=True"
        check_source(folder / WEIGHTS, remedy)
        return [folder / WEIGHTS]
    try:
        names = set(json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values())
        paths = [folder / Path(name).name for name in sorted(names)]  # beside the index, whatever it says
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder / INDEX} is damaged ({error}); {REMEDY}") from error
    for path in paths:
        check_source(path, f"{INDEX} beside it lists it; {REMEDY}")
    return paths


def _shape(path: Path, entries: dict[str, Any], stored: dict[str, _Stored]) -> TransformerConfig:
    """The shape that config.json describes, with the names in `stored` made those of a whole, untied or tied model."""
    for name in [name for name in stored if name.endswith("rotary_emb.inv_freq")]:  # as older versions wrote it
        del stored[name]
    refuse_others(path, entries, stored)
    if not any(name.startswith("model.") for name in stored):  # of a model without its head
        for name in [name for name in stored if name != HEAD]:
            stored[f"model.{name}"] = stored.pop(name)
    try:
        config = from_entries(path, entries)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a saved model's ({error}); {REMEDY}") from error
    if not config.tied or HEAD not in stored:
        return config
    head = stored.pop(HEAD)
    if TABLE in stored and not torch.equal(head.read(), stored[TABLE].read()):  # two tables, whatever the config says
        stored[HEAD] = head
        return replace(config, tied=False)
    stored.setdefault(TABLE, head)
    return config


def _check_shapes(folder: Path, config: TransformerConfig, stored: dict[str, _Stored]) -> None:
    """Raise `InputError` with the first tensor that is too many, missing, or of another shape; before any is made."""
    where = f"{folder} does not hold the model that {CONFIG} in it describes"
    if config.layers > len(stored):
        raise InputError(f"{where}: {len(stored)} tensors are too few for {config.layers} layers; {REMEDY}")
    with torch.device("meta"):
        wanted = named_weights(Transformer(config, seed=None))
    for name in sorted(wanted.keys() | stored.keys()):
        if name not in stored:
            raise InputError(f"{where}: {name} is missing; {REMEDY}")
        if name not in wanted:
            raise InputError(f"{where}: it has {name}, which a Llama has not; load it with transformers instead")
        if (shape := stored[name].shape) != tuple(wanted[name].shape):
            raise InputError(f"{where}: {name} is {shape}, not {tuple(wanted[name].shape)}; {REMEDY}")


def named_weights(model: Transformer) -> dict[str, Tensor]:
    """Views of the model's weights under Hugging Face's names, each (out, in)."""
    tensors: dict[str, Tensor] = {TABLE: model.embedding, "model.norm.weight": model.norm}
    if model.head is not None:
        tensors[HEAD] = model.head
    for i, module in enumerate(model.blocks):
        block, layer = cast(Block, module), f"model.layers.{i}."
        tensors[f"{layer}input_layernorm.weight"] = block.attention_norm
        tensors[f"{layer}post_attention_layernorm.weight"] = block.feed_norm
        maps: tuple[tuple[tuple[str, ...], Sequence[int], Tensor, Tensor | None], ...] = (
            (("q_proj", "k_proj", "v_proj"), model.config.parts, block.query_key_value, block.query_key_value_bias),
            (("o_proj",), (model.config.width,), block.out, block.out_bias),
            (("gate_proj", "up_proj"), (model.config.inner,) * 2, block.gate_up, block.gate_up_bias),
            (("down_proj",), (model.config.width,), block.down, block.down_bias),
        )
        for names, sizes, weight, bias in maps:
            part = "self_attn" if names[-1] in ("v_proj", "o_proj") else "mlp"
            tensors |= _named(f"{layer}{part}.{{}}.weight", names, weight.t().split_with_sizes(sizes))
            if bias is not None:
                tensors |= _named(f"{layer}{part}.{{}}.bias", names, bias.split_with_sizes(sizes))
    return tensors


def _named(pattern: str, names: Sequence[str], parts: Sequence[Tensor]) -> dict[str, Tensor]:
    return {pattern.format(name): part for name, part in zip(names, parts, strict=True)}
