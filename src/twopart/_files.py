"""Files that are whole or absent: write aside, fsync, rename. A process killed at any moment leaves the old file or the new.

atomic_path, write_*   a file of our own
kind                   what stands at a path, in a word; check_source, check_target: or what is wrong with it, on one line
reading, writing       what a user named: a file, a pipe, or `-` for a standard stream

Names are bytes, and need not be UTF-8; Python stands lone surrogates for the bytes that are none. JSON keeps these as escapes,
and so reads back the same name; people are shown the bytes (`shown`).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from twopart._checks import InputError

STREAM = "-"
"""Standard input or output, where a file is named."""
_OURS = {STREAM, "/dev/stdin", "/dev/stdout"}
_LONGEST = 200  # bytes of a name that are kept in that of the file beside it: a name has at most 255
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def atomic_path(path: str | Path, *, like: os.stat_result | None = None, new: bool = False) -> Iterator[Path]:
    """A path beside `path` to write to; it takes `path`'s place when the block ends well and is removed when it does not.

    The file has the mode, times and, where that is allowed, the owner of `like`. If it must be `new`, a file that came to
    `path` meanwhile is left alone, and `InputError` raised.
    """
    path = Path(path)
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    aside = _beside(path)
    try:  # a signal may end the program at any line from here on
        _make(aside, path)
        yield aside
        _fsync(aside)
        _dress(aside, like)
        _place(aside, path, new)
        _fsync(path.parent)
    except BaseException:
        aside.unlink(missing_ok=True)
        for folder in made:  # the innermost first
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        aside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A name that nobody has in the same folder."""
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST])
    return path.with_name(f".{name}.{secrets.token_hex(8)}.part")


def _make(aside: Path, path: Path) -> None:
    """The file, which only its owner can read, and its folders."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileNotFoundError as error:  # a file system that takes no files, as /proc
        raise InputError(f"{path} cannot be made; choose another place") from error


def _dress(path: Path, like: os.stat_result | None) -> None:
    """Mode, owner and times of `like`, as gzip and xz do it: who could not read the one cannot read the other."""
    if like is None:
        path.chmod(0o666 & ~_umask())
        return
    mode = like.st_mode & 0o777
    with suppress(OSError):
        os.chown(path, like.st_uid, -1)
    try:
        os.chown(path, -1, like.st_gid)
    except OSError:  # another group than that of `like` may do no more than all others may
        mode &= ~0o070 | mode << 3
    path.chmod(mode)
    os.utime(path, ns=(like.st_atime_ns, like.st_mtime_ns))


def _place(aside: Path, path: Path, new: bool) -> None:
    if new:
        try:
            os.link(aside, path)
        except FileExistsError:
            raise InputError(f"{path} came to be while it was written; remove it, or name another file") from None
        except OSError:  # a file system without links
            pass
        else:
            return
    aside.replace(path)


def write_bytes(path: str | Path, data: bytes) -> None:
    with atomic_path(path) as aside:
        aside.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Keys keep the order they were given in, so the same value gives the same bytes. NaN is refused: JSON has none."""
    write_bytes(path, to_json(value))


