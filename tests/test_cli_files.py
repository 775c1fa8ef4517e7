"""Files by every name: pipes, devices, folders, names that are no UTF-8, and what is left when a command is stopped."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from twopart import _files
from twopart._checks import InputError
from twopart.cli import main
from twopart.lossless import ContextCounts, ContextMixing, PitmanYorBytes, compress, compress_file, decompress_file

TEXT = b"".join(b"It is line %d of %d words.\n" % (k, k * k % 7) for k in range(200))
FAST = ContextMixing("fastest", 12, 12)
ODD = os.fsdecode(b"na\xefve.txt")
PROGRAM = f"{sys.executable} -m twopart"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_bytes(TEXT)
    Path("folder").mkdir()
    Path("nowhere").symlink_to("missing")
    Path("round").symlink_to("round")
    os.mkfifo("pipe")
    return tmp_path


def put(name: str, data: bytes) -> None:
    Path(name).write_bytes(data)


def shell(command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("compress folder", "folder is a folder; name a file, or - for standard input"),
        ("compress missing", "missing does not exist; name a file"),
        ("compress nowhere", "nowhere is a link to nothing; name a file"),
        ("compress round", "round: its links lead round in a circle"),
        ("compress /dev/zero", "/dev/zero is a device; name a file"),
        ("compress a.txt --out folder", "folder is a folder; name a new file with --out"),
        ("compress a.txt --out nowhere", "nowhere is a link to nothing; name a new file with --out"),
        ("compress a.txt --out a.txt", "a.txt exists; remove it, or name another file with --out"),
        ("compress a.txt --out /proc/x/y", "/proc/x/y cannot be made; choose another place"),
        ("compress a.txt --out - --explain", "--explain writes its report beside the code; name a file with --out"),
        ("decompress folder", "folder is a folder"),
        ("decompress a.txt", "not a file that `twopart compress` wrote"),
        ("measure /dev/zero", "/dev/zero is a device; name a file or a folder"),
        ("measure nowhere", "nowhere is a link to nothing; name a file or a folder"),
        ("measure a.txt --tokenizer folder", "folder is a folder; name a tokenizer.json"),
        ("measure a.txt --out pipe", "pipe is a pipe, not a folder; choose another with --out"),
        ("sample --out -", "- is a standard stream; name a new file with --out"),
        ("sample --out /dev/null", "/dev/null is a device; name a new file with --out"),
        ("sample --out folder", "folder is a folder; name a new file with --out"),
        ("plan folder --flops 1e20", "folder is a folder; name a law.json"),
        ("plan /dev/zero --flops 1e20", "/dev/zero is a device; name a law.json"),
        ("report a.txt", "a.txt is a file, not a folder"),
        ("run data-law --out /dev/null", "/dev/null is a device, not a folder"),
    ],
)
def test_what_stands_at_a_path_is_called_by_its_name(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().iterdir())
    assert main(arguments.split()) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert said in told.err
    assert sorted(Path().iterdir()) == before
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "cat a.txt | {0} compress - --method fastest | {0} decompress - > b.txt",
        "{0} compress - --method counts < a.txt | {0} decompress /dev/stdin > b.txt",
        "{0} compress a.txt --method fastest --out /dev/stdout | {0} decompress - --out b.txt",
        "cat a.txt | {0} compress /dev/stdin --out a.tpz --method fastest; {0} decompress a.tpz --out - > b.txt",
        "(cat a.txt > pipe &) ; {0} compress pipe --out a.tpz --method pitman-yor; {0} decompress a.tpz --out b.txt",
        "({0} compress a.txt --out pipe --method fastest &) ; {0} decompress pipe --out b.txt",
        "{0} compress <(cat a.txt) --method fastest | {0} decompress - --out b.txt",
    ],
)
def test_pipes_work_both_ways(command: str) -> None:
    done = shell(command.format(PROGRAM))
    assert done.returncode == 0, done.stderr
    assert Path("b.txt").read_bytes() == TEXT


@pytest.mark.slow
def test_nothing_of_a_damaged_code_comes_out_of_a_pipe() -> None:
    code = compress(TEXT, FAST)
    done = subprocess.run(
        [*PROGRAM.split(), "decompress", "-"], input=code[:-1], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"truncated" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("compress a.txt --method fastest --out - | true; exit ${PIPESTATUS[0]}", 141, b""),
        ("studies > /dev/full", 2, b"the disk is full"),
        ("compress a.txt --method fastest --out - > /dev/full", 2, b"the disk is full"),
        ("studies >&-", 0, b""),
        ("compress a.txt --method fastest --out - >&-", 2, b"there is no stdout; name a file"),
        ("compress - <&-", 2, b"there is no stdin; name a file"),
    ],
)
def test_outputs_that_take_nothing(command: str, code: int, said: bytes) -> None:
    done = shell(f"{PROGRAM} {command}")
    assert done.returncode == code
    lines = done.stderr.splitlines()
    assert len(lines) == (1 if said else 0)
    assert said in done.stderr


def test_a_file_called_as_the_stream_is_named_by_its_path() -> None:
    Path("-").write_bytes(TEXT)
    assert main(["compress", "./-", "--method", "fastest"]) == 0
    assert main(["decompress", "./-.tpz", "--out", "b"]) == 0
    assert Path("b").read_bytes() == TEXT


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o444, 0o640])
def test_the_mode_and_the_times_go_with_the_file(mode: int) -> None:
    source = Path("a.txt")
    source.chmod(mode)
    os.utime(source, ns=(1_000_000_007, 2_000_000_000_000_000_009))
    assert main(["compress", "a.txt", "--method", "fastest"]) == 0
    source.rename("b.txt")
    assert main(["decompress", "a.txt.tpz"]) == 0
    for path in (Path("a.txt.tpz"), Path("a.txt")):
        status = path.stat()
        assert stat.S_IMODE(status.st_mode) == mode
        assert status.st_mtime_ns == 2_000_000_000_000_000_009


def test_the_code_is_private_while_it_is_written() -> None:
    modes = []

    def look(part: object, bits: object) -> None:
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in Path().glob(".*.part"))

    compress_file("a.txt", "a.tpz", FAST, look)
    assert modes == [0o600]


def test_a_foreign_group_may_do_no_more_than_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the group cannot be given, as to who is not in it."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    for mode, kept in ((0o660, 0o600), (0o664, 0o644), (0o755, 0o755), (0o640, 0o600)):
        Path("a.txt").chmod(mode)
        compress_file("a.txt", f"{mode}.tpz", FAST)
        assert stat.S_IMODE(Path(f"{mode}.tpz").stat().st_mode) == kept


def test_what_came_meanwhile_is_left_alone() -> None:
    with pytest.raises(InputError, match=r"a\.tpz came to be while it was written"):
        compress_file("a.txt", "a.tpz", FAST, lambda part, bits: put("a.tpz", b"mine"), replace=False)
    assert Path("a.tpz").read_bytes() == b"mine"
    assert not list(Path().glob(".*"))


def test_a_file_system_without_links_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    compress_file("a.txt", "a.tpz", FAST)
    assert decompress_file("a.tpz", "b.txt") == len(TEXT)


@pytest.mark.parametrize("method", [FAST, ContextCounts()])
@pytest.mark.parametrize("change", [b"", b"x" * 10_000])
def test_a_file_that_changes_while_it_is_read_is_refused(method: ContextMixing | ContextCounts, change: bytes) -> None:
    with pytest.raises(InputError, match=r"(changed|became shorter) while it was read"):
        compress_file("a.txt", "a.tpz", method, lambda part, bits: put("a.txt", change))
    assert not list(Path().glob("*.tpz"))
    assert not list(Path().glob(".*"))


def test_folders_made_for_a_file_that_failed_go_too() -> None:
    Path("bad.tpz").write_bytes(compress(TEXT, FAST)[:-1])
    with pytest.raises(InputError, match="truncated"):
        decompress_file("bad.tpz", "new/deep/b.txt")
    assert not Path("new").exists()


def test_files_without_a_length_and_of_holes() -> None:
    """/proc says 0 bytes of its files, and a sparse file has more than it holds."""
    kept = Path("/proc/version").read_bytes()
    compress_file("/proc/version", "v.tpz", FAST)
    assert decompress_file("v.tpz", "v") == len(kept)
    assert Path("v").read_bytes() == kept
    with Path("sparse").open("wb") as file:
        file.truncate(1 << 20)
    compress_file("sparse", "sparse.tpz", FAST)
    assert decompress_file("sparse.tpz", "again") == 1 << 20
    assert not any(Path("again").read_bytes())


@pytest.mark.parametrize("size", [150, 247, 255])
def test_long_names(size: int) -> None:
    name = "é" * (size // 2)
    compress_file("a.txt", name, FAST)
    assert decompress_file(name, "b.txt") == len(TEXT)


@pytest.mark.slow
def test_names_that_are_no_utf8_are_kept_and_shown(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """On the page as \\xef, in JSON as the escape that Python reads back as the same name, on a pipe as the bytes they are."""
    Path(ODD).write_bytes(TEXT)
    done = shell(f"{PROGRAM} compress $'na\\xefve.txt' --method fastest --explain")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(b"in na\xefve.txt.tpz\n")
    folder = Path(f"{ODD}.tpz.report")
    assert json.loads((folder / "config.json").read_text("utf-8"))["file"] == ODD
    page = (folder / "index.html").read_text("utf-8")
    assert page.count(r"na\xefve.txt") >= 2
    assert main(["report", str(folder)]) == 0
    assert (folder / "index.html").read_text("utf-8") == page
    capfdbinary.readouterr()
    assert main(["compress", ODD]) == 2
    assert capfdbinary.readouterr().err.startswith(rb"twopart: na\xefve.txt.tpz exists")
    Path(ODD).write_bytes(b"word\xff %d\n" * 0 + b"".join(b"w%c a\xff\n" % (97 + k % 26) for k in range(600)))
    assert main(["measure", ODD, "--out", f"m{ODD}"]) == 0
    assert main(["report", f"m{ODD}"]) == 0
    assert r"the first of them in na\xefve.txt" in Path(f"m{ODD}/index.html").read_text("utf-8")
    assert json.loads(Path(f"m{ODD}/measurement.json").read_text("utf-8"))["corpus"]["first_unread"] == ODD


def test_a_name_can_neither_break_a_line_nor_command_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "new\nline\x1b[31m\udcff.txt"]) == 2
    assert capsys.readouterr().err.startswith(r"twopart: new line\x1b[31m\xff.txt does not exist")


@pytest.mark.slow
def test_a_terminal_without_greek_gets_escapes() -> None:
    Path("text.txt").write_text("".join(f"w{chr(97 + k % 26)}{chr(97 + k % 7)} the\n" for k in range(600)))
    done = shell(f"PYTHONIOENCODING=ascii {PROGRAM} measure text.txt")
    assert done.returncode == 0
    assert rb"\u03b8" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_command_that_is_stopped_leaves_nothing(number: signal.Signals, code: int) -> None:
    Path("pipe.txt").unlink(missing_ok=True)
    process = subprocess.Popen(
        [*PROGRAM.split(), "compress", "-", "--out", "new/a.tpz", "--method", "fastest"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not list(Path().glob("new/.a.tpz.*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said == (b"twopart: interrupted\n" if number == signal.SIGINT else b"")
    assert not Path("new").exists()


def test_signals_are_let_alone_elsewhere() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["studies"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["studies"])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_without_a_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match="set TMPDIR to one that can be written"):
        compress_file("a.txt", "a.tpz", ContextCounts())
    assert not Path("a.tpz").exists()


def test_a_folder_that_may_not_be_read_is_no_empty_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder/open").mkdir()
    Path("folder/closed").mkdir()
    Path("folder/open/a.txt").write_bytes(TEXT)
    listing = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "x", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert main(["measure", "folder"]) == 2
    assert capsys.readouterr().err.startswith("twopart: folder/closed: no permission")


def test_json_keeps_names() -> None:
    _files.write_json("x.json", {"name": ODD, "greek": "θ"})
    text = Path("x.json").read_text("utf-8")
    assert json.loads(text) == {"name": ODD, "greek": "θ"}
    assert "θ" in text


def test_kinds() -> None:
    kinds = [_files.kind(name) for name in ("a.txt", "folder", "pipe", "nowhere", "missing", "a.txt/x", "/dev/null")]
    assert kinds == ["a file", "a folder", "a pipe", "a link to nothing", "", "", "a device"]


def test_other_methods_code_pipes_too() -> None:
    for k, method in enumerate((PitmanYorBytes(room_bits=10), ContextCounts())):
        thread = threading.Thread(target=lambda: Path("pipe").write_bytes(TEXT))
        thread.start()
        compress_file("pipe", f"{k}.tpz", method)
        thread.join()
        assert Path(f"{k}.tpz").read_bytes() == compress(TEXT, method)
