"""Training: tokens per CPU second beside a plain eager loop of the same shape, and the share of the matrix-product peak."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks._table import Row
from twopart.learners import ArrayStream, TrainingConfig, TransformerConfig, train
from twopart.learners._products import multiply

SENTENCES, TOKENS = 128, 7
"""Sentences per update, tokens predicted per sentence: those of the data-law study."""
SHAPES = {"0.05 M": (1, 64, 2), "0.2 M": (1, 128, 4), "0.8 M": (4, 128, 4), "3 M": (4, 256, 8)}
"""Layers, width and heads by the number of parameters outside the table."""
VOCABULARIES = (512, 4096)
SECONDS, UPDATES = 0.25, 12
"""Length of one measurement, and the fewest updates in it: to set a run up takes 8 ms and more."""


def run() -> Iterator[Row]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    peak = peak_flops()
    yield Row("matrix-product peak, one core", f"{peak / 1e9:.0f} GFLOP/s", "PyTorch's own (MKL)", mkl_ratio(), ">= 1")
    for vocabulary in VOCABULARIES:
        for name, shape in SHAPES.items():
            yield against_eager(name, TransformerConfig(vocabulary, TOKENS, *shape), peak)
    yield compiled(TransformerConfig(512, TOKENS, *SHAPES["0.2 M"]))
    yield reading(TransformerConfig(512, TOKENS, *SHAPES["0.05 M"]))
    torch.set_num_threads(threads)
    yield two_processes()


@cache
def peak_flops() -> float:
    """Floating-point operations per second of a large matrix product as training does it, on the threads PyTorch may use."""
    size = 1024
    x, times = torch.ones(size, size), []
    for _ in range(20):  # the best of them: others may be using the machine
        start = time.perf_counter()
        float(multiply(x, x)[0, 0])
        times.append(time.perf_counter() - start)
    return 2.0 * size**3 / min(times)


def against_eager(name: str, config: TransformerConfig, peak: float) -> Row:
    """Our whole run, code lengths by role included, beside the peer's loop over the same stream.

    Both have the C library keep freed memory, which only we ask it to: alone, the peer would be 10 to 20 % slower. The ratio
    over the share of the peak is what the lead would be if nothing were left but products.
    """
    per_update = config.flops_per_token * SENTENCES * TOKENS
    updates = max(UPDATES, int(SECONDS * 0.5 * peak / per_update))
    stream = random_stream(config.vocabulary, updates)
    ours, peer = interleaved(lambda: learn(config, stream), lambda: peer_loop(config, stream), rounds=5)
    time_per_update = statistics.median(ours) / updates
    rate, share = SENTENCES * TOKENS / time_per_update, per_update / time_per_update / peak
    ratio = statistics.median(b / a for a, b in zip(ours, peer, strict=True))
    value = f"{rate:,.0f}/s, {share:.2f} of peak"
    aim = ">= 1.1" if name == "3 M" else ">= 1.4"
    return Row(f"{name} parameters, vocabulary {config.vocabulary}", value, "plain eager loop", ratio, aim)


def compiled(config: TransformerConfig) -> Row:
    """Inductor's step on a CPU: why "auto" does not compile there."""
    slow, fast = step_seconds(config, "on"), step_seconds(config, "off")
    value = f"{slow * 1e3:.1f} ms"
    return Row("the same step compiled by Inductor, 0.2 M", value, "our loops", fast / slow, "none: auto leaves it")


def step_seconds(config: TransformerConfig, compile: str) -> float:
    """Time of one update, from two runs of different length: their set-up is the same."""
    short, long = (random_stream(config.vocabulary, updates) for updates in (3, 33))
    learn(config, short, compile)
    times = [
        seconds(lambda: learn(config, long, compile)) - seconds(lambda: learn(config, short, compile)) for _ in range(3)
    ]
    return min(times) / 30


def reading(config: TransformerConfig) -> Row:
    """Time to prepare batches, of the time of a whole run of the smallest model."""
    stream = random_stream(config.vocabulary, 50)
    read, whole = interleaved(lambda: read_all(stream), lambda: learn(config, stream), rounds=5)
    share = statistics.median(a / b for a, b in zip(read, whole, strict=True))
    return Row(
        "preparing batches, 0.05 M",
        f"{statistics.median(read) / 50 * 1e6:.0f} us a batch",
        "of a run's time",
        share,
        "<= 0.02",
    )


def two_processes() -> Row:
    """Two runs side by side on one thread each, against one after the other on two threads."""
    with contextlib.ExitStack() as stack:
        single, double = [[stack.enter_context(worker(threads)) for _ in range(2)] for threads in (1, 2)]
        ratios, times = [], []
        for _ in range(3):
            start = time.perf_counter()
            for process in single:
                order(process)
            for process in single:
                answer(process)
            middle = time.perf_counter()
            for process in double:
                order(process)
                answer(process)
            ratios.append((time.perf_counter() - middle) / (middle - start))
            times.append(middle - start)
    value = f"{statistics.median(times):.2f} s for both"
    return Row(
        "two runs of 0.2 M, a process and thread each", value, "in turn, two threads", statistics.median(ratios), ">= 1"
    )