def to_json(value: Any) -> bytes:
    """Indented JSON in UTF-8; a lone surrogate, as in a name that is no UTF-8, becomes JSON's escape for it."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(errors="backslashreplace")


_BYTES, _UNPRINTED = re.compile("[\udc80-\udcff]"), re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def shown(text: str) -> str:
    """`text` with the bytes of a name that are no UTF-8 as \\xff, and without other surrogates: valid Unicode."""
    text = _BYTES.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)
    return text.encode(errors="replace").decode()


def on_one_line(text: str) -> str:
    """`shown`, with control characters escaped: what a name cannot do is to break a line or to command a terminal."""
    return _UNPRINTED.sub(lambda found: ascii(found[0])[1:-1], shown(text))


def kind(path: str | Path) -> str:
    """What stands there: "a file", "a folder", "a pipe", "a socket", "a device", "a link to nothing", or "" if nothing does."""
    try:
        return _KINDS.get(stat.S_IFMT(Path(path).stat().st_mode), "a device")
    except (FileNotFoundError, NotADirectoryError):
        return "a link to nothing" if Path(path).is_symlink() else ""


def named(name: str | Path) -> Path:
    """The path of a name; the file `./-`, which pathlib calls `-`, by its full path: it is no stream."""
    path = Path(name)
    return path.absolute() if str(path) == STREAM != os.fspath(name) else path


def is_stream(path: str | Path) -> bool:
    """Whether it is `-`, which stands for a standard stream, or a pipe."""
    return os.fspath(path) in _OURS or kind(path) == "a pipe"


def check_source(path: str | Path, remedy: str = "name a file") -> None:
    """Raise `InputError` unless `path` is a file or a stream, and so can be read to its end."""
    found = "a file" if is_stream(path) else kind(path)
    if found != "a file":
        raise InputError(f"{path} {f'is {found}' if found else 'does not exist'}; {remedy}")


def check_target(path: str | Path, *, streams: bool = False) -> None:
    """Raise `InputError` unless `path` is free for a new file; with `streams`, a device or a stream will do."""
    found = "a standard stream" if os.fspath(path) in _OURS else kind(path)
    if not found or (streams and found in ("a standard stream", "a pipe", "a device")):
        return
    if found == "a file":
        raise InputError(f"{path} exists; remove it, or name another file with --out")
    raise InputError(f"{path} is {found}; name a new file with --out")


def check_folder(path: str | Path, remedy: str = "choose another with --out") -> None:
    """Raise `InputError` unless `path` is a folder or free for a new one."""
    found = kind(path)
    if found and found != "a folder":
        raise InputError(f"{path} is {found}, not a folder; {remedy}")


@contextmanager
def reading(path: str | Path, *, steady: bool = False) -> Iterator[BinaryIO]:
    """The bytes of a file or stream. If it must be `steady`, a file that changes meanwhile raises `InputError` at the end."""
    if os.fspath(path) in _OURS:
        yield _standard("stdin")
        return
    check_source(path)
    with Path(path).open("rb") as opened:
        before = os.fstat(opened.fileno())
        yield opened
        after = os.fstat(opened.fileno())
        if (
            steady
            and stat.S_ISREG(before.st_mode)
            and (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
        ):
            raise InputError(f"{path} changed while it was read; wait until nobody writes to it")


@contextmanager
def writing(path: str | Path, *, like: str | Path | None = None, replace: bool = True) -> Iterator[BinaryIO]:
    """A file to write to that becomes the file `path`, with mode and times of the file `like`, or is sent there if `path` is
    a stream or device: when the block ends well, else nothing is. A file that is there is only replaced if told so.
    """
    if not replace or kind(path) != "a file":
        check_target(path, streams=True)
    if kind(path) in ("", "a file") and not is_stream(path):
        dress = Path(like).stat() if like is not None and kind(like) == "a file" and not is_stream(like) else None
        with atomic_path(path, like=dress, new=not replace) as aside, aside.open("wb") as sink:
            yield sink
        return
    with scratch() as sink:
        yield sink
        sink.seek(0)
        if os.fspath(path) in _OURS:
            shutil.copyfileobj(sink, _standard("stdout"))
            return
        with Path(path).open("wb") as out:
            shutil.copyfileobj(sink, out)


def scratch() -> BinaryIO:
    """A file of no name, which is gone when it is closed."""
    try:
        return cast(BinaryIO, tempfile.TemporaryFile())
    except FileNotFoundError as error:
        raise InputError("there is no folder for temporary files; set TMPDIR to one that can be written") from error


def _standard(name: str) -> BinaryIO:
    stream = getattr(sys, name)
    if stream is None:
        raise InputError(f"there is no {name}; name a file")
    return cast(BinaryIO, stream.buffer)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
