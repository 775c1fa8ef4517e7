"""Corpora in files: they come back equal whatever was sampled, and a damaged, foreign or half-written file never passes."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds.knowledge.rendered_worlds import english_worlds, widest
from twopart._checks import InputError
from twopart.worlds import (
    Attribute,
    EnglishRendering,
    SyntaxKnowledge,
    iterate_corpus,
    read_corpus,
    render,
    write_corpus,
    write_sample,
)

SKEWED = SyntaxKnowledge(
    0.3,
    2.5,
    (Attribute("a", 3, 2, base=(0.1, 0.2, 0.7)), Attribute("b", 2**31 - 1, 2**15 - 1)),
    attribute_probabilities=(1 / 3, 2 / 3),
    syntax_concentration=0.1,
    names=2**62,
    seed=2**63 - 1,
)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_sample_write_read_render_parse(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    world = data.draw(english_worlds())
    n, start, stream = (data.draw(st.integers(0, high)) for high in (200, 2**50, 2**63 - 1))
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    rendering = data.draw(st.sampled_from([None, "english"]))
    shard = data.draw(st.integers(1, 300))
    write_sample(world, n, path, stream=stream, start=start, rendering=rendering, shard=shard)
    corpus = read_corpus(path)
    assert corpus == world.sample(n, stream=stream, start=start)
    facts = EnglishRendering(corpus.world).parse(render(corpus, "english").texts)
    for column, parsed in facts._asdict().items():
        np.testing.assert_array_equal(parsed, getattr(corpus, column))


@pytest.mark.parametrize("world", [SKEWED, widest(), SyntaxKnowledge(population=7)], ids=["skewed", "wide", "equal"])
def test_a_corpus_in_memory_comes_back_equal(tmp_path: Path, world: SyntaxKnowledge) -> None:
    corpus = world.sample(3000)[::-3]
    write_corpus(corpus, tmp_path / "corpus.parquet")
    back = read_corpus(str(tmp_path / "corpus.parquet"))
    assert back == corpus
    assert back.world == world
    np.testing.assert_array_equal(back.name, corpus.name)


@pytest.mark.parametrize("size", [1, 7, 100, 1000, 10**6])
def test_parts_are_slices_of_the_whole(tmp_path: Path, size: int) -> None:
    path = tmp_path / "corpus.parquet"
    write_sample(SKEWED, 700, path, shard=64)
    parts = list(iterate_corpus(path, size))
    whole = read_corpus(path)
    assert [len(part) for part in parts] == [len(whole[i : i + size]) for i in range(0, 700, size)]
    assert all(part == whole[i * size : (i + 1) * size] for i, part in enumerate(parts))


def test_text_and_spans_are_open_to_other_programs(tmp_path: Path) -> None:
    """Polars knows nothing of twopart."""
    path = tmp_path / "corpus.parquet"
    world = widest()
    write_sample(world, 500, path, rendering="english", shard=123)
    table = pl.read_parquet(path)
    corpus = world.sample(500)
    text = render(corpus, "english")
    assert table["text"].to_list() == text.texts
    assert table["value_end"].to_list() == text.spans[:, 3].tolist()
    assert table["entity"].to_list() == corpus.entity.tolist()
    assert table.columns == [
        *("entity", "attribute", "template", "value", "probability"),
        *("text", "name_start", "name_end", "value_start", "value_end"),
    ]


@pytest.mark.parametrize("rendering", [None, "english"])
def test_the_same_call_writes_the_same_bytes(tmp_path: Path, rendering: str | None) -> None:
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    write_sample(widest(), 1000, one, rendering=rendering)
    write_sample(widest(), 1000, two, rendering=rendering)
    write_corpus(widest().sample(1000), three, rendering)
    assert one.read_bytes() == two.read_bytes() == three.read_bytes()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match=r"no corpus at .*; write one with `write_corpus`"):
            read_corpus(path)
        with pytest.raises(InputError, match="no corpus at"):
            next(iterate_corpus(path))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a text file\n" * 50, b"PAR1" + bytes(200) + b"PAR1"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "corpus.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a whole corpus file .*; write it again"):
        read_corpus(path)


def test_another_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pl.DataFrame({"entity": [1, 2]}).write_parquet(path)
    with pytest.raises(InputError, match=r"a Parquet file without a world; write corpora with"):
        read_corpus(path)


def reworded(path: Path, **changes: object) -> None:
    """The file with other words in its metadata, and their digest set right."""
    from twopart.worlds.knowledge.storage import DIGEST, KEY, _digest

    table = pq.read_table(path)
    about = {**json.loads(table.schema.metadata[KEY]), **changes}
    text = json.dumps(about).encode()
    pq.write_table(table.replace_schema_metadata({KEY: text, DIGEST: _digest(text)}), path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "corpus format 2, this version reads 1"),
        ({"lexicon": "0" * 16}, "text of another lexicon; read it with the twopart that wrote it"),
        ({"sentences": 51}, "50 of 51 sentences"),
        ({"world": {}}, "does not describe a SyntaxKnowledge world"),
        ({"world": {**SyntaxKnowledge().config(), "discount": 2.0}}, "`discount` must be"),
    ],
)
def test_other_versions_and_worlds_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = tmp_path / "corpus.parquet"
    write_sample(SyntaxKnowledge(), 50, path, rendering="english")
    reworded(path)
    assert read_corpus(path) == SyntaxKnowledge().sample(50)
    reworded(path, **changes)
    with pytest.raises(InputError, match=message):
        read_corpus(path)
    with pytest.raises(InputError, match=message):
        list(iterate_corpus(path))


def test_missing_columns_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "corpus.parquet"
    write_sample(SyntaxKnowledge(), 50, path)
    pq.write_table(pq.read_table(path).drop_columns(["value"]), path)
    with pytest.raises(InputError, match="columns are missing"):
        read_corpus(path)


@pytest.mark.slow
def test_damage_anywhere_is_noticed_or_harmless(tmp_path: Path) -> None:
    """Truncated anywhere, or a bit flipped in any second byte: `InputError`, or the very same corpus."""
    corpus = SyntaxKnowledge().sample(120)
    path = tmp_path / "corpus.parquet"
    write_corpus(corpus, path)
    whole = path.read_bytes()
    random = np.random.default_rng(5)
    damaged = [whole[:size] for size in range(0, len(whole), 7)]
    for place in range(0, len(whole), 2):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << random.integers(8)
        damaged.append(bytes(flipped))
    noticed = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            assert read_corpus(path) == corpus
        except InputError:
            noticed += 1
    assert noticed > len(damaged) / 2


def test_bad_arguments_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "corpus.parquet"
    world = SyntaxKnowledge()
    for message, bad in {
        "`n` must be": {"n": -1},
        "`shard` must be": {"shard": 0},
        "`stream` must be": {"stream": -1},
        "`start` must be": {"start": 2**62},
        "`rendering` must be": {"rendering": "latin"},
        "`names` must be at most": {"world": SKEWED, "rendering": "english"},
    }.items():
        with pytest.raises(InputError, match=message):
            write_sample(**{"world": world, "n": 10, "path": path, **bad})
    write_sample(world, 10, path)
    with pytest.raises(InputError, match="`sentences_per_batch` must be"):
        next(iterate_corpus(path, 0))
    with pytest.raises(InputError, match="`rendering` must be"):
        write_sample(world, 10, path, rendering="latin")
    assert read_corpus(path) == world.sample(10), "the old file still stands"
    assert list(tmp_path.iterdir()) == [path]


def limited(code: str, **limits: tuple[int, int]) -> subprocess.CompletedProcess[str]:
    """`code` in a process of its own under resource limits."""

    def restrict() -> None:
        for name, limit in limits.items():
            resource.setrlimit(getattr(resource, name), limit)

    command = [sys.executable, "-c", code]
    return subprocess.run(command, preexec_fn=restrict, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the write fails in the middle."""
    path = tmp_path / "corpus.parquet"
    write_sample(SyntaxKnowledge(), 100, path)
    before = path.read_bytes()
    code = f"""
from twopart.worlds import SyntaxKnowledge, write_sample
try:
    write_sample(SyntaxKnowledge(), 400_000, {str(path)!r}, rendering="english", shard=50_000)
except OSError as error:
    print("OSError", error)
"""
    done = limited(code, RLIMIT_FSIZE=(2_000_000, 2_000_000))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OSError")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path, size: Callable[[Any, Any], Any]) -> None:
    """Text several times as large as before is written, and even more sentences are read, in no more memory."""
    text, columns = size(1_600_000, 4_000_000), size(8_000_000, 20_000_000)
    path = str(tmp_path / "corpus.parquet")
    code = f"""
from pathlib import Path
from twopart.worlds import SyntaxKnowledge, iterate_corpus, write_sample
def peak(n, rendering):
    write_sample(SyntaxKnowledge(0.8), n, {path!r}, rendering=rendering)
    assert sum(len(part) for part in iterate_corpus({path!r})) == n
    # not getrusage: a child's ru_maxrss starts at that of the process it was forked from
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024
print(peak(400_000, "english"), peak({text}, "english"), peak({columns}, None))
"""
    done = limited(code)
    assert done.returncode == 0, done.stderr
    small, larger, largest = map(float, done.stdout.split())
    assert small < 700
    assert larger - small < 60, "MiB; the text alone is 70 bytes more for each sentence, usually 80 MiB"
    assert largest - larger < 60, "MiB; the columns take 24 bytes each, and 10 as they are compressed, usually 80 MiB"


@pytest.mark.slow
def test_a_killed_writer_leaves_no_corpus(tmp_path: Path) -> None:
    path = tmp_path / "corpus.parquet"
    code = f"""
from twopart.worlds import SyntaxKnowledge, write_sample
write_sample(SyntaxKnowledge(), 10**9, {str(path)!r}, shard=20_000)
"""
    with subprocess.Popen([sys.executable, "-c", code]) as writer:
        deadline = time.monotonic() + 60
        while not any(part.stat().st_size > 100_000 for part in tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(writer.pid, signal.SIGKILL)
    assert [part.suffix for part in tmp_path.iterdir()] == [".part"], "it was killed in the middle"
    with pytest.raises(InputError, match="no corpus at"):
        read_corpus(path)
    write_sample(SyntaxKnowledge(), 10, path)
    assert len(read_corpus(path)) == 10


def test_arrow_schema() -> None:
    from twopart.worlds.knowledge.storage import SCHEMA

    assert [(field.name, field.type) for field in SCHEMA] == [
        ("entity", pa.int64()),
        ("attribute", pa.int16()),
        ("template", pa.int16()),
        ("value", pa.int32()),
        ("probability", pa.float64()),
    ]
