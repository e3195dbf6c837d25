"""Where to go on in a file, told by what does not change when the file is renamed.

Device and inode name the file; since inode numbers are used again, the hash of its first bytes must fit
too. The offset always stands at the beginning of a line; in a gzip file it counts unpacked bytes. A copy, packed or not, is
known by its first bytes and by those before the offset.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from contract.errors import StoreError

POSITION_VERSION: Final = 1
HEAD_BYTES: Final = 256
LAST_BYTES: Final = 64


@dataclass(slots=True, frozen=True)
class Place:
    """A place in one file.

    Attributes:
        head: hash of the first `head_bytes`.
        last: hash of what stands before the offset; empty: not known.
    """

    path: str
    dev: int
    inode: int
    offset: int
    head: str
    head_bytes: int
    last: str = ""

    def fits(self, file: BinaryIO) -> bool:
        """Whether the open file begins as this one did and is not shorter."""
        if not self.path.endswith(".gz") and file.seek(0, io.SEEK_END) < self.offset:
            return False
        return head_of(file, self.head_bytes) == (self.head, self.head_bytes)

    def is_copied_to(self, path: Path) -> bool:
        """Whether another file holds what this one held up to the offset. O(offset) of a packed file."""
        if not self.offset or not self.last:
            return False
        try:
            with path.open("rb") as raw:
                file = raw if path.suffix != ".gz" else cast("BinaryIO", gzip.GzipFile(fileobj=raw))
                if head_of(file, self.head_bytes) != (self.head, self.head_bytes):
                    return False
                file.seek(max(0, self.offset - LAST_BYTES))
                return hash_of(file.read(min(self.offset, LAST_BYTES))) == self.last
        except (OSError, EOFError, zlib.error):
            return False


def hash_of(data: bytes) -> str:
    """Return what stands for some bytes."""
    return blake2b(data, digest_size=12).hexdigest()


def last_of(file: int, offset: int) -> str:
    """Return the hash of what stands before an offset of an open file."""
    start = max(0, offset - LAST_BYTES)
    return hash_of(os.pread(file, offset - start, start)) if offset else ""


def head_of(file: BinaryIO, size: int = HEAD_BYTES) -> tuple[str, int]:
    """Return hash and number of the first bytes, at most `size`; the file's place is moved."""
    file.seek(0)
    head = file.read(size)
    return hash_of(head), len(head)


def to_position(
    places: Iterable[Place], looked_ns: int = 0, turned: Iterable[Path] = ()
) -> dict[str, Any]:
    """Return the JSON form of the places of a source, of when files were last looked for, and of logs turned since."""
    files = [asdict(place) for place in places]
    logs = sorted(map(str, turned))
    return {"version": POSITION_VERSION, "files": files, "looked_ns": looked_ns, "turned": logs}


def looked_at(position: Any, now_ns: int) -> tuple[int, set[Path]]:
    """Return when files were last looked for, in nanoseconds since 1970, and the logs turned since; `now_ns`: never."""
    said = position or {}
    return said.get("looked_ns") or now_ns, {Path(one) for one in said.get("turned", ())}


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


def key_of(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file; None: it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def place_of(path: Path, places: Iterable[Place]) -> Place | None:
    """Return the place that speaks of this very file, whatever its name is now."""
    key = key_of(path)
    same = [one for one in places if (one.dev, one.inode) == key]
    if not same:
        return None
    try:
        with path.open("rb") as file:
            return next((one for one in same if one.fits(file)), None)
    except OSError:
        return None


def copies(places: Iterable[Place], paths: Collection[Path]) -> dict[Path, Place]:
    """Return, of places whose own file is gone or begins anew, the file beside it that was made of it."""
    found = {}
    for place in places:
        own = Path(place.path)
        beside = [
            one for one in paths if one.parent == own.parent and one.name.startswith(own.name)
        ]
        if any(place_of(one, [place]) for one in beside):
            continue
        if (copy := next((one for one in beside if place.is_copied_to(one)), None)) is not None:
            found[copy] = place
    return found
