"""Reports of rollouts: the exact split, every kind of table, intervals against many logs, critical tokens by hand."""

import json

import numpy as np
import polars as pl
import pytest
import torch

from twopart._checks import InputError
from twopart.learners.policies import critical_tokens, pattern_report, selection_and_skill

KINDS = np.array(["algebra", "guess", "search"])


def log(rng, share, success, questions=40, group=8, **more):
    """A group of rollouts for each question."""
    n = questions * group
    r = rng.choice(3, n, p=share)
    right = rng.random(n) < np.array(success)[r]
    return pl.DataFrame(
        {"question": np.repeat(np.arange(questions), group), "pattern": KINDS[r], "reward": right * 1.0, **more}
    )


BEFORE, AFTER = ((0.2, 0.5, 0.3), (0.8, 0.3, 0.5)), ((0.7, 0.2, 0.1), (0.9, 0.3, 0.5))


def tables(seed=0, **more):
    rng = np.random.default_rng(seed)
    return log(rng, *BEFORE, **more), log(rng, *AFTER, **more)


def test_the_split_is_exact():
    before, after = tables()
    report = pattern_report(before, after)
    assert report.before == pytest.approx(before["reward"].mean(), abs=1e-12)
    assert report.after == pytest.approx(after["reward"].mean(), abs=1e-12)
    assert report.selection + report.skill == pytest.approx(report.after - report.before, abs=1e-12)
    for row in report.patterns.iter_rows(named=True):
        π, p = ([row[f"{name}_{end}"] for end in ("before", "after")] for name in ("share", "success"))
        part = before.filter(pl.col("pattern") == row["pattern"])
        assert (π[0], p[0]) == pytest.approx((len(part) / len(before), part["reward"].mean()), abs=1e-12)
        assert row["selection"] == pytest.approx((π[1] - π[0]) * (p[0] + p[1]) / 2, abs=1e-12)
        assert row["skill"] == pytest.approx((p[1] - p[0]) * (π[0] + π[1]) / 2, abs=1e-12)
    assert "selection" in str(report)
    assert "algebra" in str(report)


def test_arrays_of_any_shape():
    rng = np.random.default_rng(1)
    π, p = rng.dirichlet(np.ones(4), (2, 5)), rng.random((2, 5, 4))
    parts = selection_and_skill(π, p)
    assert sum(parts).sum(-1) == pytest.approx((π[1] * p[1] - π[0] * p[0]).sum(-1), abs=1e-12)


def test_a_pattern_that_one_table_lacks():
    one = pl.DataFrame({"pattern": ["a", "a"], "reward": [1.0, 0.0]})
    two = pl.DataFrame({"pattern": ["a", "b"], "reward": [0.0, 1.0]})
    report = pattern_report(one, two)
    assert (report.selection, report.skill) == pytest.approx(((0.25 * -0.5) + 0.5, -0.5 * 0.75))


def test_every_kind_of_table(tmp_path):
    before, after = tables(logp=-1.5)
    both = pl.concat(
        [before.with_columns(step=pl.lit(0)), before.with_columns(step=pl.lit(5)), after.with_columns(step=pl.lit(9))]
    )
    expected = repr(pattern_report(before, after).patterns)
    assert pattern_report(before, after).patterns["logp_after"].to_list() == [-1.5] * 3
    both.write_parquet(tmp_path / "log.parquet")
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(row) for row in both.to_dicts()))
    for source in (both, both.to_arrow(), both.to_dicts(), tmp_path / "log.parquet", str(tmp_path / "log.jsonl")):
        assert repr(pattern_report(source).patterns) == expected
    texts = both.with_columns(completion="by " + pl.col("pattern") + ".").drop("pattern")
    found = pattern_report(texts, pattern=lambda text: text.removeprefix("by ").rstrip("."))
    assert repr(found.patterns) == expected
    named = (table.rename({"pattern": "cluster"}) for table in (before, after))
    assert repr(pattern_report(*named, pattern="cluster").patterns) == expected


