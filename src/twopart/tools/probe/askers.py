"""Who is asked: prompts in, a probability for each candidate out.

asker = open_asker("models/mine")              a folder of Hugging Face: a dense Llama here, others by `transformers`
asker = open_asker("model.gguf")               a GGUF file of a Llama
asker = open_asker("http://127.0.0.1:8000/v1") an endpoint (`endpoint.py`)
asker = Asked(decoder, tokenizer, "mine")      any decoder, with a tokenizer of `tokenizers`; a world's own: `symbols.py`
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from twopart._checks import InputError
from twopart._files import check_source, kind
from twopart.tools.probe.answers import Answers, Asker
from twopart.tools.probe.decoder import Decoder, Llama, Other, State
from twopart.tools.probe.endpoint import Endpoint, Scoring
from twopart.tools.probe.trie import EPSILON, Node, build, score

BATCH = 96


class Asked:
    """A decoder and its tokenizer."""

    def __init__(
        self, decoder: Decoder, tokenizer: Tokenizer, name: str, identity: str = "", epsilon: float = EPSILON
    ) -> None:
        self.name, self.identity, self.parameters = name, f"{identity or name} {epsilon:g}", decoder.parameters
        self.decoder, self._tokenizer, self._epsilon = decoder, tokenizer, epsilon
        self._tree = lru_cache(2)(self._grow)
        self._begun: tuple[list[int], State] = [], decoder.read([])

    def renamed(self, name: str) -> Asked:
        """The same under another name and identity, for a decoder whose weights were changed."""
        return Asked(self.decoder, self._tokenizer, name, f"{self.identity} {name}", self._epsilon)

    def ask(self, prompts: Sequence[str], candidates: Sequence[Sequence[str]], truth: NDArray[np.int64]) -> Answers:
        tree = self._tree(tuple(map(tuple, candidates)))
        tokens = [self._prompt(text, tree.depth) for text in prompts]
        start = self._shared(tokens)
        probability, slack = np.zeros((len(prompts), len(candidates))), np.zeros(len(prompts))
        lengths = np.array([len(row) for row in tokens])
        for length in np.unique(lengths):  # no padding
            alike = np.flatnonzero(lengths == length)
            for rows in np.array_split(alike, -(-len(alike) // BATCH)):
                ends = torch.tensor([tokens[row][start.length :] for row in rows])
                logs, state = self.decoder.extend(start, torch.zeros(len(rows), dtype=torch.long), ends)
                probability[rows], slack[rows] = score(self.decoder, state, logs, tree, truth[rows], self._epsilon)
        return Answers(probability, slack)

    def _prompt(self, text: str, depth: int) -> list[int]:
        encoded = self._tokenizer.encode(text)
        after = sum(
            1 for _ in takewhile(bool, reversed(encoded.special_tokens_mask))
        )  # an end-of-text token asks nothing
        ids: list[int] = encoded.ids[: len(encoded.ids) - after]
        if len(ids) + depth - 1 > self.decoder.context:  # an answer's last token is never read
            sizes = f"has {len(ids)} tokens, the longest answer {depth}; the model reads {self.decoder.context}"
            raise InputError(f"the prompt {text[:60]!r} {sizes}")
        return ids

    def _shared(self, tokens: list[list[int]]) -> State:
        """What all prompts begin with, read once; each keeps a token of its own."""
        least = min(map(len, tokens)) - 1
        first, last = min(tokens), max(tokens)
        same = next((i for i in range(least) if first[i] != last[i]), least)
        if self._begun[0] != first[:same]:
            self._begun = first[:same], self.decoder.read(first[:same])
        return self._begun[1]

    def _grow(self, candidates: tuple[tuple[str, ...], ...]) -> Node:
        return build([[self._path(form) for form in forms] for forms in candidates])

    def _path(self, form: str) -> list[int]:
        """The tokens of an answer behind a prompt."""
        head = self._tokenizer.encode("is", add_special_tokens=False).ids
        ids: list[int] = self._tokenizer.encode(f"is {form}", add_special_tokens=False).ids
        if ids[: len(head)] != head or len(ids) == len(head):
            raise InputError(
                f"the model's tokenizer does not part {form!r} from what stands before it; write it otherwise"
            )
        return ids[len(head) :]


def open_asker(model: str, *, served: str | None = None, scoring: Scoring = "echo") -> Asker:
    """The model of that name: a folder, a GGUF file, or the address of an endpoint, where it is `served` under a name.

    `scoring` tells what an endpoint is asked for: log-probabilities of given tokens ("echo"), the most probable next tokens
    ("top"), or answers at random ("draw"). Raises `InputError` for what cannot be read.
    """
    if model.startswith(("http://", "https://")):
        return Endpoint(model, served, scoring=scoring)
    path, what = Path(model), kind(model)
    if what == "a file":
        from twopart.learners.gguf import load_gguf

        llama, tokenizer = load_gguf(path)
        return Asked(Llama(llama), tokenizer, path.stem, identity(path))
    if what != "a folder":
        raise InputError(
            f"{model} {f'is {what}' if what else 'does not exist'}; name a folder, a GGUF file or an address"
        )
    check_source(path / "tokenizer.json", "save the tokenizer beside the model, with save_pretrained")
    try:
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    except Exception as error:  # tokenizers raises nothing narrower
        raise InputError(f"{path / 'tokenizer.json'} is no tokenizer that can be read ({error})") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Asked(_folder(path), tokenizer, path.resolve().name, identity(path))


def _folder(path: Path) -> Decoder:
    from twopart.learners import load_model

    try:
        return Llama(load_model(path))
    except InputError as error:
        if "transformers" not in str(error):
            raise
        reason = error
    try:
        from transformers import AutoModelForCausalLM
    except ImportError:
        raise InputError(f'{reason}: pip install "twopart[transformers]"') from None
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be read, here ({reason}) or by transformers ({error})") from error
    return Other(model)


def identity(path: Path) -> str:
    """Of a model's files: their names, sizes and times."""
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
    told = "\n".join(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)
    return sha256(told.encode()).hexdigest()
