"""Readers: risks on fresh tasks are the law's, fitted steps are those that were made, and what was read is not read again."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.laws.in_context import bayes, optimum, risk
from twopart.learners.in_context import (
    LinearAttention,
    OneStepAttention,
    SequenceRegressor,
    answers,
    fit_gamma,
    readout,
)
from twopart.worlds.in_context import InContextRegression

WORLD = InContextRegression((1.0, 0.5, 0.2), noise=0.2, seed=4)
PAGE = Path(__file__).parents[3] / "docs/laws/icl-tasks.md"


def one_step(gamma):
    """x'Γz as a function of arrays."""
    return lambda x, y, query: np.einsum("bi,ij,bnj,bn->b", query, gamma, x, y) / x.shape[1]


def ridge(x, y, query):
    gram = np.einsum("bni,bnj->bij", x, x) + 0.2 * np.eye(3)
    return np.einsum("bi,bi->b", query, np.linalg.solve(gram, np.einsum("bn,bni->bi", y, x)[..., None])[..., 0])


def test_risks_on_fresh_tasks_are_the_laws(size):
    """The formula of `risk` for any Γ, not a diagonal one, and that of ridge."""
    Γ, M, tasks = np.random.default_rng(0).normal(size=(3, 3)), (1, 4, 20), size(5_000, 1_000_000)
    found = readout(one_step(Γ), WORLD, (20, 1, 4), tasks=tasks)
    assert found.contexts.tolist() == list(M)
    for k, n in enumerate(M):
        assert abs(found.risk[k] - risk(WORLD, Γ, n)) < 5 * found.error[k]
        assert found.attention[k] == optimum(WORLD, n).risk
    assert found.null == pytest.approx(0.2 + 1.7)
    best = readout(ridge, WORLD, M, tasks=tasks, stream=1000)
    assert np.all(np.abs(best.risk - best.ridge) < 5 * np.hypot(best.error, 3e-3 * best.ridge))
    assert best.ridge[1] == pytest.approx(bayes(WORLD, 4).risk, rel=0.02)
    assert np.all(best.ridge < best.attention)
    assert str(best).count("\n") == 3
    assert np.isnan(readout(ridge, InContextRegression((1.0, 1.0, 1.0), noise=0), (4,), tasks=10).ridge[0])


def test_fitted_steps():
    Γ = np.random.default_rng(1).normal(size=(3, 3))
    found = fit_gamma(one_step(Γ), WORLD, 5)
    np.testing.assert_allclose(found.gamma, Γ, rtol=1e-9)
    assert found.r2 == pytest.approx(1)
    model = LinearAttention(3, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():  # a layer that only looks from inputs to labels
        model.key[-1] = model.value[:-1] = 0
    made = (model.query[:-1] @ model.key[:-1].T * (model.value[-1] @ model.projection[:, -1])).detach()
    np.testing.assert_allclose(fit_gamma(model, WORLD, 5).gamma, made, rtol=1e-9)
    other = fit_gamma(ridge, WORLD, 5)
    assert 0.5 < other.r2 < 0.95, "ridge is not one step"
    half = fit_gamma(lambda x, y, q: one_step(Γ)(x, y, q) + np.sign(q[:, 0] * y[:, 0]), WORLD, 5, tasks=4000)
    assert half.r2 < 0.9


class Causal(nn.Module):
    """A backbone of torch, without a cache."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, inputs_embeds):
        mask = nn.Transformer.generate_square_subsequent_mask(inputs_embeds.shape[1])
        return self.layers(inputs_embeds, mask=mask.to(inputs_embeds.dtype), is_causal=True)


@pytest.mark.parametrize("kind", ["one step", "full layer", "torch"])
def test_what_was_read_is_not_read_again(kind):
    """Answers at several lengths in one go are those of the prompts cut short, and each example is read once."""
    torch.manual_seed(0)
    model = {
        "one step": lambda: OneStepAttention(3),
        "full layer": lambda: LinearAttention(3),
        "torch": lambda: SequenceRegressor(Causal(), 3, 16),
    }[kind]()
    if kind == "one step":
        nn.init.normal_(model.gamma)
    prompts, lengths, seen = WORLD.sample(10, 12), (1, 5, 12), []
    plain, read = [answers(model, prompts.first(n)) for n in lengths], model.read
    model.read = lambda x, y, state: seen.append(x.shape[1]) or read(x, y, state)
    found = answers(model, prompts, lengths=lengths, batch=10)
    np.testing.assert_allclose(found, np.stack(plain, 1), atol=1e-5)
    assert found.std(0).min() > 1e-3
    assert seen == [1, 4, 7]
    assert readout(model, WORLD, lengths, tasks=20).risk.shape == (3,)


def test_a_function_is_asked_at_each_length():
    prompts = WORLD.sample(10, 6)
    found = answers(ridge, prompts, lengths=(2, 6), batch=3)
    np.testing.assert_allclose(found[:, 0], ridge(prompts.x[:, :2], prompts.y[:, :2], prompts.query))
    np.testing.assert_allclose(found[:, 1], answers(ridge, prompts))


def test_the_page_runs(capsys):
    """Its first lines, and real tasks: one step is about ridge where labels are noisy, and far behind where they are not."""
    _, *blocks = PAGE.read_text().split("```python")
    for block in blocks:
        exec(block.split("```")[0], {})
    law, _, *risks, r2, _, _, _ = printed = capsys.readouterr().out.strip().split("\n")
    columns = printed[-3:]
    assert float(r2) == pytest.approx(1)
    for said, line in zip(law.strip("[]").split(), risks, strict=True):
        assert float(line.split()[1]) == pytest.approx(float(said), rel=0.15)
    errors = {line.split(" [")[0]: [float(e) for e in line[line.index("[") + 1 : -1].split(", ")] for line in columns}
    null, step, best = errors.pop("cholesterol")
    assert best < 0.5 * step < 0.25 * null, "the other columns determine it"
    assert all(abs(step / best - 1) < 0.3 for _, step, best in errors.values())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: readout(ridge, WORLD, ()), r"`contexts` must be at least one length, got \(\); "),
        (lambda: readout(ridge, WORLD, (0, 3)), r"`contexts` must be a whole number >= 1, got 0; "),
        (lambda: readout(ridge, WORLD, (3,), tasks=1), r"`tasks` must be a whole number >= 2, got 1; "),
        (lambda: readout(lambda x, y, q: q, WORLD, (3,)), r"`model` must be one that answers with shape"),
        (lambda: readout(ridge, WORLD, (3,), batch=0), r"`batch` must be"),
        (lambda: fit_gamma(ridge, WORLD, 5, tasks=9), r"`tasks` must be a whole number >= 10, got 9; "),
        (lambda: fit_gamma(ridge, WORLD, 0), r"`context` must be"),
        (lambda: fit_gamma(lambda x, y, q: q[:, 0] * np.nan, WORLD, 5), r"`model` must be finite"),
        (
            lambda: answers(ridge, WORLD.sample(2, 3), lengths=(2, 4)),
            r"`lengths` must be rising in 1\.\.3, got \(2, 4\); ",
        ),
        (lambda: answers(ridge, WORLD.sample(2, 3), lengths=()), r"`lengths` must be rising in 1\.\.3, got \(\); "),
        (lambda: SequenceRegressor(Causal(), 0, 16), r"`dimension` must be"),
        (lambda: SequenceRegressor(Causal(), 3, 0), r"`width` must be"),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
