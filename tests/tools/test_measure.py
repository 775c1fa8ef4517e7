"""`measure` as a whole: worlds with a known truth, real code, its findings, and what it refuses."""

import json
import math
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twopart._checks import InputError
from twopart.tools.measure import Measurement, findings, measure
from twopart.tools.measure.report import notes
from twopart.worlds import PitmanYor

LIBRARY = Path(sysconfig.get_paths()["stdlib"])


def letters(number: int) -> str:
    """A word for a number."""
    word = ""
    while number:
        number, digit = divmod(number, 26)
        word += chr(97 + digit)
    return word or "a"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PitmanYor]:
    """A text of i.i.d. words from a Pitman-Yor measure."""
    law = PitmanYor(0.6, 10.0)
    path = tmp_path_factory.mktemp("world") / "world.txt"
    path.write_text(
        "".join(letters(int(k)) + (" " if i % 12 else ".\n") for i, k in enumerate(law.draw(200_000, seed=3)))
    )
    return path, law


@pytest.fixture(scope="module")
def drawn(world: tuple[Path, PitmanYor]) -> Measurement:
    return measure(world[0])


def test_a_worlds_law_is_found_and_its_claims_hold(drawn: Measurement) -> None:
    law = drawn.law
    assert abs(law.discount - 0.6) < 4.9 * law.discount_error < 0.05
    assert law.data_exponent == pytest.approx(1 - law.discount)
    assert law.capacity_exponent == pytest.approx(1 / law.discount - 1)
    found = findings(drawn)
    assert [claim.verdict for claim in found.claims[:3]] == ["holds"] * 3, (
        "exchangeable, and Good-Turing in both orders"
    )
    assert not any(claim.verdict == "fails" for claim in found.claims[5:]), "one discount, Heaps"


def test_its_curves_do_not_depend_on_order(drawn: Measurement) -> None:
    for row in drawn.growth[20:-1]:
        assert abs(row.file - row.random) < 5.5 * row.deviation + 1
    late = [row for row in drawn.growth if 10_000 < row.tokens < 100_000]
    assert np.allclose([row.file_missing for row in late], [row.random_missing for row in late], rtol=0.1)
    assert abs(drawn.burstiness) < 0.05
    assert all(abs(row.squared_variation - 1) < 0.2 for row in drawn.bursts if row.types > 100)


def test_its_entropy_lies_between_plug_in_and_truth(world: tuple[Path, PitmanYor], drawn: Measurement) -> None:
    """In its own world the Pitman-Yor estimate from a tenth already says what the whole does."""
    by_name = {row.estimator: row for row in drawn.entropy}
    ids, probability = world[1].measure(3).draw_with_probability(200_000)
    truth = float(-np.log2(probability).mean())
    error = float(np.log2(probability).std() / math.sqrt(len(ids)))
    assert abs(by_name["Pitman-Yor"].whole - truth) < 4.9 * error
    assert by_name["plug-in"].part < by_name["plug-in"].whole < by_name["Pitman-Yor"].whole


def test_sorting_a_text_fails_what_order_decides_and_nothing_else(
    world: tuple[Path, PitmanYor], drawn: Measurement, tmp_path: Path
) -> None:
    path = tmp_path / "sorted.txt"
    path.write_text(" ".join(sorted(world[0].read_text().replace(".", " ").split())))
    ordered = measure(path)
    assert ordered.law == drawn.law
    assert ordered.heaps.random_tenfold == drawn.heaps.random_tenfold
    assert ordered.missing[0] == drawn.missing[0]
    assert ordered.burstiness > 0.9
    verdicts = [claim.verdict for claim in findings(ordered).claims]
    assert (verdicts[0], verdicts[1], verdicts[2]) == ("fails", "holds", "fails")


@pytest.mark.slow
def test_the_standard_library_is_bursty_and_its_discount_falls() -> None:
    """What docs/tools/measure.md says of Python's own sources, in signs: versions differ in numbers."""
    files = sorted(path for path in LIBRARY.rglob("*.py") if "site-packages" not in path.parts)
    measured = measure(*files, unit="identifiers", blocks=2)
    heaps = measured.heaps
    assert 0.3 < measured.law.discount < 0.55
    assert heaps.file_doubling > heaps.random_doubling + 0.1
    assert abs(heaps.random_doubling - measured.law.discount) < 0.03
    assert measured.part.discount > measured.law.discount + 0.05
    assert measured.forward[0].excess > 0.1
    assert measured.missing[1].held_out > 2 * measured.missing[1].good_turing
    assert measured.burstiness > 0.3
    assert 4 < measured.blocks[0].per_byte < 5
    assert measured.blocks[1].per_byte < measured.blocks[0].per_byte


