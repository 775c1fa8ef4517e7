"""Corpora in Parquet files, written and read in shards, so that one may be larger than memory.

    columns    entity, attribute, template, value, probability; with rendering="english" also text and its spans
    metadata   key "twopart": format version, the world's config, the fingerprint of the lexicon behind the text

A file appears under its name when it is whole. The same call under the same versions writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from twopart._checks import InputError, check_choice, check_integer
from twopart._files import atomic_path
from twopart.worlds.knowledge.renderings.english import ARROW_SCHEMA, SPANS, EnglishRendering
from twopart.worlds.knowledge.renderings.lexicon import lexicon
from twopart.worlds.knowledge.syntax_knowledge import COLUMNS, Corpus, SyntaxKnowledge

FORMAT = 1
KEY, DIGEST = b"twopart", b"twopart-digest"
SHARD = 2**18  # sentences in a row group: 20 MB of text, 8 MB of columns
SCHEMA = pa.schema([pa.field(column, pa.from_numpy_dtype(dtype), False) for column, dtype in COLUMNS.items()])

OPTIONS = {
    "compression": "zstd",
    "use_dictionary": ["attribute", "template", "value", *SPANS],
    "write_page_checksum": True,
    "write_statistics": False,
}


def write_sample(
    world: SyntaxKnowledge,
    n: int,
    path: str | Path,
    *,
    stream: int = 0,
    start: int = 0,
    rendering: str | None = None,
    shard: int = SHARD,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Sample sentences start..start+n-1 of `stream` and write them, `shard` at a time, in memory that does not grow with n.

    `rendering="english"` adds the text and where in it name and value stand. `on_progress` is told how many of the n are there.
    """
    check_integer("n", n, 0, None, "it is the number of sentences")
    check_integer("shard", shard, 1, 2**24, "it is the number of sentences in memory at a time")
    shards = (world.sample(min(shard, n - done), stream, start + done) for done in range(0, n, shard))
    _write(world, n, shards, path, rendering, on_progress)


def write_corpus(corpus: Corpus, path: str | Path, rendering: str | None = None) -> None:
    """Write a corpus with its world's config in the metadata; `read_corpus` gives an equal one back.

    `rendering="english"` adds the text and where in it name and value stand.
    """
    shards = (corpus[first : first + SHARD] for first in range(0, len(corpus), SHARD))
    _write(corpus.world, len(corpus), shards, path, rendering)


def read_corpus(path: str | Path) -> Corpus:
    """The whole corpus of a file; raises `InputError` if the file is missing, damaged or not ours."""
    with _opened(path) as (file, world):
        corpus = _corpus(world, file.read(columns=list(COLUMNS)))
        _check_count(path, file, len(corpus))
        return corpus


def iterate_corpus(path: str | Path, sentences_per_batch: int = SHARD) -> Iterator[Corpus]:
    """The corpus of a file in parts of `sentences_per_batch`, the last one shorter; memory does not grow with the file."""
    remedy = "it is the number of sentences in memory at a time"
    check_integer("sentences_per_batch", sentences_per_batch, 1, 2**62, remedy)
    with _opened(path) as (file, world):
        count = 0
        for batch in file.iter_batches(sentences_per_batch, columns=list(COLUMNS)):
            count += len(batch)
            yield _corpus(world, batch)
        _check_count(path, file, count)


def _write(
    world: SyntaxKnowledge,
    n: int,
    shards: Iterable[Corpus],
    path: str | Path,
    rendering: str | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    schema = SCHEMA
    if rendering is not None:
        check_choice("rendering", rendering, ("english",), "leave it out to write no text")
        EnglishRendering(world)  # raises before a file is touched if the world has no English
        schema = pa.schema([*SCHEMA, *ARROW_SCHEMA])
    schema = schema.with_metadata(_metadata(world, n, rendering))
    with atomic_path(path) as aside, pq.ParquetWriter(aside, schema, **OPTIONS) as writer:
        written = 0
        for corpus in shards:
            writer.write_table(_table(corpus, schema))
            written += len(corpus)
            if on_progress is not None:
                on_progress(written, n)


def _table(corpus: Corpus, schema: pa.Schema) -> pa.Table:
    arrays = [pa.array(getattr(corpus, column)) for column in COLUMNS]
    if len(schema) > len(arrays):
        arrays += EnglishRendering(corpus.world).encode(corpus).arrow().columns
    return pa.table(arrays, schema=schema)


def _metadata(world: SyntaxKnowledge, n: int, rendering: str | None) -> dict[bytes, bytes]:
    """What the columns do not say. It carries its own digest, as Parquet has checksums for pages only."""
    fingerprint = None if rendering is None else lexicon().fingerprint
    about = {"format": FORMAT, "sentences": n, "world": world.config(), "lexicon": fingerprint}
    text = json.dumps(about).encode()
    return {KEY: text, DIGEST: _digest(text)}


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=8).hexdigest().encode()


def _corpus(world: SyntaxKnowledge, table: pa.Table | pa.RecordBatch) -> Corpus:
    return Corpus(world, *(table[column].to_numpy() for column in COLUMNS))


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[pq.ParquetFile, SyntaxKnowledge]]:
    """The file and its world; whatever is wrong with the file, then or while it is read, becomes an `InputError`."""
    if not Path(path).is_file():
        raise InputError(f"no corpus at {str(path)!r}; write one with `write_corpus` or correct the path")
    try:
        # reading ahead would hold the whole file's compressed columns
        with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
            yield file, _world(path, file)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error).partition("\n")[0]) from error


def _world(path: str | Path, file: pq.ParquetFile) -> SyntaxKnowledge:
    """The world that the metadata tell of, once the file is known to hold what they say."""
    where, metadata = f"{str(path)!r} is a Parquet file", file.schema_arrow.metadata or {}
    if KEY not in metadata:
        raise InputError(f"{where} without a world; write corpora with `write_corpus` or `write_sample`")
    if metadata.get(DIGEST) != _digest(metadata[KEY]):
        raise _damaged(path, "its metadata have another digest")
    about: dict[str, Any] = json.loads(metadata[KEY])
    if about["format"] != FORMAT:
        raise InputError(f"{where} of corpus format {about['format']}, this version reads {FORMAT}; write it again")
    if about["lexicon"] not in (None, lexicon().fingerprint):
        raise InputError(
            f"{where} with text of another lexicon; read it with the twopart that wrote it or write it again"
        )
    if not all(field in file.schema_arrow for field in SCHEMA):
        raise _damaged(path, "columns are missing")
    return SyntaxKnowledge.from_config(about["world"])


def _check_count(path: str | Path, file: pq.ParquetFile, count: int) -> None:
    written = json.loads(file.schema_arrow.metadata[KEY])["sentences"]
    if count != written:
        raise _damaged(path, f"{count} of {written} sentences")


def _damaged(path: str | Path, reason: str) -> InputError:
    return InputError(f"{str(path)!r} is not a whole corpus file ({reason}); write it again")