def test_intervals_cover(size):
    """Of 40 logs each interval of 95 % covers the truth 30 times or more (chance of less: 1e-5 each)."""
    truth = selection_and_skill(*(np.array(x) for x in zip(BEFORE, AFTER, strict=True)))
    truths, hits = [part.sum() for part in truth], np.zeros(2)
    for seed in range(40):
        report = pattern_report(*tables(seed), resamples=size(100, 1000))
        for i, name in enumerate(("selection", "skill")):
            low, high = report.intervals[name]
            hits[i] += low <= truths[i] <= high
    assert hits.min() >= 30


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_critical_tokens(kind):
    rng = np.random.default_rng(0)
    before, after = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in rng.normal(size=(2, 3, 4, 5)))
    after[:, 1:] = before[:, 1:]
    found = critical_tokens(kind(before), kind(after))
    assert found.divergence[:, 0] == pytest.approx((np.exp(after) * (after - before)).sum(-1)[:, 0])
    assert found.critical[:, 1:].sum() == 0
    assert found.share == pytest.approx(found.critical.sum() / 12)
    assert found.divergence[found.critical].sum() >= 0.9 * found.divergence.sum()
    least = found.divergence[found.critical].min()
    assert found.divergence[found.critical].sum() - least < 0.9 * found.divergence.sum()
    mask = np.ones((3, 4))
    mask[0] = 0
    assert critical_tokens(kind(before), kind(after), kind(mask), carry=1.0).share == pytest.approx(2 / 8)
    chosen = critical_tokens(kind(before[..., 0]), kind(after[..., 0]))
    d = (before - after)[..., 0]
    assert chosen.divergence == pytest.approx(np.exp(d) - d - 1)
    assert critical_tokens(kind(before), kind(before)).share == 0


def test_sampled_divergence_is_right_in_the_mean():
    """20,000 tokens of the later model: the mean estimate is the divergence, within 5 standard errors."""
    rng, p, q = np.random.default_rng(0), np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.4, 0.2])
    x = rng.choice(3, 20_000, p=q)
    found = critical_tokens(np.log(p)[x][None], np.log(q)[x][None]).divergence
    assert found.mean() == pytest.approx(q @ np.log(q / p), abs=5 * found.std() / 20_000**0.5)


FRAME = pl.DataFrame({"pattern": ["a"], "reward": [1.0]})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: pattern_report("log.csv", FRAME), "`rollouts` must be a file that is there, ending in"),
        (lambda: pattern_report("none.jsonl", FRAME), "`rollouts` must be a file that is there"),
        (lambda: pattern_report(FRAME), "`rollouts` must be with a column `step`"),
        (lambda: pattern_report(FRAME.with_columns(step=1)), "`step` must be of two steps"),
        (lambda: pattern_report(FRAME.clear(), FRAME), "`rollouts` must be a table with rows"),
        (lambda: pattern_report(FRAME, FRAME.drop("reward")), "`after` must be with a column 'reward'"),
        (lambda: pattern_report(FRAME, FRAME, pattern=str), "`rollouts` must be with a column 'completion'"),
        (lambda: pattern_report(FRAME.with_columns(reward=pl.lit(np.nan)), FRAME), "`reward` must be finite"),
        (lambda: pattern_report(FRAME.with_columns(reward=pl.lit("x")), FRAME), "`reward` must be real numbers"),
        (lambda: pattern_report(FRAME.with_columns(reward=pl.lit(None, pl.Float64)), FRAME), "`reward` must be known"),
        (lambda: pattern_report(FRAME.with_columns(pattern=pl.lit(None, pl.String)), FRAME), "`pattern` must be"),
        (lambda: pattern_report(FRAME, 3), "`after` must be a table with rows"),
        (lambda: pattern_report(FRAME, FRAME, resamples=1), "`resamples` must be"),
        (lambda: critical_tokens(np.zeros(3), np.zeros(3)), "`logp_before` must be"),
        (lambda: critical_tokens(np.zeros((2, 3)), np.zeros((2, 4))), "`logp_after` must be of shape"),
        (lambda: critical_tokens(np.zeros((2, 3)), np.full((2, 3), -np.inf)), "`logp_after` must be finite"),
        (lambda: critical_tokens(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3))), "`mask` must be"),
        (lambda: critical_tokens(np.zeros((2, 3)), np.zeros((2, 3)), carry=0.0), "`carry` must be"),
        (lambda: selection_and_skill(np.zeros((3, 2)), np.zeros((3, 2))), "`share` must be of shape"),
        (lambda: selection_and_skill(0.5, 0.5), "`share` must be of shape"),
        (lambda: selection_and_skill([[-0.5, 1.5]] * 2, np.zeros((2, 2))), r"`share` must be in \[0, 1\]"),
        (lambda: selection_and_skill(np.zeros((2, 2)), np.full((2, 2), np.nan)), "`success` must be finite"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InputError, match=f"^{said}.*, got .+; .+"):
        call()
