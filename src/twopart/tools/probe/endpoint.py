"""An endpoint of OpenAI's form, /v1/completions: by the log-probabilities of given tokens, or by what else it tells.

`echo` with `logprobs` and one token more: the prompt's own log-probabilities come back. Some servers refuse `echo`; others
accept it and tell those of the generated token alone, by which every answer scores alike and accuracy is exactly chance. So
a known prompt is asked first, and an endpoint that does not tell each of its tokens is refused before anything is asked.

Each form of each candidate is a request of its own: P(form) is what its tokens have behind the prompt. What begins another
candidate's form keeps what does not go on to it, as in `trie.py`; nothing is left unfollowed, so slack is 0.

Where `echo` is refused there is less to be had, with one request for many prompts:
    top     the most probable next tokens: one that is a whole form is its probability, one that begins forms is shared among
            their candidates; what was shared, and what tokens that were not told have, is slack
    draw    `DRAWS` answers at temperature 1, counted; slack is half the sum of the shares' standard errors
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError, check_choice
from twopart.tools.probe.answers import Answers

KNOWN = "The sun rises in the east and sets in the west."
TRIES, WAIT, PATIENCE = 4, 0.5, 120.0  # requests, seconds before the second, seconds of one
AT_ONCE = 64  # texts of one request
TOP, DRAWS, ROOM = 20, 32, 16  # tokens that are told, answers that are drawn, tokens of each
REMEDY = "serve the model with echo and logprobs (vLLM does), take scoring top or draw, or name its folder or GGUF file"
Scoring = Literal["echo", "top", "draw"]


class Endpoint:
    """The model that an endpoint serves; `name` None takes the first that it lists. Raises `InputError` if it cannot score."""

    def __init__(self, url: str, name: str | None = None, *, scoring: Scoring = "echo", wait: float = WAIT) -> None:
        check_choice("scoring", scoring, get_args(Scoring))
        self.url, self.parameters, self._wait, self._scoring = url.rstrip("/"), None, wait, scoring
        self.name = name or self._first()
        self.identity = f"{self.url} {self.name}" + (f" {scoring}" if scoring != "echo" else "")
        self._check()

    def ask(self, prompts: Sequence[str], candidates: Sequence[Sequence[str]], truth: NDArray[np.int64]) -> Answers:
        if self._scoring == "echo":
            return self._by_echo(prompts, candidates)
        probability, slack = np.zeros((len(prompts), len(candidates))), np.zeros(len(prompts))
        score = _by_top if self._scoring == "top" else _by_draws
        for start in range(0, len(prompts), AT_ONCE):
            for row, told in enumerate(self._told(prompts[start : start + AT_ONCE]), start):
                probability[row], slack[row] = score(told, candidates)
        return Answers(probability, slack)

    def _by_echo(self, prompts: Sequence[str], candidates: Sequence[Sequence[str]]) -> Answers:
        forms = [(c, form) for c, several in enumerate(candidates) for form in several]
        longer = [_continued(form, c, forms) for c, form in forms]
        probability = np.zeros((len(prompts), len(candidates)))
        for row, prompt in enumerate(prompts):
            shares = np.exp(self._scores(prompt, [form for _, form in forms]))
            for (c, _), own, after in zip(forms, shares, longer, strict=True):
                probability[row, c] += max(0.0, own - shares[after].sum())
        return Answers(probability, np.zeros(len(prompts)))

    def _scores(self, prompt: str, forms: Sequence[str]) -> NDArray[np.float64]:
        """Log-probability of each form behind the prompt."""
        texts = [f"{prompt} {form}" for form in forms]
        found = [one for start in range(0, len(texts), AT_ONCE) for one in self._echoed(texts[start : start + AT_ONCE])]
        return np.array([_behind(one, prompt, text) for one, text in zip(found, texts, strict=True)])

    def _echoed(self, texts: list[str]) -> list[dict[str, Any]]:
        body = {"model": self.name, "prompt": texts, "max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": True}
        return [choice.get("logprobs") or {} for choice in self._choices(body, len(texts))]

    def _told(self, prompts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """Of each prompt what may come next, with its probability: tokens, or answers."""
        body = {"model": self.name, "prompt": list(prompts)}
        if self._scoring == "top":
            choices = self._choices(body | {"max_tokens": 1, "temperature": 0, "logprobs": TOP}, len(prompts))
            return [_next_tokens(choice.get("logprobs") or {}) for choice in choices]
        choices = self._choices(body | {"max_tokens": ROOM, "temperature": 1, "n": DRAWS}, len(prompts) * DRAWS)
        texts = [str(choice.get("text", "")) for choice in choices]
        return [[(text, 1 / DRAWS) for text in texts[at : at + DRAWS]] for at in range(0, len(texts), DRAWS)]

    def _choices(self, body: dict[str, Any], count: int) -> list[dict[str, Any]]:
        """As many answers, in the prompts' order."""
        choices = self._request("/completions", body).get("choices") or []
        if len(choices) != count:
            raise InputError(f"{self.url} gave {len(choices)} answers where {count} were asked for; {REMEDY}")
        return sorted(choices, key=lambda choice: choice.get("index", 0))

    def _check(self) -> None:
        """A known prompt must come back token by token, with the log-probability of each but the first; or be gone on from."""
        if self._scoring != "echo":
            if len(self._told([KNOWN])[0]) < 2:
                raise InputError(f"{self.url} does not tell the next tokens' log-probabilities; take scoring draw")
            return
        (told,) = self._echoed([KNOWN])
        tokens, logs = told.get("tokens") or [], told.get("token_logprobs") or []
        each = len(tokens) == len(logs) > 2 and all(log is not None for log in logs[1:])
        if not each or KNOWN not in "".join(tokens):
            raise InputError(f"{self.url} does not tell the log-probabilities of the prompt's own tokens; {REMEDY}")

    def _first(self) -> str:
        served = self._request("/models").get("data") or []
        if not served:
            raise InputError(f"{self.url} lists no model; name one with --served")
        return str(served[0]["id"])

    def _request(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the endpoint answers; asked again, later and later, while it is busy or out of order."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        for again in range(TRIES):
            if again:
                time.sleep(self._wait * 2 ** (again - 1))
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    found = json.loads(answer.read())
                    return found if isinstance(found, dict) else {}
            except urllib.error.HTTPError as error:
                reason = f"HTTP {error.code}: {error.read(200).decode(errors='replace')}"
                if error.code < 500 and error.code != 429:
                    break
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = str(error) or type(error).__name__
        raise InputError(f"{self.url}{path} does not answer ({reason}); see whether it runs, and start the probe again")


def _behind(told: dict[str, Any], prompt: str, text: str) -> float:
    """Sum of the log-probabilities of the tokens of `text` that stand behind the prompt, the first with its blank.

    Places are counted in the tokens' own text, before which a server may show a begin-of-text token.
    """
    tokens, logs = told.get("tokens") or [], told.get("token_logprobs") or []
    first, places = "".join(tokens).find(text), np.cumsum([0, *map(len, tokens)])
    start, stop = first + len(prompt), first + len(text)
    own = [log for at, log in zip(places[:-1], logs, strict=True) if start <= at < stop]
    if first < 0 or start not in places or stop not in places or None in own:
        raise InputError(
            f"the endpoint's tokens do not end with {prompt[-40:]!r} in {text[-60:]!r}; end it with a whole word"
        )
    return float(sum(own))


def _next_tokens(told: dict[str, Any]) -> list[tuple[str, float]]:
    """Tokens and their probabilities, of OpenAI's older form (a dictionary) or its newer one (a list)."""
    if content := told.get("content"):
        first = {str(one["token"]): one["logprob"] for one in content[0].get("top_logprobs") or []}
    else:
        first = (told.get("top_logprobs") or [{}])[0] or {}
    return [(token.replace("▁", " ").replace("Ġ", " "), float(np.exp(log))) for token, log in first.items()]


def _by_top(
    told: Sequence[tuple[str, float]], candidates: Sequence[Sequence[str]]
) -> tuple[NDArray[np.float64], float]:
    found, slack = np.zeros(len(candidates)), max(0.0, 1 - sum(p for _, p in told))
    for token, p in told:
        below = [c for c, forms in enumerate(candidates) if any(f" {form}".startswith(token) for form in forms)]
        whole = len(below) == 1 and token[1:] in candidates[below[0]]
        found[below] += p / max(len(below), 1)
        slack += p if below and not whole else 0.0
    return found, min(slack, 1.0)


def _by_draws(
    told: Sequence[tuple[str, float]], candidates: Sequence[Sequence[str]]
) -> tuple[NDArray[np.float64], float]:
    """An answer is the longest form that it begins with."""
    found = np.zeros(len(candidates))
    for text, p in told:
        said = text.strip()
        begun = [
            (len(form), c)
            for c, forms in enumerate(candidates)
            for form in forms
            if said.startswith(form) and not said[len(form) : len(form) + 1].isalnum()
        ]
        if begun:
            found[max(begun)[1]] += p
    return found, float(np.sqrt(found * (1 - found) / len(told)).sum() / 2)


def _continued(form: str, candidate: int, forms: Sequence[tuple[int, str]]) -> list[int]:
    """Places of other candidates' forms that go on from this one, without those that go on from another of them."""
    on = [i for i, (c, other) in enumerate(forms) if c != candidate and other != form and other.startswith(form)]
    return [i for i in on if not any(j != i and forms[i][1].startswith(forms[j][1]) for j in on)]
