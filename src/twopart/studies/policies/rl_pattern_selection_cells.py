"""A small transformer that adds: fine-tuned on two formats, then reinforced by GRPO on whether sums are right."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart.lab import Cell
from twopart.learners import ArrayStream, Transformer
from twopart.learners.policies.advantages import GRPO
from twopart.learners.policies.pattern_report import critical_tokens, pattern_report
from twopart.learners.policies.token_loss import generate, log_probs, policy_loss
from twopart.roles import Role
from twopart.studies._transformers import learn
from twopart.studies.policies.rl_pattern_selection import PARTS, Addition
from twopart.worlds.policies.additions import FORMATS, TOKENS, Ints

ASKED, GROUP, RARE = 32, 8, 0.1


def add(case: Addition, cell: Cell) -> pl.DataFrame:
    """`pattern_report` and the share of `critical_tokens`, on questions that are new to training."""
    world, how, each = case.world, case.how, min(ASKED, case.how.questions)
    total, random = how.sentences + how.updates * each * GROUP, cell.generator("rollouts")
    model = fine_tune(case, cell, total)
    base = {name: value.clone() for name, value in model.state_dict().items()}
    new, pairs = world.numbers(how.questions, stream=2), world.numbers(how.questions, stream=1)
    optimiser = torch.optim.AdamW(model.parameters(), how.rate, weight_decay=0.0)
    draw = np.random.default_rng(cell.seed)
    before, _ = rollouts(case, model, new, random)
    for step in range(how.updates):
        log, tokens = rollouts(case, model, pairs[draw.integers(len(pairs), size=each)], random)
        worth = GRPO(GROUP).advantages(log["reward"].to_torch().view(-1, GROUP)).flatten().to(tokens.device)
        optimiser.zero_grad()
        policy_loss(log_probs(model(tokens), tokens)[:, world.question - 1 :], worth).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        cell.progress(how.sentences + (step + 1) * each * GROUP, total, "reinforced")
    after, tokens = rollouts(case, model, new, random)
    last = distribution(case, model, tokens)
    model.load_state_dict(base)
    report, critical = pattern_report(before, after), critical_tokens(distribution(case, model, tokens), last)
    return pl.DataFrame({n: getattr(report, n) for n in ("before", "after", *PARTS)} | {"critical": critical.share})


def fine_tune(case: Addition, cell: Cell, total: int) -> Transformer:
    """One pass over sentences, most of them reversed, but few of the last fifth: so models prefer what they practised less."""
    n = case.how.sentences
    tokens = case.world.sentences(n, np.where(np.arange(n) < 0.8 * n, 1 - RARE, RARE), stream=cell.replicate)
    roles = np.full(tokens.shape[1], Role.PADDING)
    roles[case.world.question :] = Role.VALUE
    return learn(case.sft, case.shape.of(len(TOKENS), tokens.shape[1]), ArrayStream(tokens, roles), cell, total).model


def rollouts(case: Addition, model: Transformer, pairs: Ints, random: torch.Generator) -> tuple[pl.DataFrame, Tensor]:
    """A group of responses to each pair, as a user's log has them, and their tokens."""
    asked = np.repeat(pairs, GROUP, 0)
    prompts = torch.from_numpy(case.world.questions(asked)).to(model.embedding.device)
    tokens = generate(model, prompts, case.world.response, generator=random)
    formats, rewards = case.world.verify(asked, tokens[:, case.world.question :].cpu().numpy())
    names, question = np.array([*FORMATS, "none"])[formats], np.repeat(np.arange(len(pairs)), GROUP)
    return pl.DataFrame({"question": question, "pattern": names, "reward": rewards}), tokens


@torch.no_grad()
def distribution(case: Addition, model: Transformer, tokens: Tensor) -> Tensor:
    """Log-probabilities of all tokens at each position of the responses."""
    logits: Tensor = model(tokens)[:, case.world.question - 1 : -1]
    return logits.double().log_softmax(-1)
