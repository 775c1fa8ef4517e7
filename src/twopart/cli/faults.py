"""Which errors are the user's to mend, and the one line that says how. Any other is a fault of twopart, with a traceback."""

from __future__ import annotations

import errno

from twopart._checks import InputError
from twopart._files import on_one_line

_REMEDIES: dict[int, str] = {
    errno.ENOSPC: "the disk is full; free some space or choose another disk",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another disk",
    errno.EFBIG: "the file would be larger than the system allows; raise the limit (ulimit -f) or write less",
    errno.EACCES: "no permission; choose another place or change its permissions",
    errno.EPERM: "not permitted; choose another place or change its permissions",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.EEXIST: "there is a file where a folder is needed; choose another place",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another place",
    errno.ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
    errno.EISDIR: "it is a folder; name a file",
    errno.ELOOP: "its links lead round in a circle; name the file itself",
    errno.EIO: "the device failed to read or write; try another one",
    errno.ENXIO: "there is nothing behind this name to read from or write to; name a file",
    errno.ENODEV: "there is nothing behind this name to read from or write to; name a file",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.ENOLCK: "the file system cannot lock files; choose a local disk",
}


def one_line(error: BaseException) -> str | None:
    """What is wrong and what to do, on one line; None if the program is at fault."""
    if isinstance(error, InputError):
        return _line(str(error))
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        where = f"{error.filename}: " if error.filename else ""
        return _line(f"{where}{_REMEDIES[error.errno]}")
    return None


def _line(text: str) -> str:
    return on_one_line(" ".join(text.split()))