def without_corpus(measured: Measurement) -> dict[str, Any]:
    return {name: part for name, part in measured.as_dict().items() if name != "corpus"}


def test_units_sources_and_parts_agree(tmp_path: Path) -> None:
    """The same text as one file, as files of a folder and as rows of a column."""
    lines = [f"the quick Brown_{k * k % 97} fox jumps over {k % 13} lazy dogs\n" for k in range(800)]
    whole = tmp_path / "whole.txt"
    whole.write_text("".join(lines))
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for k in range(8):
        (folder / ("sub" if k > 5 else "") / f"{k}.txt").write_text("".join(lines[100 * k : 100 * k + 100]))
    (folder / ".hidden").write_text("never")
    (folder / "picture.txt").write_bytes(b"\x89PNG\0\0")
    rows = tmp_path / "rows.parquet"
    pl.DataFrame({"text": [line.rstrip("\n") for line in lines], "n": range(800)}).write_parquet(rows)
    categories = tmp_path / "categories.parquet"
    texts = pa.array([text for line in lines for text in (line.rstrip("\n"), None)]).dictionary_encode()
    pq.write_table(pa.table({"text": texts}), categories)
    assert without_corpus(measure(rows, column="text")) == without_corpus(measure(categories, column="text"))
    one, several = measure(whole), measure(folder, pattern="*.txt")
    assert (one.corpus.files, several.corpus.files, several.corpus.skipped) == (1, 8, 1)
    assert without_corpus(one) == without_corpus(several) == without_corpus(measure(rows, column="text"))
    tokens = measure(whole, unit="identifiers").corpus
    assert (tokens.tokens, tokens.distinct) == (800 * 9, 7 + len({k * k % 97 for k in range(800)}) + 13)
    single = measure(whole, unit="bytes", blocks=3)
    assert single.corpus.tokens == whole.stat().st_size == single.corpus.size
    assert [block.size for block in single.blocks] == [1, 2, 3]
    assert single.blocks[0].plug_in == pytest.approx(single.entropy[0].whole, abs=1e-12)


