"""Files that hold a secret: for their owner alone, and never written over."""

import os
import stat
from pathlib import Path

from hanse_privacy.errors import KeyFileError


def read_key_file(path: Path, *, what: str, absent: str) -> bytes:
    """Read a secret that only its owner can read.

    Args:
        path: The file.
        what: What it holds, for errors, such as ``pseudonym key``.
        absent: What to do if it cannot be read.

    Raises:
        KeyFileError: If it cannot be read, or others may read it.
    """
    try:
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"The {what} {path.name} cannot be read ({error.strerror}).", absent) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"The {what} {path.name} can be read by other accounts.", f"Run: chmod 600 {path}")
    return content


def write_key_file(path: Path, content: bytes, *, what: str) -> None:
    """Write a secret durably, for its owner alone (mode 0600).

    Raises:
        KeyFileError: If the file exists or cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyFileError(
            f"The {what} {path.name} cannot be written ({error.strerror}).",
            "A key is never overwritten: move the old one away first.",
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
