"""Where to go on in a file, told by what does not change when the file is renamed.

Device and inode name the file; since inode numbers are used again, the hash of its first bytes must fit
too. The offset always stands at the beginning of a line; in a gzip file it counts unpacked bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final

from contract.errors import StoreError

POSITION_VERSION: Final = 1
HEAD_BYTES: Final = 256


@dataclass(slots=True, frozen=True)
class Place:
    """A place in one file."""

    path: str
    dev: int
    inode: int
    offset: int
    head: str
    head_bytes: int

    def fits(self, file: BinaryIO) -> bool:
        """Whether the open file begins as this one did and is not shorter."""
        if not self.path.endswith(".gz") and file.seek(0, io.SEEK_END) < self.offset:
            return False
        return head_of(file, self.head_bytes) == (self.head, self.head_bytes)


def head_of(file: BinaryIO, size: int = HEAD_BYTES) -> tuple[str, int]:
    """Return hash and number of the first bytes, at most `size`; the file's place is moved."""
    file.seek(0)
    head = file.read(size)
    return blake2b(head, digest_size=12).hexdigest(), len(head)


def to_position(places: Iterable[Place]) -> dict[str, Any]:
    """Return the JSON form of the places of a source."""
    return {"version": POSITION_VERSION, "files": [asdict(place) for place in places]}


def from_position(position: Any) -> list[Place]:
    """Read back what `to_position` made; None is none.

    Raises:
        StoreError: of a newer version, or malformed.
    """
    if position is None:
        return []
    try:
        version = position["version"]
        if version != POSITION_VERSION:
            raise StoreError(f"a file position of version {version}; expected {POSITION_VERSION}")
        return [Place(**place) for place in position["files"]]
    except (KeyError, TypeError) as error:
        raise StoreError(f"a file position that cannot be read: {error}") from error


def place_of(path: Path, places: Iterable[Place]) -> Place | None:
    """Return the place that speaks of this very file, whatever its name is now."""
    try:
        status = path.stat()
        same = [one for one in places if (one.dev, one.inode) == (status.st_dev, status.st_ino)]
        if not same:
            return None
        with path.open("rb") as file:
            return next((one for one in same if one.fits(file)), None)
    except OSError:
        return None
