"""Corpora in Parquet files, written and read in shards, so that one may be larger than memory.

    columns    entity, attribute, template, value, probability; with rendering="english" also text and its spans
    metadata   key "twopart": format version, the world's config, the fingerprint of the lexicon behind the text

A file appears under its name when it is whole. The same call under the same versions writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from twopart._checks import InputError, check_choice, check_integer
from twopart._files import atomic_path
from twopart.worlds.corpus import COLUMNS, Corpus
from twopart.worlds.renderings.english import ARROW_SCHEMA, SPANS, EnglishRendering
from twopart.worlds.renderings.lexicon import lexicon
from twopart.worlds.syntax_knowledge import SyntaxKnowledge

FORMAT = 1
KEY = b"twopart"
SHARD = 2**18  # sentences in a row group: 20 MB of text, 8 MB of columns
SCHEMA = pa.schema([pa.field(column, pa.from_numpy_dtype(dtype), False) for column, dtype in COLUMNS.items()])

OPTIONS = {
    "compression": "zstd",
    "use_dictionary": ["attribute", "template", "value", *SPANS],
    "write_page_checksum": True,
    "write_statistics": False,
}


def write_corpus(
    world: SyntaxKnowledge,
    n: int,
    path: str | Path,
    *,
    stream: int = 0,
    start: int = 0,
    rendering: str | None = None,
    shard: int = SHARD,
) -> None:
    """Sample sentences start..start+n-1 of `stream` and write them, `shard` at a time, in memory that does not grow with n.

    `rendering="english"` adds the text and where in it name and value stand.
    """
    check_integer("n", n, 0, None, "it is the number of sentences")
    check_integer("shard", shard, 1, 2**24, "it is the number of sentences in memory at a time")
    sizes = (min(shard, n - done) for done in range(0, n, shard))
    shards = (world.sample(size, stream, start + index * shard) for index, size in enumerate(sizes))
    _write(world, shards, path, rendering)


def write_table(corpus: Corpus, path: str | Path, rendering: str | None = None) -> None:
    """Write a corpus that is in memory."""
    _write(corpus.world, (corpus[i : i + SHARD] for i in range(0, len(corpus), SHARD)), path, rendering)


def read_corpus(path: str | Path) -> Corpus:
    """The whole corpus of a file; raises `InputError` if the file is missing, damaged or not ours."""
    with _opened(path) as (file, world):
        return _corpus(world, file.read(columns=list(COLUMNS)))


def iterate_corpus(path: str | Path, sentences_per_batch: int = SHARD) -> Iterator[Corpus]:
    """The corpus of a file in parts of `sentences_per_batch`, the last one shorter; memory does not grow with the file."""
    check_integer(
        "sentences_per_batch", sentences_per_batch, 1, None, "it is the number of sentences in memory at a time"
    )
    with _opened(path) as (file, world):
        for batch in file.iter_batches(sentences_per_batch, columns=list(COLUMNS)):
            yield _corpus(world, batch)


def _write(world: SyntaxKnowledge, shards: Iterable[Corpus], path: str | Path, rendering: str | None) -> None:
    schema = SCHEMA
    if rendering is not None:
        check_choice("rendering", rendering, ("english",), "leave it out to write no text")
        EnglishRendering(world)  # raises before a file is touched if the world has no English
        schema = pa.schema([*SCHEMA, *ARROW_SCHEMA])
    schema = schema.with_metadata({KEY: _metadata(world, rendering)})
    with atomic_path(path) as aside, pq.ParquetWriter(aside, schema, **OPTIONS) as writer:
        for corpus in shards:
            writer.write_table(_table(corpus, schema))


def _table(corpus: Corpus, schema: pa.Schema) -> pa.Table:
    arrays = [pa.array(getattr(corpus, column)) for column in COLUMNS]
    if len(schema) > len(arrays):
        arrays += EnglishRendering(corpus.world).encode(corpus).arrow().columns
    return pa.table(arrays, schema=schema)


def _metadata(world: SyntaxKnowledge, rendering: str | None) -> bytes:
    fingerprint = None if rendering is None else lexicon().fingerprint
    return json.dumps({"format": FORMAT, "world": world.config(), "lexicon": fingerprint}).encode()


def _corpus(world: SyntaxKnowledge, table: pa.Table | pa.RecordBatch) -> Corpus:
    return Corpus(world, *(table[column].to_numpy() for column in COLUMNS))


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[pq.ParquetFile, SyntaxKnowledge]]:
    """The file and its world; whatever is wrong with the file, then or while it is read, becomes an `InputError`."""
    if not Path(path).is_file():
        raise InputError(f"no corpus at {str(path)!r}; write one with `write_corpus` or correct the path")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file, _world(path, file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{str(path)!r} is not a whole Parquet file ({reason}); write the corpus again") from error


def _world(path: str | Path, schema: pa.Schema) -> SyntaxKnowledge:
    """The world that the metadata describe, once all in them is as this version writes it."""
    where = f"{str(path)!r} is a Parquet file"
    if KEY not in (schema.metadata or {}):
        raise InputError(f"{where} without a world; write corpora with `write_corpus` or `Corpus.write`")
    about: dict[str, Any] = json.loads(schema.metadata[KEY])
    if about.get("format") != FORMAT:
        raise InputError(
            f"{where} of corpus format {about.get('format')!r}, this version reads {FORMAT}; write it again"
        )
    if about["lexicon"] not in (None, lexicon().fingerprint):
        raise InputError(
            f"{where} with text from another lexicon; read it with the twopart that wrote it, or write it again"
        )
    if not all(field in schema for field in SCHEMA):
        raise InputError(f"{where} without the columns {', '.join(COLUMNS)} of a corpus; write it again")
    return SyntaxKnowledge.from_config(about["world"])
