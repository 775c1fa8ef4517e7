"""config.json of a Llama: our shape in Hugging Face's words and back, and what of another architecture ours cannot hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from twopart._checks import InputError
from twopart.learners.rotary import BASE, NEEDED, ORIGINAL, Rotary
from twopart.learners.transformer import TransformerConfig

HELD = ("llama", "mistral")
"""Architectures that are Llamas, a Mistral where it has no sliding window."""
ACTIVATIONS = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "relu": "relu",
}
"""Ours by Hugging Face's names."""
OBSTACLES = {
    "sliding_window": "attention in a sliding window",
    "num_local_experts": "a mixture of experts",
    "num_experts": "a mixture of experts",
    "n_routed_experts": "a mixture of experts",
    "kv_lora_rank": "attention by latent vectors",
    "n_positions": "learned positions",
    "layer_norm_epsilon": "LayerNorm",
    "layer_norm_eps": "LayerNorm",
    "norm_epsilon": "LayerNorm",
    "use_parallel_residual": "attention and feed-forward side by side",
    "parallel_attn": "attention and feed-forward side by side",
    "attn_logit_softcapping": "attention with a soft cap",
    "final_logit_softcapping": "logits with a soft cap",
    "query_pre_attn_scalar": "attention of another scale",
    "attention_multiplier": "attention of another scale",
    "logits_scaling": "logits of another scale",
    "logit_scale": "logits of another scale",
    "residual_multiplier": "a residual stream of another scale",
    "no_rope_layers": "layers without rotary positions",
}
"""Entries that say, unless they are off, that a model does what a Llama does not."""
TENSORS = {
    ".q_norm.": "norms of queries and keys",
    ".qkv_proj.": "query, key and value in one matrix",
    ".query_key_value.": "query, key and value in one matrix",
    ".c_attn.": "query, key and value in one matrix",
    ".experts.": "a mixture of experts",
    "feedforward_layernorm.": "norms behind each part",
    "layernorm.bias": "LayerNorm",
    "ln_1.bias": "LayerNorm",
}
"""The same for the names of tensors."""


def to_entries(config: TransformerConfig, dtype: str, special: Mapping[str, int | None]) -> dict[str, Any]:
    """What `LlamaConfig` reads. The rotary base stands twice: under `rope_theta` for transformers 4, in `rope_parameters` for
    5; and so do the settings of a stretched context.
    """
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in config.rotary.settings}
    rope = {"rope_type": config.rotary.kind, **settings}
    stretched = {"rope_scaling": rope} if config.rotary.kind != "default" else {}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "num_hidden_layers": config.layers,
        "hidden_size": config.width,
        "intermediate_size": config.inner,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads if config.key_heads is None else config.key_heads,
        "head_dim": config.head_width,
        "hidden_act": next(theirs for theirs, ours in ACTIVATIONS.items() if ours == config.activation),
        "rms_norm_eps": config.epsilon,
        "rope_theta": config.rotary.base,
        **stretched,
        "rope_parameters": {**rope, "rope_theta": config.rotary.base},
        "attention_bias": config.attention_biases,
        "mlp_bias": config.feed_biases,
        "tie_word_embeddings": config.tied,
        "bos_token_id": special.get("bos"),
        "eos_token_id": special.get("eos"),
        "pad_token_id": special.get("pad"),
        "torch_dtype": dtype,
    }


def refuse_others(path: Path, entries: Mapping[str, Any], tensors: Iterable[str]) -> None:
    """Raise `InputError` if `entries`, of the file `path`, or the names of the tensors show what a Llama has not."""
    if obstacles := list(dict.fromkeys(_obstacles(entries, set(tensors)))):
        raise InputError(
            f"{path} describes a model of the architecture {entries.get('model_type')!r}, and a Llama cannot hold "
            f"{', '.join(obstacles)}; load it with transformers instead"
        )


def from_entries(path: Path, entries: Mapping[str, Any]) -> TransformerConfig:
    """The shape that `entries`, of the file `path`, describe; what is not said is as `LlamaConfig` has it."""
    heads, width = entries["num_attention_heads"], entries["hidden_size"]
    keys, head = entries.get("num_key_value_heads"), entries.get("head_dim")
    return TransformerConfig(
        vocabulary=entries["vocab_size"],
        context=entries.get("max_position_embeddings", 2048),
        layers=entries["num_hidden_layers"],
        width=width,
        heads=heads,
        hidden=entries["intermediate_size"],
        head=None if head is None or head * heads == width else head,
        key_heads=None if keys == heads else keys,
        tied=entries.get("tie_word_embeddings", False),
        attention_biases=entries.get("attention_bias", False),
        feed_biases=entries.get("mlp_bias", False),
        activation=ACTIVATIONS[entries.get("hidden_act", "silu")],
        epsilon=entries.get("rms_norm_eps", 1e-6),
        rotary=_rotary(path, entries),
    )


def _obstacles(entries: Mapping[str, Any], tensors: set[str]) -> Iterator[str]:
    """What a Llama has not."""
    name = entries.get("model_type")
    if entries.get("quantization_config") is not None:
        yield "quantised weights (quantization_config)"
    if (activation := entries.get("hidden_act", "silu")) not in ACTIVATIONS:
        yield f"the activation {activation!r} (hidden_act)"
    kind = _rope(entries).get("rope_type", "default")
    if kind not in NEEDED:
        yield f"rotary positions of the kind {kind!r} (rope_type)"
    if name == "llama":  # which does nothing with any entry that is not its own
        return
    for key, what in OBSTACLES.items():
        value = entries.get(key)
        off = not value or (value == 1 and value is not True)  # a scale of 1
        if not off and not (key == "sliding_window" and entries.get("use_sliding_window") is False):
            yield f"{what} ({key})"
    for part, what in TENSORS.items():
        if holder := min((tensor for tensor in tensors if part in tensor), default=None):
            yield f"{what} ({holder})"
    found = {tensor.rpartition("self_attn.")[2] for tensor in tensors if tensor.endswith("_proj.bias")}
    if "q_proj.bias" in found and "o_proj.bias" not in found:
        yield "biases of query, key and value alone (self_attn.q_proj.bias)"
    if name not in HELD:
        yield f"the parts that make it a {name!r} (model_type)"


def _rope(entries: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of rotary positions: by transformers 5 in `rope_parameters`, by 4 in `rope_scaling`, which comes first."""
    found = dict(entries.get("rope_scaling") or entries.get("rope_parameters") or {})
    kind = found.pop("type", None)
    return {"rope_type": found.pop("rope_type", kind) or "default", **found}


def _rotary(path: Path, entries: Mapping[str, Any]) -> Rotary:
    settings = _rope(entries)
    kind, outside = settings.pop("rope_type"), entries.get("rope_theta")
    base = settings.pop("rope_theta", outside)
    if outside is not None and base != outside:
        raise InputError(f"{path} says that rope_theta is {outside} and, in rope_parameters, {base}; make them equal")
    if kind in ("llama3", "yarn", "longrope"):
        context = entries.get("max_position_embeddings", 2048)
        settings[ORIGINAL] = entries.get(ORIGINAL, settings.get(ORIGINAL, context))
    elif kind == "default":
        settings = {}
    held = tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in sorted(settings.items()))
    return Rotary(float(BASE if base is None else base), kind, held)
