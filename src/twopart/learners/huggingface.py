"""Saved models: a folder that Hugging Face's `transformers` reads as a `LlamaForCausalLM` with equal logits.

    config.json          the shape, in Hugging Face's words
    model.safetensors    the weights, under Hugging Face's names: (out, in), query, key and value apart, gate and up apart

Nothing of `transformers` is needed to write or read it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save
from torch import Tensor

from twopart._checks import InputError
from twopart._files import write_bytes, write_json
from twopart.learners._operators import NORM_EPSILON
from twopart.learners.checkpoints import read_tensors
from twopart.learners.transformer import ROTARY_BASE, Block, Transformer, TransformerConfig

WEIGHTS, CONFIG = "model.safetensors", "config.json"
REMEDY = "save the model again"


def save_model(model: Transformer, folder: str | Path) -> None:
    """Write `model` to `folder`, which is made if need be; config.json comes last, so a folder that has it is whole."""
    folder = Path(folder)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _to_hugging_face(model).items()}
    write_bytes(folder / WEIGHTS, save(tensors, {"format": "pt"}))
    write_json(folder / CONFIG, _config(model.config))


def load_model(folder: str | Path) -> Transformer:
    """The model that `save_model` wrote to `folder`."""
    folder = Path(folder)
    config = _read_config(folder / CONFIG)
    path = folder / WEIGHTS
    if not path.is_file():
        raise InputError(f"{path} does not exist; {REMEDY}")
    tensors, _ = read_tensors(path, REMEDY)
    model = Transformer(config)
    wanted = {name: tensor.shape for name, tensor in _to_hugging_face(model).items()}
    if wanted != {name: tensor.shape for name, tensor in tensors.items()}:
        raise InputError(f"{path} does not hold the model that {CONFIG} beside it describes; {REMEDY}")
    with torch.no_grad():
        for name, weight in _to_hugging_face(model).items():
            weight.copy_(tensors[name])
    return model


def _to_hugging_face(model: Transformer) -> dict[str, Tensor]:
    """Views of the model's weights under Hugging Face's names."""
    tensors: dict[str, Tensor] = {"model.embed_tokens.weight": model.embedding, "model.norm.weight": model.norm}
    for i, module in enumerate(model.blocks):
        block = cast(Block, module)
        query, key, value = block.query_key_value.t().chunk(3)
        gate, up = block.gate_up.t().chunk(2)
        parts = {
            "input_layernorm": block.attention_norm,
            "self_attn.q_proj": query,
            "self_attn.k_proj": key,
            "self_attn.v_proj": value,
            "self_attn.o_proj": block.out.t(),
            "post_attention_layernorm": block.feed_norm,
            "mlp.gate_proj": gate,
            "mlp.up_proj": up,
            "mlp.down_proj": block.down.t(),
        }
        tensors |= {f"model.layers.{i}.{name}.weight": part for name, part in parts.items()}
    return tensors


def _config(config: TransformerConfig) -> dict[str, Any]:
    """The rotary base stands twice: under `rope_theta` for transformers 4, in `rope_parameters` for 5."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "num_hidden_layers": config.layers,
        "hidden_size": config.width,
        "intermediate_size": config.inner,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "head_dim": config.head_width,
        "hidden_act": "silu",
        "rms_norm_eps": NORM_EPSILON,
        "rope_theta": ROTARY_BASE,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROTARY_BASE},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
        "torch_dtype": "float32",
    }


def _read_config(path: Path) -> TransformerConfig:
    """The shape in config.json; every other entry must be what `save_model` writes, or the logits would be others."""
    try:
        entries = json.loads(path.read_text())
        shape = TransformerConfig(
            vocabulary=entries["vocab_size"],
            context=entries["max_position_embeddings"],
            layers=entries["num_hidden_layers"],
            width=entries["hidden_size"],
            heads=entries["num_attention_heads"],
            hidden=entries["intermediate_size"],
        )
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the folder of a saved model") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a saved model's ({error}); {REMEDY}") from error
    if entries != _config(shape):
        raise InputError(f"{path} describes a model of another make; only folders written by `save_model` are read")
    return shape
