"""A small transformer that adds: fine-tuned on two formats, then reinforced by GRPO on whether sums are right.

Rows by axis: "steps" (share and accuracy of both formats along reinforcement), "positions" (divergence from the fine-tuned model
by position of the response), "report" (`pattern_report` and `critical_tokens` on new questions, before and after).
"""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart.lab import Cell
from twopart.learners import ArrayStream, TrainingConfig, Transformer, TransformerConfig, WarmupStableDecay, train
from twopart.learners.policies.advantages import GRPO
from twopart.learners.policies.pattern_report import critical_tokens, pattern_report
from twopart.learners.policies.token_loss import generate, log_probs, policy_loss
from twopart.roles import Role
from twopart.studies.policies.rl_pattern_selection import Addition
from twopart.worlds.policies.additions import FORMATS, TOKENS, Ints


def add(case: Addition, cell: Cell) -> pl.DataFrame:
    world, how = case.world, case.how
    total, random = how.sentences + how.updates * how.asked * how.group, cell.generator("rollouts")
    model = fine_tune(case, cell, total)
    base = {name: value.clone() for name, value in model.state_dict().items()}
    test, rows = world.numbers(how.questions, stream=2), []
    before, _ = rollouts(case, model, test, random)
    pairs, draw = world.numbers(how.questions, stream=1), np.random.default_rng(cell.seed)
    optimiser = torch.optim.AdamW(model.parameters(), how.rl_rate, weight_decay=0.0)
    for step in range(how.updates + 1):
        if step % max(1, how.updates // 10) == 0:
            rows.append(looked(rollouts(case, model, test, random)[0], step))
        if step < how.updates:
            reinforce(case, model, optimiser, pairs[draw.integers(len(pairs), size=how.asked)], random)
            cell.progress(how.sentences + (step + 1) * how.asked * how.group, total, "reinforced")
    after, last = rollouts(case, model, test, random)
    logits = [distribution(model, last)]
    model.load_state_dict(base)
    logits.append(distribution(model, last))
    start = world.question - 1
    found = critical_tokens(*(part[:, start:-1] for part in reversed(logits)))
    report = pattern_report(before, after)
    numbers = {n: getattr(report, n) for n in ("before", "after", "selection", "skill")}
    positions = pl.DataFrame({"position": np.arange(world.response), "divergence": found.divergence.mean(0)})
    ends = pl.DataFrame({**numbers, "critical": found.share, "silent": report.silent[1]})
    parts = {"steps": pl.concat(rows), "positions": positions, "report": ends}
    return pl.concat([part.with_columns(axis=pl.lit(name)) for name, part in parts.items()], how="diagonal")


def fine_tune(case: Addition, cell: Cell, total: int) -> Transformer:
    """One pass over sentences in both formats, the better one rare in the last fifth; what a question says is not scored."""
    world, how = case.world, case.how
    reversed_share = np.where(np.arange(how.sentences) < 0.8 * how.sentences, 0.5, how.rare)
    tokens = world.sentences(how.sentences, reversed_share)
    roles = np.full(tokens.shape[1], Role.PADDING)
    roles[world.question :] = Role.VALUE
    shape = TransformerConfig(len(TOKENS), tokens.shape[1], how.layers, how.width, how.heads)
    schedule = WarmupStableDecay(warmup=50, decay=0.3, final=0.1)
    settings = TrainingConfig(how.batch, how.sft_rate, schedule, device=cell.device)
    told = lambda state: cell.progress(state.done, total, "fine-tuned")  # noqa: E731
    return train(settings, shape, ArrayStream(tokens, roles), seed=cell.seed, on_progress=told).model


def rollouts(case: Addition, model: Transformer, pairs: Ints, random: torch.Generator) -> tuple[pl.DataFrame, Tensor]:
    """A group of responses to each pair, as a user's log has them, and the tokens."""
    world, G = case.world, case.how.group
    asked = np.repeat(pairs, G, 0)
    prompts = torch.from_numpy(world.questions(asked)).to(model.embedding.device)
    tokens = generate(model, prompts, world.response, generator=random)
    formats, rewards = world.verify(asked, tokens[:, world.question :].cpu().numpy())
    names = np.array([*FORMATS, "none"])[formats]
    question = np.repeat(np.arange(len(pairs)), G)
    return pl.DataFrame({"question": question, "pattern": names, "reward": rewards}), tokens


def reinforce(
    case: Addition, model: Transformer, optimiser: torch.optim.Optimizer, pairs: Ints, random: torch.Generator
) -> None:
    """One update on a group of responses to each pair."""
    log, tokens = rollouts(case, model, pairs, random)
    rewards = log["reward"].to_torch().view(-1, case.how.group)
    worth = GRPO(case.how.group).advantages(rewards).flatten().float().to(tokens.device)
    logp = log_probs(model(tokens), tokens)[:, case.world.question - 1 :]
    optimiser.zero_grad()
    policy_loss(logp, worth).loss.backward()
    optimiser.step()


def looked(log: pl.DataFrame, step: int) -> pl.DataFrame:
    """Share and accuracy of each format."""
    parts = {name: log.filter(pl.col("pattern") == name)["reward"] for name in FORMATS}
    shares, right = [len(p) / len(log) for p in parts.values()], [p.mean() for p in parts.values()]
    return pl.DataFrame(
        {"step": step, "pattern": FORMATS, "share": shares, "success": right, "accuracy": log["reward"].mean()}
    )


@torch.no_grad()
def distribution(model: Transformer, tokens: Tensor) -> Tensor:
    return model(tokens).double().log_softmax(-1)
