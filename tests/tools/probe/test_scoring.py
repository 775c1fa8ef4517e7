"""Probabilities of answers against whole forward passes: shared beginnings, trees of tokens, GGUF files, other models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from twopart._checks import InputError
from twopart.learners import Transformer, TransformerConfig, save_model
from twopart.tools.probe import Asked, open_asker
from twopart.tools.probe.decoder import Decoder, Llama, Other
from twopart.tools.probe.trie import build

WORDS = ["[UNK]", "is", "the", "of", "town", "a", "b", "c", "-", "east", "north", "x", "y"]
FORMS = (("a", "the a"), ("a - b",), ("a - b c", "b"), ("c",), ("north of east", "north of c"), ("north of a b",))
PROMPTS = ("the town of x is", "the town of y y is", "the town of x y is", "the a is", "x is")
TRUTH = np.array([1, 2, 0, 4, 5])


def words() -> Tokenizer:
    made = Tokenizer(models.WordLevel({word: k for k, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


@pytest.fixture(scope="module")
def model() -> Transformer:
    shape = TransformerConfig(vocabulary=len(WORDS), context=32, layers=2, width=24, heads=6, key_heads=2)
    made = Transformer(shape, seed=3)
    with torch.no_grad():
        made.embedding.mul_(20)  # answers of very different probability
    return made


def logs(model: Transformer, text: str) -> torch.Tensor:
    """Log-probability of each next token."""
    with torch.no_grad():
        return model(torch.tensor([words().encode(text).ids]))[0].log_softmax(-1)


def exact(model: Transformer, prompt: str) -> np.ndarray:
    """By one whole pass for each form; what begins other forms keeps what does not go on to their next token."""

    def probability(form: str) -> float:
        ids, rows = words().encode(f"{prompt} {form}").ids, logs(model, f"{prompt} {form}")
        behind = range(len(words().encode(prompt).ids), len(ids))
        return float(sum(rows[i - 1, ids[i]] for i in behind).exp())

    out = [sum(map(probability, forms)) for forms in FORMS]
    out[0] -= probability("a -")
    out[1] -= probability("a - b c")
    return np.array(out)


@pytest.fixture(scope="module")
def whole(model: Transformer) -> np.ndarray:
    return np.array([exact(model, prompt) for prompt in PROMPTS])


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_answers_are_as_probable_as_whole_passes_say(
    model: Transformer, whole: np.ndarray, precision: torch.dtype
) -> None:
    other = Transformer(model.config, seed=None).to(precision)
    other.load_state_dict(model.state_dict())
    answers = Asked(Llama(other), words(), "m", epsilon=0.0).ask(PROMPTS, FORMS, TRUTH)
    assert np.allclose(answers.probability, whole, rtol=1e-5, atol=1e-9)
    assert not answers.slack.any()


def test_batch_and_order_change_nothing_and_slack_bounds_what_was_not_followed(
    model: Transformer, whole: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = Asked(Llama(model), words(), "m", epsilon=0.05)
    answers = asker.ask(PROMPTS, FORMS, TRUTH)
    off = np.abs(answers.probability - whole).sum(1) / 2
    assert answers.slack.any()
    assert np.all(off <= answers.slack + 1e-6)
    truth, loose = whole[np.arange(5), TRUTH], answers.probability[np.arange(5), TRUTH]
    assert np.allclose(loose, truth, atol=4e-4), "paths to the truth are followed down to 1e-4"
    back = asker.ask(PROMPTS[::-1], FORMS, TRUTH[::-1])
    assert np.allclose(back.probability[::-1], answers.probability, atol=1e-6)
    turned = asker.ask(PROMPTS, FORMS[::-1], len(FORMS) - 1 - TRUTH)
    assert np.allclose(turned.probability[:, ::-1], answers.probability, atol=1e-6)
    forms = asker.ask(PROMPTS, [form[::-1] for form in FORMS], TRUTH)
    assert np.allclose(forms.probability, answers.probability, atol=1e-6)
    alone = [asker.ask([p], FORMS, TRUTH[[i]]).probability[0] for i, p in enumerate(PROMPTS)]
    assert np.allclose(alone, answers.probability, atol=1e-6)
    monkeypatch.setattr("twopart.tools.probe.askers.BATCH", 2)
    monkeypatch.setattr("twopart.tools.probe.trie.VISITS", 1)
    assert np.allclose(asker.ask(PROMPTS, FORMS, TRUTH).probability, answers.probability, atol=1e-6)


def test_two_candidates_of_one_form_are_refused() -> None:
    with pytest.raises(InputError, match="candidates 1 and 2 are the same tokens to the model"):
        build([[[1, 2]], [[3], [1, 2]]])


def test_a_prompt_longer_than_the_context_is_refused(model: Transformer) -> None:
    with pytest.raises(InputError, match="has 30 tokens, the longest answer 4; the model reads 32"):
        Asked(Llama(model), words(), "m").ask(["x " * 29 + "is"], FORMS, TRUTH[:1])
    Asked(Llama(model), words(), "m", epsilon=0.0).ask(["x " * 28 + "is"], FORMS, TRUTH[:1])


@pytest.fixture(scope="module")
def others() -> Any:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    shape = transformers.GPT2Config(
        vocab_size=len(WORDS), bos_token_id=0, eos_token_id=0, n_positions=32, n_embd=16, n_layer=2, n_head=2
    )
    return transformers.GPT2LMHeadModel(shape).eval()


def test_other_models_are_asked_through_transformers(others: Any, tmp_path: Path) -> None:
    others.save_pretrained(tmp_path)
    words().save(str(tmp_path / "tokenizer.json"))
    found = open_asker(str(tmp_path))
    assert isinstance(found, Asked)
    assert isinstance(found.decoder, Other)
    assert _agrees(found.decoder, lambda ids: others(ids).logits)


def _agrees(decoder: Decoder, forward: Any) -> bool:
    """Beginning, ends and one token more, against a whole pass."""
    start = decoder.read([2, 4])
    _, state = decoder.extend(start, torch.tensor([0, 0]), torch.tensor([[3, 11], [3, 12]]))
    found, _ = decoder.extend(state, torch.tensor([1, 0, 1]), torch.tensor([[1], [1], [5]]))
    ids = torch.tensor([[2, 4, 3, 12, 1], [2, 4, 3, 11, 1], [2, 4, 3, 12, 5]])
    with torch.no_grad():
        return torch.allclose(found, forward(ids)[:, -1].log_softmax(-1), atol=1e-5)


def test_the_laboratory_s_decoder_goes_on_from_any_row(model: Transformer) -> None:
    assert _agrees(Llama(model), model)


def test_a_gguf_file_is_the_model_that_was_written(model: Transformer, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    write_gguf(gguf, tmp_path / "m.gguf", model)
    save_model(model, tmp_path / "folder", words())
    found = open_asker(str(tmp_path / "m.gguf"))
    assert isinstance(found, Asked)
    ids = torch.tensor([[2, 4, 3, 12, 1]])
    assert torch.allclose(found.decoder.model(ids), model(ids), atol=1e-6)
    assert found._tokenizer.encode("ab ab").ids == [2, 3]
    write_gguf(gguf, tmp_path / "other.gguf", model, architecture="gpt2")
    with pytest.raises(InputError, match="architecture 'gpt2'; only a Llama"):
        open_asker(str(tmp_path / "other.gguf"))
    (tmp_path / "no.gguf").write_bytes(b"GGUF nothing")
    with pytest.raises(InputError, match="is no GGUF file that can be read"):
        open_asker(str(tmp_path / "no.gguf"))


def write_gguf(gguf: Any, path: Path, model: Transformer, architecture: str = "llama") -> None:
    """As llama.cpp's converter does it: rows of query and key so that neighbours turn, not halves."""
    from twopart.learners.gguf import _name
    from twopart.learners.huggingface import named_weights

    shape = model.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_heads)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_rope_freq_base(shape.rotary.base)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(["a", "b", "ab", "Ġab", "Ġ", *(f"w{k}" for k in range(len(WORDS) - 5))])
    writer.add_token_merges(["a b", "Ġ ab"])
    for name, weight in named_weights(model).items():
        rows = weight.detach().contiguous()
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            rows = rows.view(-1, 2, shape.head_width // 2, shape.width).transpose(1, 2).reshape(rows.shape)
        writer.add_tensor(_name(name), rows.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