class Peer(nn.Module):
    """The model as one writes it by hand after nanoGPT: separate linear layers, PyTorch's attention and cross-entropy."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        C, H = config.width, config.inner
        self.heads = config.heads
        self.embedding = nn.Embedding(config.vocabulary, C)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.RMSNorm(C),
                    "qkv": nn.Linear(C, 3 * C, bias=False),
                    "out": nn.Linear(C, C, bias=False),
                    "feed_norm": nn.RMSNorm(C),
                    "gate": nn.Linear(C, H, bias=False),
                    "up": nn.Linear(C, H, bias=False),
                    "down": nn.Linear(H, C, bias=False),
                }
            )
            for _ in range(config.layers)
        )
        self.norm = nn.RMSNorm(C)
        self.head = nn.Linear(C, config.vocabulary, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.head.weight = self.embedding.weight
        frequencies = 10_000.0 ** (-torch.arange(0, config.head_width, 2).float() / config.head_width)
        angles = torch.outer(torch.arange(config.context).float(), frequencies).repeat(1, 2)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        B, T = tokens.shape
        x = self.embedding(tokens)
        for block in self.blocks:
            q, k, v = (
                part.view(B, T, self.heads, -1).transpose(1, 2) for part in block["qkv"](block["norm"](x)).chunk(3, -1)
            )
            y = functional.scaled_dot_product_attention(self.turn(q), self.turn(k), v, is_causal=True)
            x = x + block["out"](y.transpose(1, 2).reshape(B, T, -1))
            y = block["feed_norm"](x)
            x = x + block["down"](functional.silu(block["gate"](y)) * block["up"](y))
        return functional.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())

    def turn(self, x: Tensor) -> Tensor:
        T = x.shape[2]
        first, second = x.chunk(2, -1)
        return x * self.cos[:T] + torch.cat((-second, first), -1) * self.sin[:T]


def peer_loop(config: TransformerConfig, stream: ArrayStream) -> None:
    """The peer's run over `stream`; it records nothing."""
    model = Peer(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    for start in range(0, len(stream), SENTENCES):
        tokens = torch.from_numpy(stream.batch(start, start + SENTENCES).tokens)
        loss = model(tokens[:, :-1], tokens[:, 1:])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


def learn(config: TransformerConfig, stream: ArrayStream, compile: str = "off") -> None:
    train(TrainingConfig(batch=SENTENCES, device="cpu", compile=compile), config, stream)


def random_stream(vocabulary: int, updates: int) -> ArrayStream:
    tokens = np.random.default_rng(0).integers(0, vocabulary, (updates * SENTENCES, TOKENS + 1), np.uint16)
    return ArrayStream(tokens, np.array([3, 0, 0, 0, 1, 1, 2, 1], np.uint8))


def read_all(stream: ArrayStream) -> None:
    for start in range(0, len(stream), SENTENCES):
        stream.batch(start, start + SENTENCES)


def mkl_ratio() -> float:
    """oneDNN's product over the one that `x @ y` takes."""
    x = torch.ones(1024, 1024)
    times = [seconds(lambda: x @ x) for _ in range(6)]
    return min(times) * peak_flops() / (2 * 1024**3)


def interleaved(ours: Callable[[], object], peer: Callable[[], object], rounds: int) -> tuple[list[float], list[float]]:
    """CPU seconds of the two in turn, after one warm-up of each."""
    ours(), peer()
    pairs = [(seconds(ours), seconds(peer)) for _ in range(rounds)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def seconds(work: Callable[[], object]) -> float:
    """CPU time of one call: what runs beside it on the machine matters less."""
    start = time.process_time()
    work()
    return time.process_time() - start


@contextlib.contextmanager
def worker(threads: int) -> Iterator[subprocess.Popen[str]]:
    """A process that makes one run for each line it is given, and answers each with a line."""
    command = [sys.executable, "-m", "benchmarks.training", str(threads)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        answer(process)  # warmed up
        yield process
        assert process.stdin is not None
        process.stdin.close()


def order(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("run\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    process.stdout.readline()


def work(threads: int) -> None:
    torch.set_num_threads(threads)
    config = TransformerConfig(512, TOKENS, *SHAPES["0.2 M"])
    stream = random_stream(512, 60)
    learn(config, stream)
    print("ready", flush=True)
    for _ in sys.stdin:
        learn(config, stream)
        print("done", flush=True)


if __name__ == "__main__":
    work(int(sys.argv[1]))
