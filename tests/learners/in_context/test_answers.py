"""Answers are the model's own, however they are batched, and a module is left as it was."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners.in_context import answers
from twopart.worlds.in_context import Prompts


def prompts(count: int = 7, examples: int = 3, dimension: int = 2) -> Prompts:
    rng = np.random.default_rng(0)
    x, task = rng.normal(size=(count, examples, dimension)), rng.normal(size=(count, dimension))
    query = rng.normal(size=(count, dimension))
    return Prompts(x, np.einsum("tnd,td->tn", x, task), query, np.einsum("td,td->t", query, task), task)


def one_step(x, y, query):
    return (query * (y[..., None] * x).sum(1)).sum(-1)


class OneStep(torch.nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.rate = torch.nn.Parameter(torch.ones((), dtype=dtype))
        self.seen: list[tuple[torch.dtype, bool, int]] = []

    def forward(self, x: torch.Tensor, y: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        self.seen.append((x.dtype, self.training, len(x)))
        return self.rate * one_step(x, y, query)


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_a_function_and_a_module_answer_alike(batch: int) -> None:
    asked = prompts()
    expected = one_step(asked.x, asked.y, asked.query)
    np.testing.assert_array_equal(answers(one_step, asked, batch=batch), expected)
    np.testing.assert_allclose(answers(one_step, asked, batch=batch, tensors=True), expected, rtol=1e-5)
    for dtype, error in ((torch.float32, 1e-5), (torch.float64, 1e-14)):
        model = OneStep(dtype).train()
        np.testing.assert_allclose(answers(model, asked, batch=batch), expected, rtol=error, atol=error)
        assert {(kind, mode) for kind, mode, _ in model.seen} == {(dtype, False)}
        assert max(count for *_, count in model.seen) <= batch
        assert model.training
        assert model.rate.grad is None


def test_fewer_examples() -> None:
    asked = prompts()
    np.testing.assert_array_equal(asked.first(2).x, asked.x[:, :2])
    np.testing.assert_array_equal(asked.first(2).label, asked.label)
    with pytest.raises(InputError, match=r"^`examples` must be a whole number in \[1, 3\], got 4; "):
        asked.first(4)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            lambda x, _, __: x,
            r"^`model` must be one that answers with shape \(7,\), got \(7, 3, 2\); squeeze its output$",
        ),
        (lambda x, _, __: x[:, 0, 0] * np.nan, r"^`model` must be finite, got 'answers that are nan or infinite'; "),
    ],
)
def test_answers_of_another_kind_are_refused(model, said: str) -> None:
    with pytest.raises(InputError, match=said):
        answers(model, prompts())


@pytest.mark.parametrize("name", ["y", "query", "label", "task"])
def test_prompts_agree_in_shape(name: str) -> None:
    good = prompts()
    parts = {field: getattr(good, field) for field in ("x", "y", "query", "label", "task")}
    bad = parts[name].copy()
    bad.flat[0] = np.nan
    for given, said in (
        (parts[name][1:], r"of shape \(.*\), got \(6,.*; one for each that `x` has$"),
        (bad, r"finite, got '1 of \d+ that are nan or infinite'; "),
    ):
        with pytest.raises(InputError, match=rf"^`{name}` must be {said}"):
            Prompts(**(parts | {name: given}))
