"""What the tests need to know of other processes (Linux)."""

from pathlib import Path


def children_of(pid: int) -> list[int]:
    """The processes whose parent is `pid`."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(_after_name(status)[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(status.parent.name))
    return found


def is_running(pid: int) -> bool:
    try:
        return _after_name(Path(f"/proc/{pid}/stat"))[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _after_name(status: Path) -> list[str]:
    """State, parent, ...: what follows the program's name, which may hold anything."""
    return status.read_text().rpartition(")")[2].split()