def test_tokens_of_a_tokenizer(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2, "c": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    text = tmp_path / "text.txt"
    text.write_text("a b a c d\n" * 300)
    measured = measure(text, tokenizer=tmp_path / "tokenizer.json")
    assert (measured.corpus.unit, measured.corpus.tokens, measured.corpus.distinct) == ("tokens", 1500, 4)
    assert measured.spectrum.sizes.tolist() == [300, 600]
    assert math.isinf(measured.law.capacity_exponent), "four types, each seen often, have no tail"


PERSIAN, FRENCH = (Path(__file__).parent / "texts" / name for name in ("persian.txt", "latin-1.txt"))


def test_joiners_belong_to_words() -> None:
    """4,200 words in Arabic script, a fifth with a suffix behind a zero-width non-joiner."""
    measured = measure(PERSIAN)
    assert measured.corpus.tokens == 4200
    assert not list(notes(measured))


def test_bytes_that_are_no_utf8_are_told_and_an_encoding_mends_it(tmp_path: Path) -> None:
    """3,840 words, saved as Latin-1, and anew as it should be and with a mark."""
    data = FRENCH.read_bytes()
    text = data.decode("latin-1")
    odd = sum(byte > 127 for byte in data)  # no two stand side by side as a letter of UTF-8
    assert [note.split(":")[0] for note in notes(measure(FRENCH))] == [
        f"{odd:,} bytes are no UTF-8, the first of them in {FRENCH}"
    ]
    named = measure(FRENCH, encoding="latin-1")
    assert (named.corpus.tokens, named.corpus.unread, named.corpus.size) == (3840, 0, len(data))
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        path = tmp_path / encoding
        path.write_bytes(text.encode(encoding))
        same = measure(path)
        assert without_corpus(same) == without_corpus(named)
        assert same.corpus.size == path.stat().st_size
    (tmp_path / "unmarked").write_bytes(text.encode("utf-16-le"))
    with pytest.raises(InputError, match="unmarked is binary, not text in UTF-8; name its --encoding"):
        measure(tmp_path / "unmarked")
    assert without_corpus(measure(tmp_path / "unmarked", encoding="UTF-16LE")) == without_corpus(named)


def test_a_script_without_spaces_is_told(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = [
        "".join(map(chr, 0x4E00 + random.zipf(1.5, 9) % 3000)) + ("。" if k % 3 else " fin\n") for k in range(3000)
    ]
    (tmp_path / "chinese.txt").write_text("".join(lines))
    (note,) = notes(measure(tmp_path / "chinese.txt"))
    assert note.startswith("90.0% of the letters are of scripts written without spaces (CJK)")
    assert "--tokenizer" in note


def test_it_is_plain_json(drawn: Measurement) -> None:
    record = json.loads(json.dumps(drawn.as_dict(), allow_nan=False))
    assert record["law"]["discount"] == drawn.law.discount
    assert record["growth"][-1]["file_missing"] is None
    assert sum(n * c for n, c in zip(record["spectrum"]["types"], record["spectrum"]["sizes"], strict=True)) == 200_000


def test_the_seed_picks_the_random_parts_and_nothing_else(world: tuple[Path, PitmanYor], drawn: Measurement) -> None:
    other = measure(world[0], seed=1)
    assert other.forward[0] != drawn.forward[0]
    one, two = other.as_dict(), drawn.as_dict()
    assert all(one[name] == two[name] for name in ("law", "heaps", "zipf", "growth", "bursts", "spectrum"))
    assert (other.forward[2:], other.missing[1]) == (drawn.forward[2:], drawn.missing[1])
    assert measure(world[0]).as_dict() == two


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    def path(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    pl.DataFrame({"text": ["a"], "n": [1]}).write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "none").mkdir()
    cases = [
        ((), {}, "there is no text to measure"),
        ((tmp_path / "missing.txt",), {}, "missing.txt does not exist"),
        ((tmp_path / "none",), {}, "there is no file below"),
        ((tmp_path / "none",), {"pattern": "*.py"}, "no file that matches '\\*.py'"),
        ((path("empty.txt", b""),), {}, "there is no text: 1 file of 0 bytes"),
        ((path("signs.txt", b"1 + 1 = 2\n" * 500),), {}, "no words in 1 file of 5000 bytes"),
        ((path("short.txt", b"to be or not to be"),), {}, "6 words in 1 file of 18 bytes, where 1000 is the least"),
        ((path("one.txt", b"word " * 2000),), {}, "all tokens are of one type"),
        ((path("binary.exe", b"MZ\0\0" * 9),), {}, "binary.exe is binary"),
        ((tmp_path / "rows.parquet",), {}, "name its column of texts"),
        ((tmp_path / "rows.parquet",), {"column": "txt"}, "has no column 'txt'; it has text, n"),
        ((tmp_path / "rows.parquet",), {"column": "n"}, "holds int64, not strings"),
        ((path("bad.parquet", b"PAR1 no"),), {"column": "text"}, "no Parquet file that can be read"),
        ((path("a.txt", b"a"),), {"tokenizer": tmp_path / "empty.txt"}, "no tokenizer that can be read"),
        ((path("a.txt", b"a"),), {"tokenizer": tmp_path / "nowhere.json"}, "nowhere.json does not exist"),
        ((path("a.txt", b"a"),), {"unit": "syllables"}, "`unit` must be one of 'words', 'identifiers', 'bytes'"),
        ((path("a.txt", b"a"),), {"part": 0.9}, "`part` must be a number in"),
        ((path("a.txt", b"a"),), {"blocks": 9}, "`blocks` must be"),
        ((path("a.txt", b"a"),), {"encoding": "utf8000"}, "there is no text encoding 'utf8000'; utf-8, utf-16"),
        ((path("a.txt", b"a"),), {"encoding": "rot13"}, "there is no text encoding 'rot13'"),
        ((path("a.txt", b"a"),), {"encoding": "utf-8", "unit": "bytes"}, "are no bytes of a text; leave it out"),
        ((Path("/dev/zero"),), {}, "/dev/zero is a device; name a file or a folder"),
    ]
    for texts, options, said in cases:
        with pytest.raises(InputError, match=said):
            measure(*texts, **options)
