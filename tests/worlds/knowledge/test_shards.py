"""Corpora in shards: each is its part of the whole, whoever makes it and when; other programs read them."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twopart._checks import InputError
from twopart.cli import main
from twopart.worlds import Sharded, SyntaxKnowledge, read_corpus

WORLD = SyntaxKnowledge(0.6, seed=5)
CORPUS = Sharded(WORLD, sentences=10_001, shards=4, stream=2, rendering="english")
COMMAND = [
    "sample",
    "--discount",
    "0.6",
    "--seed",
    "5",
    "--stream",
    "2",
    "--rendering",
    "english",
    "--sentences",
    "10001",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("corpus") / "whole"
    CORPUS.claim(folder)
    for shard in (2, 0, 3, 1):
        assert not CORPUS.finish(folder)
        CORPUS.write(folder, shard)
    assert CORPUS.finish(folder)
    return folder


def test_the_parts_cover_the_corpus_evenly() -> None:
    parts = [CORPUS.part(shard) for shard in range(4)]
    assert [first for first, _ in parts] == [0, *(end for _, end in parts[:-1])]
    assert parts[-1][1] == 10_001
    assert {end - first for first, end in parts} == {2500, 2501}


@pytest.mark.parametrize("shard", range(4))
def test_any_shard_alone_equals_its_part_of_the_whole(folder: Path, tmp_path: Path, shard: int) -> None:
    whole = WORLD.sample(10_001, stream=2)
    first, end = CORPUS.part(shard)
    assert read_corpus(folder / CORPUS.name(shard)) == whole[first:end]
    CORPUS.claim(tmp_path / "alone")
    told: list[tuple[int, int]] = []
    CORPUS.write(tmp_path / "alone", shard, lambda done, total: told.append((done, total)))
    assert (tmp_path / "alone" / CORPUS.name(shard)).read_bytes() == (folder / CORPUS.name(shard)).read_bytes()
    assert told == [(end - first, end - first)]
    assert CORPUS.missing(tmp_path / "alone") == [number for number in range(4) if number != shard]


def test_a_far_shard_of_a_huge_corpus_is_made_by_itself(tmp_path: Path) -> None:
    corpus = Sharded(WORLD, 10**10, 99_999)
    first, end = corpus.part(77_777)
    corpus.claim(tmp_path / "huge")
    corpus.write(tmp_path / "huge", 77_777)
    assert read_corpus(tmp_path / "huge" / "train-77777-of-99999.parquet") == WORLD.sample(end - first, start=first)


def test_the_manifest_lists_every_shard_with_its_checksum(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert SyntaxKnowledge.from_config(manifest["world"]) == WORLD
    assert [entry["file"] for entry in manifest["shards"]] == [CORPUS.name(shard) for shard in range(4)]
    assert sum(entry["sentences"] for entry in manifest["shards"]) == manifest["sentences"] == 10_001
    for entry in manifest["shards"]:
        data = (folder / entry["file"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
    done = subprocess.run("sha256sum -c *.sha256", shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count(": OK")) == (0, 4)


def test_polars_and_datasets_read_the_shards(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    files = sorted(str(path) for path in folder.glob("*.parquet"))
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    streamed = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    scanned = pl.scan_parquet(folder / "*.parquet").collect()
    whole = WORLD.sample(10_001, stream=2)
    for entity in (loaded.data["entity"].to_numpy(), scanned["entity"].to_numpy()):
        np.testing.assert_array_equal(entity, whole.entity)
    assert loaded[7000]["text"] == scanned["text"][7000]
    assert next(iter(streamed)) == loaded[0] == scanned.row(0, named=True)


def test_the_command_makes_the_same_shards_and_keeps_those_that_are_there(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*COMMAND, "--shards", "4", "--out", str(tmp_path / "c")]
    assert main([*command, "--shard", "3"]) == 0
    assert capsys.readouterr().out == f"1 of 4 shards in {tmp_path / 'c'}; run it again for those that are missing\n"
    kept = (tmp_path / "c" / CORPUS.name(3)).stat()
    (tmp_path / "c" / f"{CORPUS.name(2)}.0123.part").touch()
    assert main([*command, "--workers", "1"]) == 0
    said = f"10001 sentences in 4 shards in {tmp_path / 'c'}, listed in manifest.json\n"
    assert capsys.readouterr().out == said
    assert (tmp_path / "c" / CORPUS.name(3)).stat() == kept
    for name in ("manifest.json", "corpus.json", *map(CORPUS.name, range(4))):
        assert (tmp_path / "c" / name).read_bytes() == (folder / name).read_bytes()
    assert main(command) == 0, "nothing is left to do"
    assert capsys.readouterr() == (said, "")


def test_a_killed_run_leaves_whole_shards_or_none_and_goes_on(folder: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "twopart",
        *COMMAND,
        "--shards",
        "4",
        "--workers",
        "1",
        "--out",
        str(tmp_path / "c"),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and not list((tmp_path / "c").glob("*.sha256")):
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    whole = list((tmp_path / "c").glob("train-*.parquet"))
    assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in whole)
    for shard in CORPUS.missing(tmp_path / "c"):
        CORPUS.write(tmp_path / "c", shard)
    assert CORPUS.finish(tmp_path / "c")
    assert (tmp_path / "c" / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()
    assert not list((tmp_path / "c").glob(".*.part"))


def test_a_folder_belongs_to_one_corpus(folder: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for other in (
        Sharded(SyntaxKnowledge(0.5, seed=5), 10_001, 4, 2, "english"),
        Sharded(WORLD, 10_001, 5, 2, "english"),
        Sharded(WORLD, 10_001, 4, 2),
    ):
        with pytest.raises(InputError, match=r"holds another corpus: its (world|files|rendering) is another; choose"):
            other.claim(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(
        InputError, match=r"is not empty and no corpus: it holds 'thesis\.tex'; choose another with --out"
    ):
        CORPUS.claim(tmp_path)
    (tmp_path / "corpus.json").write_text("[]")
    with pytest.raises(InputError, match="was not written by twopart"):
        CORPUS.claim(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shards": 0}, r"`shards` must be a whole number in \[1, 10\]"),
        ({"shards": 11}, r"`shards` must be a whole number in \[1, 10\]"),
        ({"sentences": 0}, "`sentences` must be"),
        ({"stream": -1}, "`stream` must be"),
        ({"rendering": "klingon"}, "`rendering` must be"),
    ],
)
def test_what_is_no_sharded_corpus_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sharded(**{"world": WORLD, "sentences": 10, "shards": 2, **arguments})
    with pytest.raises(InputError, match=r"`shard` must be a whole number in \[0, 3\], got 4"):
        CORPUS.name(4)
