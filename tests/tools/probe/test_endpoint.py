"""An endpoint on the loopback: a true echo, one that tells generated tokens only, one that fails now and then."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.tools.probe import open_asker
from twopart.tools.probe.endpoint import DRAWS, Endpoint

ODDS = {"France": 0.6, "Guinea": 0.2, "-Bissau": 0.25, "Spain": 0.05}
ANSWERS = {"France": 0.6, "Guinea": 0.15, "Guinea-Bissau": 0.05, "Spain": 0.05, "Francelia": 0.15}
NEXT = {"France": 0.6, "Guinea": 0.2, "Po": 0.1, "the": 0.04}


class Stub(BaseHTTPRequestHandler):
    """Tokens are words, each with the blank before it, and "-Bissau"."""

    mode, failures, drawn = "echo", 0, 0

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "stub"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if type(self).failures:
            type(self).failures -= 1
            self.send_error(503)
        elif self.mode == "refused":
            self.send_error(400, "echo is not supported")
        else:
            answered = self._drawn if body.get("n") else self._told
            choices = [
                {"index": i, **answer} for i, answer in enumerate(a for t in body["prompt"] for a in answered(t))
            ]
            self._answer({"choices": choices[::-1]})

    def _drawn(self, _: str) -> list[dict[str, Any]]:
        random = np.random.default_rng(type(self).drawn)
        type(self).drawn += 1
        return [{"text": f" {random.choice(list(ANSWERS), p=list(ANSWERS.values()))} it is."} for _ in range(DRAWS)]

    def _told(self, text: str) -> list[dict[str, Any]]:
        return [{"logprobs": self._logs(text)}]

    def _logs(self, text: str) -> dict[str, Any]:
        if self.mode == "generated":
            return {"tokens": [" yes"], "token_logprobs": [-0.1]}
        if self.mode == "list":
            return {
                "content": [{"top_logprobs": [{"token": f"▁{t}", "logprob": math.log(p)} for t, p in NEXT.items()]}]
            }
        if self.mode == "top":
            return {"top_logprobs": [{f" {token}": math.log(p) for token, p in NEXT.items()}]}
        tokens = re.findall(r"^\w+| ?[\w?.]+|-\w+", text)
        logs = [math.log(ODDS.get(token.strip(), 0.5)) for token in tokens]
        return {"tokens": ["<s>", *tokens, "!"], "token_logprobs": [None, *logs, -1.0]}

    def _answer(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Stub.mode, Stub.failures = "echo", 0
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_given_tokens_are_scored(address: str) -> None:
    asker = open_asker(address)
    assert asker.name == "stub"
    candidates = [("France",), ("Guinea",), ("Guinea-Bissau", "Spain")]
    found = asker.ask(["It is in", "Where? In"], candidates, np.array([0, 1]))
    assert np.allclose(found.probability, [[0.6, 0.2 * 0.75, 0.2 * 0.25 + 0.05]] * 2)


@pytest.mark.parametrize(("mode", "said"), [("generated", "does not tell the log-prob"), ("refused", "HTTP 400")])
def test_an_endpoint_that_cannot_score_is_found_out_before_anything_is_asked(
    address: str, mode: str, said: str
) -> None:
    Stub.mode = mode
    with pytest.raises(InputError, match=said):
        open_asker(address)


@pytest.mark.parametrize("mode", ["top", "list"])
def test_the_most_probable_tokens_bound_the_truth(address: str, mode: str) -> None:
    """Poland has 0.07 of the 0.1 that both countries in Po- share, Spain 0.05 of what is not told."""
    Stub.mode = mode
    candidates = [("France",), ("Guinea",), ("Guinea-Bissau",), ("Poland",), ("Portugal",), ("Spain",)]
    found = open_asker(address, scoring="top").ask(["It is in"] * 70, candidates, np.zeros(70, int))
    assert found.probability == pytest.approx(np.tile([0.6, 0.1, 0.1, 0.05, 0.05, 0], (70, 1)))
    assert found.slack == pytest.approx(np.full(70, 0.2 + 0.1 + 0.06))
    truth = np.array([0.6, 0.15, 0.05, 0.07, 0.03, 0.05])
    assert np.abs(found.probability[0] - truth).sum() / 2 < found.slack[0]


def test_answers_that_are_drawn_are_counted(address: str) -> None:
    candidates = [("France",), ("Guinea",), ("Guinea-Bissau", "Spain")]
    found = open_asker(address, scoring="draw").ask(["It is in"] * 70, candidates, np.zeros(70, int))
    truth = np.array([0.6, 0.15, 0.1])
    assert np.abs(found.probability.mean(0) - truth) == pytest.approx(np.zeros(3), abs=5 * 0.5 / np.sqrt(70 * DRAWS))
    own = found.probability[0]
    assert found.slack[0] == pytest.approx(np.sqrt(own * (1 - own) / DRAWS).sum() / 2)


def test_an_endpoint_that_tells_no_next_token_is_refused(address: str) -> None:
    Stub.mode = "generated"
    with pytest.raises(InputError, match="take scoring draw"):
        open_asker(address, scoring="top")
    with pytest.raises(InputError, match="`scoring` must be"):
        open_asker(address, scoring="all")  # type: ignore[arg-type]


def test_failures_are_tried_again_and_in_the_end_told(address: str) -> None:
    Stub.failures = 2
    asker = Endpoint(address, "stub", wait=0.001)
    Stub.failures = 9
    with pytest.raises(InputError, match="does not answer \\(HTTP 503"):
        asker.ask(["It is in"], [("France",), ("Spain",)], np.array([0]))
