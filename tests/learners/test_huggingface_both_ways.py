"""Hugging Face both ways, against `transformers` itself: every dense Llama in, a whole folder with its tokenizer out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from twopart._checks import InputError
from twopart.learners import (
    ArrayStream,
    Rotary,
    TrainingConfig,
    Transformer,
    TransformerConfig,
    load_model,
    save_model,
    train,
)
from twopart.worlds import SyntaxKnowledge, render, train_tokenizer

SMALL: dict[str, Any] = {
    "vocab_size": 29,
    "hidden_size": 24,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "max_position_embeddings": 40,
}
STRETCHED = {
    "linear": {"factor": 4.0},
    "dynamic": {"factor": 2.0},
    "llama3": {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    },
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 10},
    "longrope": {
        "short_factor": [1.0, 1.5, 2.0, 3.0],
        "long_factor": [2.0, 4.0, 5.0, 9.0],
        "factor": 4.0,
        "original_max_position_embeddings": 20,
    },
}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tied": {"tie_word_embeddings": True},
    "grouped": {"num_key_value_heads": 2},
    "multi-query": {"num_key_value_heads": 1, "tie_word_embeddings": True},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "wide heads": {"head_dim": 10, "num_key_value_heads": 3},
    "epsilon": {"rms_norm_eps": 1e-2},
    "base": {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    **{f"act {name}": {"hidden_act": name} for name in ("gelu", "relu", "gelu_new", "gelu_pytorch_tanh")},
    **{
        kind: {"head_dim": 8, "rope_parameters": {"rope_type": kind, "rope_theta": 100.0, **settings}}
        for kind, settings in STRETCHED.items()
    },
    "yarn, other": {
        "head_dim": 16,
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 1e4,
            "factor": 3.0,
            "original_max_position_embeddings": 30,
            "beta_fast": 8,
            "beta_slow": 2,
            "mscale": 0.7,
            "mscale_all_dim": 1.3,
            "truncate": False,
        },
    },
}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from transformers.utils import logging

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    yield
    logging.set_verbosity_warning()


def theirs_of(model: str = "Llama", head: str = "ForCausalLM", **entries: Any) -> Any:
    """A model of `transformers` with weights and biases that leave nothing at 0 or 1."""
    import transformers

    torch.manual_seed(0)
    made = getattr(transformers, f"{model}{head}")(getattr(transformers, f"{model}Config")(**{**SMALL, **entries}))
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return made.eval()


def tokens(*shape: int) -> torch.Tensor:
    return torch.randint(0, SMALL["vocab_size"], shape, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def assert_equal_logits(ours: Transformer, theirs: Any, length: int, tolerance: float = 2e-5) -> None:
    ids = tokens(3, length)
    expected = theirs(ids).logits
    scale = float(expected.abs().max())
    torch.testing.assert_close(ours(ids), expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_a_llama_comes_in_and_goes_out_with_equal_logits(kind: str, tmp_path: Path) -> None:
    """At lengths below, at and beyond the context, where stretched ones change how they tell positions."""
    from transformers import AutoModelForCausalLM

    theirs = theirs_of(**KINDS[kind])
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_model(tmp_path / "theirs")
    assert ours.config.parameters == sum(weight.numel() for weight in ours.parameters())
    assert ours.config.parameters == sum(weight.numel() for weight in theirs.parameters())
    save_model(ours, tmp_path / "ours")
    again, report = AutoModelForCausalLM.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report.values()), report
    assert load_model(tmp_path / "ours").config == ours.config
    for length in (5, 30, 40, 55):
        for other in (theirs, again):
            assert_equal_logits(ours, other, length)
    assert all(torch.equal(a, b) for a, b in zip(theirs.parameters(), again.parameters(), strict=True))


def test_what_is_compared_would_show_a_constant_off_by_a_twentieth(tmp_path: Path) -> None:
    """The comparison above can fail: each number of a shape, moved a little, moves the logits beyond its tolerance."""
    for kind, entries in {
        "epsilon": {"rms_norm_eps": 1.05e-2},
        "base": {"rope_parameters": {"rope_type": "default", "rope_theta": 525.0}},
        "linear": {"head_dim": 8, "rope_parameters": {"rope_type": "linear", "rope_theta": 100.0, "factor": 4.2}},
    }.items():
        theirs_of(**KINDS[kind]).save_pretrained(tmp_path / kind)
        with pytest.raises(AssertionError, match="not close"):
            assert_equal_logits(load_model(tmp_path / kind), theirs_of(**entries), 40)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("tied", [False, True])
def test_every_precision_and_many_parts(dtype: str, tied: bool, tmp_path: Path) -> None:
    """Half precision is read into float32, exactly; float64 stays."""
    from transformers import LlamaForCausalLM

    theirs = theirs_of(num_key_value_heads=3, tie_word_embeddings=tied).to(getattr(torch, dtype))
    theirs.save_pretrained(tmp_path, max_shard_size="6KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    ours = load_model(tmp_path)
    wide = torch.float64 if dtype == "float64" else torch.float32
    assert ours.embedding.dtype == wide
    assert_equal_logits(ours, LlamaForCausalLM.from_pretrained(tmp_path, dtype=wide), 12)
    save_model(ours, tmp_path / "again")
    assert json.loads((tmp_path / "again/config.json").read_text())["torch_dtype"] == str(wide).removeprefix("torch.")
    assert torch.equal(load_model(tmp_path / "again").embedding, ours.embedding)


def test_entries_as_older_versions_wrote_them(tmp_path: Path) -> None:
    """`rope_theta` and `rope_scaling` with `type`, no heads of keys, buffers among the tensors, a second copy of the table."""
    from safetensors.torch import load_file, save_file
    from transformers import LlamaForCausalLM

    theirs = theirs_of(tie_word_embeddings=True)
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    buffers = {f"model.layers.{k}.self_attn.rotary_emb.inv_freq": torch.ones(2) for k in range(2)}
    tensors = load_file(path)
    save_file({**tensors, **buffers, "lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, path)
    entries = json.loads((tmp_path / "config.json").read_text())
    for name in ("rope_parameters", "num_key_value_heads", "head_dim", "attention_bias", "mlp_bias", "hidden_act"):
        del entries[name]
    old = {"rope_theta": 300.0, "rope_scaling": {"type": "linear", "factor": 2.0}}
    (tmp_path / "config.json").write_text(json.dumps({**entries, **old}))
    ours = load_model(tmp_path)
    assert ours.config.rotary == Rotary(300.0, "linear", (("factor", 2.0),))
    assert_equal_logits(ours, LlamaForCausalLM.from_pretrained(tmp_path), 30)


def test_two_tables_stay_two_whatever_the_config_says(tmp_path: Path) -> None:
    from transformers import LlamaForCausalLM

    theirs_of().save_pretrained(tmp_path)
    entries = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**entries, "tie_word_embeddings": True}))
    ours = load_model(tmp_path)
    assert not ours.config.tied
    assert_equal_logits(ours, LlamaForCausalLM.from_pretrained(tmp_path), 9)


def test_a_model_without_its_head(tmp_path: Path) -> None:
    theirs = theirs_of(tie_word_embeddings=True)
    theirs.model.save_pretrained(tmp_path)
    assert_equal_logits(load_model(tmp_path), theirs, 9)
    theirs_of().model.save_pretrained(tmp_path / "untied")
    with pytest.raises(InputError, match=r"lm_head\.weight is missing"):
        load_model(tmp_path / "untied")


def test_a_mistral_without_a_window_is_a_llama(tmp_path: Path) -> None:
    theirs = theirs_of("Mistral", num_key_value_heads=2, sliding_window=None)
    theirs.save_pretrained(tmp_path)
    assert_equal_logits(load_model(tmp_path), theirs, 30)


@pytest.mark.parametrize(
    ("model", "entries", "parts"),
    [
        ("Mistral", {"num_key_value_heads": 2, "sliding_window": 16}, ["a sliding window (sliding_window)"]),
        ("Qwen2", {"num_key_value_heads": 2}, ["biases of query, key and value alone (self_attn.q_proj.bias)"]),
        ("Qwen3", {"num_key_value_heads": 2}, ["norms of queries and keys (model.layers.0.self_attn.q_norm.weight)"]),
        ("GPT2", {"n_embd": 24, "n_layer": 1, "n_head": 2, "n_positions": 40}, ["learned positions", "LayerNorm"]),
        ("Mixtral", {"num_key_value_heads": 2, "num_local_experts": 2}, ["a mixture of experts (num_local_experts)"]),
        ("Gemma2", {"num_key_value_heads": 2, "head_dim": 4}, ["soft cap", "gemma2"]),
        ("Gemma", {"num_key_value_heads": 2, "head_dim": 4}, ["gemma"]),
        ("Phi3", {"num_key_value_heads": 2, "pad_token_id": 0}, ["query, key and value in one matrix"]),
        ("GPTNeoX", {}, ["side by side", "LayerNorm"]),
        ("Cohere", {"num_key_value_heads": 2}, ["LayerNorm", "logits of another scale"]),
        ("Granite", {"num_key_value_heads": 2, "attention_multiplier": 0.5}, ["attention of another scale", "granite"]),
        ("Olmo2", {"num_key_value_heads": 2}, ["norms of queries and keys", "norms behind each part"]),
    ],
)
def test_what_of_another_architecture_cannot_be_held_is_said(
    model: str, entries: dict[str, Any], parts: list[str], tmp_path: Path
) -> None:
    head = "LMHeadModel" if model == "GPT2" else "ForCausalLM"
    theirs_of(model, head, **entries).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="a Llama cannot hold") as refused:
        load_model(tmp_path)
    assert all(part in str(refused.value) for part in parts), refused.value
    assert str(refused.value).endswith("load it with transformers instead")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised weights"),
        ({"hidden_act": "tanh"}, r"the activation 'tanh' \(hidden_act\)"),
        ({"rope_scaling": {"type": "su", "factor": 2.0}}, "rotary positions of the kind 'su'"),
        ({"rope_parameters": {"rope_type": "linear"}}, "with factor"),
        ({"rope_theta": 5e5}, r"rope_theta is 500000.0 and, in rope_parameters, 10000.0; make them equal"),
        ({"num_key_value_heads": 4}, "`key_heads` must be a divisor of heads=6"),
        ({"num_key_value_heads": 2}, r"k_proj.weight is \(24, 24\), not \(8, 24\)"),
        ({"attention_bias": True}, r"self_attn.k_proj.bias is missing"),
        ({"num_hidden_layers": 1}, r"it has model.layers.1.\S+, which a Llama has not"),
        ({"head_dim": 5}, "`head` must be even"),
        ({"hidden_size": 6 << 40}, r"lm_head.weight is \(29, 24\), not \(29, 6597069766656\)"),
        ({"num_hidden_layers": 1 << 40}, "tensors are too few for 1099511627776 layers"),
        ({"vocab_size": "many"}, "`vocabulary` must be"),
        ({"model_type": "bert"}, "'bert'"),
    ],
)
def test_a_config_that_is_not_the_models_is_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    theirs_of().save_pretrained(tmp_path)
    entries = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**entries, **changes}))
    with pytest.raises(InputError, match=said):
        load_model(tmp_path)


def test_parts_that_lack_are_named(tmp_path: Path) -> None:
    theirs_of().save_pretrained(tmp_path, max_shard_size="6KB")
    lost = min(tmp_path.glob("model-*.safetensors"))
    data = lost.read_bytes()
    lost.write_bytes(data[:-9])
    with pytest.raises(InputError, match=f"{lost.name} is damaged"):
        load_model(tmp_path)
    lost.unlink()
    with pytest.raises(
        InputError, match=f"{lost.name} does not exist; model.safetensors.index.json beside it lists it"
    ):
        load_model(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": 3}')
    with pytest.raises(InputError, match=r"index\.json is damaged"):
        load_model(tmp_path)
    (tmp_path / "model.safetensors.index.json").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"there is pytorch_model\.bin: save the model with safe_serialization=True"):
        load_model(tmp_path)


def test_a_loaded_llama_is_trained_on(tmp_path: Path) -> None:
    """Grouped keys, biases and a table of its own have gradients, those of `transformers`."""
    theirs = theirs_of(num_key_value_heads=2, attention_bias=True, mlp_bias=True)
    theirs.save_pretrained(tmp_path)
    ours, ids = load_model(tmp_path), tokens(4, 11)
    theirs(ids, labels=ids).loss.backward()
    logits = ours(ids)[:, :-1].flatten(0, 1)
    torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten()).backward()
    save_model(ours, tmp_path / "ours")
    block, layer = ours.blocks[1], theirs.model.layers[1]
    pairs = [
        (ours.head.grad, theirs.lm_head.weight.grad),
        (ours.embedding.grad, theirs.model.embed_tokens.weight.grad),
        (block.query_key_value.grad[:, 24:32].t(), layer.self_attn.k_proj.weight.grad),
        (block.query_key_value_bias.grad[32:], layer.self_attn.v_proj.bias.grad),
        (block.down_bias.grad, layer.mlp.down_proj.bias.grad),
        (block.attention_norm.grad, layer.input_layernorm.weight.grad),
    ]
    for mine, other in pairs:
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=2e-5 * float(other.abs().max() + 1))
    data = tokens(64, 12).numpy()
    stream = ArrayStream(data, (data * 0 + 1).astype("uint8"))
    trained = train(TrainingConfig(batch=16, device="cpu"), ours.config, stream, start=ours)
    assert trained.lengths.total.mean() > 0
    assert not torch.equal(trained.model.head, ours.head)


TEXTS = render(SyntaxKnowledge(0.5, 1.0, seed=0).sample(200), "english").texts


def bytes_tokenizer(*special: str) -> Any:
    tokenizer = train_tokenizer(TEXTS, vocabulary=300)
    tokenizer.add_special_tokens(list(special))
    return tokenizer


@pytest.mark.parametrize("special", [(), ("<s>", "</s>", "<pad>"), ("<|endoftext|>",)])
@pytest.mark.parametrize("form", ["tokenizers", "path", "folder", "transformers"])
def test_a_pipeline_runs_on_a_saved_folder(special: tuple[str, ...], form: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast, pipeline

    tokenizer: Any = bytes_tokenizer(*special)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    ids = {name: tokenizer.token_to_id(name) for name in special}
    given: Any = {"tokenizers": tokenizer, "path": tmp_path / "tokenizer.json", "folder": str(tmp_path)}.get(form)
    eos = next((name for name in special if name in ("</s>", "<|endoftext|>")), None)
    if given is None:
        named = {"bos_token": "<s>", "pad_token": "<pad>"} if "<s>" in special else {}
        given = PreTrainedTokenizerFast(tokenizer_object=bytes_tokenizer(*special), eos_token=eos, **named)
    model = Transformer(TransformerConfig(320, 24, layers=1, width=16, heads=2, hidden=40), seed=1)
    save_model(model, tmp_path / "model", tokenizer=given)
    theirs = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert theirs.eos_token_id == ids.get(eos)
    assert theirs.bos_token_id == ids.get("<s>")
    for text in TEXTS[:5]:
        assert theirs.encode(text, add_special_tokens=False) == tokenizer.encode(text).ids
        assert theirs.decode(theirs.encode(text)) == text
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert (loaded.config.eos_token_id, loaded.config.bos_token_id) == (ids.get(eos), ids.get("<s>"))
    prompt = theirs(TEXTS[0], return_tensors="pt").input_ids[:, :8]
    with torch.no_grad():
        torch.testing.assert_close(model(prompt), loaded(prompt).logits, rtol=1e-5, atol=1e-5)
    write = pipeline("text-generation", model=str(tmp_path / "model"), device="cpu")
    (said,) = write(TEXTS[0][:10], max_new_tokens=3, do_sample=False)
    assert said["generated_text"].startswith(TEXTS[0][:10])
    if "<pad>" in special:
        assert len(write([TEXTS[0][:10], TEXTS[1][:20]], batch_size=2, max_new_tokens=2, do_sample=False)) == 2
    assert load_model(tmp_path / "model").config == model.config


@pytest.mark.parametrize(
    ("tokenizer", "said"),
    [
        (3, "`tokenizer` must be one of `tokenizers` or `transformers`, or the path of a tokenizer.json, got 3"),
        ("missing.json", "missing.json does not exist; name a tokenizer.json"),
        (__file__, "is no tokenizer that can be read"),
        (
            bytes_tokenizer("<s>"),
            "`tokenizer` must be of at most 30 ids, the model's vocabulary, got 301; give its own",
        ),
    ],
)
def test_a_tokenizer_that_is_none_or_not_the_models_is_refused(tokenizer: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        save_model(Transformer(TransformerConfig(30, 24, layers=1, width=16, heads=2)), tmp_path, tokenizer=tokenizer)
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((0.5,), "`base` must be a number in"),
        ((1e4, "xpos"), "`kind` must be one of"),
        ((1e4, "linear"), "with factor"),
        ((float("nan"),), "`base` must be"),
    ],
)
def test_rotary_positions_that_are_none_are_refused(settings: tuple[Any, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Rotary(*settings)
