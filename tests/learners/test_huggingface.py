"""Saved models: the same logits in Hugging Face's hands, the same bytes in ours, and damaged folders refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners import Transformer, TransformerConfig, in_context, load_model, save_model
from twopart.worlds.in_context import InContextRegression

CONFIG = TransformerConfig(30, 24, layers=2, width=24, heads=3, hidden=20)


@pytest.mark.parametrize("config", [CONFIG, TransformerConfig(11, 5, layers=1, width=8, heads=1)])
def test_hugging_face_loads_it_with_equal_logits(config: TransformerConfig, tmp_path: Path) -> None:
    from transformers import LlamaForCausalLM

    model = Transformer(config, seed=2)
    with torch.no_grad():
        for weight in model.parameters():  # gains other than 1, so that none can hide
            weight += 0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    save_model(model, tmp_path)
    theirs, report = LlamaForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    ids = torch.randint(0, config.vocabulary, (7, config.context), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model(ids), theirs(ids).logits, rtol=1e-5, atol=1e-5)


def test_a_saved_model_comes_back_the_same(tmp_path: Path) -> None:
    model = Transformer(CONFIG, seed=3)
    save_model(model, tmp_path / "new" / "folder")
    loaded = load_model(tmp_path / "new" / "folder")
    assert loaded.config == CONFIG
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), loaded.parameters(), strict=True))


def test_saving_over_a_model_replaces_it(tmp_path: Path) -> None:
    save_model(Transformer(CONFIG, seed=1), tmp_path)
    save_model(Transformer(CONFIG, seed=2), tmp_path)
    assert torch.equal(load_model(tmp_path).embedding, Transformer(CONFIG, seed=2).embedding)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(missing: str, tmp_path: Path) -> None:
    save_model(Transformer(CONFIG), tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(InputError, match=missing):
        load_model(tmp_path)


@pytest.mark.parametrize("keep", [0, 7, 300, -1])
def test_truncated_weights_are_refused(keep: int, tmp_path: Path) -> None:
    save_model(Transformer(CONFIG), tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"model\.safetensors is damaged .* save the model again"):
        load_model(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"vocab_size": 3}', "\x00"])
def test_damaged_configs_are_refused(text: str, tmp_path: Path) -> None:
    save_model(Transformer(CONFIG), tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"), [("intermediate_size", 21), ("vocab_size", 31), ("rope_theta", 5e5), ("num_key_value_heads", 1)]
)
def test_a_config_of_another_model_is_refused(key: str, value: float, tmp_path: Path) -> None:
    save_model(Transformer(CONFIG), tmp_path)
    entries = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**entries, key: value}))
    with pytest.raises(InputError):
        load_model(tmp_path)


def test_a_model_with_keys_and_values_is_read_once_in_context() -> None:
    """GPT-2's body as an in-context regressor: at three lengths in one go, each example read once, as the prompts cut short."""
    from transformers import GPT2Config, GPT2Model

    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64, "vocab_size": 2}
    torch.manual_seed(0)
    body = GPT2Model(GPT2Config(**sizes, bos_token_id=None, eos_token_id=None))
    model, lengths, seen = in_context.SequenceRegressor(body, 3, 16), (1, 5, 12), []
    prompts, read = InContextRegression.power(3).sample(10, 12), model.read
    plain = [in_context.answers(model, prompts.first(n)) for n in lengths]
    model.read = lambda x, y, state: seen.append(x.shape[1]) or read(x, y, state)
    found = in_context.answers(model, prompts, lengths=lengths, batch=10)
    np.testing.assert_allclose(found, np.stack(plain, 1), atol=1e-5)
    assert found.std(0).min() > 1e-3
    assert seen == [1, 4, 7]
