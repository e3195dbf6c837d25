"""Ids derived from causes: the same cause gives the same id, so a replay repeats and a duplicate collapses."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

_DIGEST_BYTES = 12  # 96 bits: one collision expected after 2**48 records of a kind


def derive_id(kind: str, *causes: str | bytes) -> str:
    """Return the id of a record of this kind that these causes, in this order, brought about.

    24 lower-case hex digits. Causes are length-prefixed, so ("ab", "c") and ("a", "bc") differ.
    O(total length).
    """
    digest = _state_of(kind).copy()
    for cause in causes:
        data = cause.encode("utf-8", "surrogatepass") if isinstance(cause, str) else cause
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    return digest.hexdigest()


@lru_cache
def _state_of(kind: str) -> blake2b:
    return blake2b(digest_size=_DIGEST_BYTES, person=kind.encode()[:16])


def event_id(adapter: str, raw: bytes, part: int = 0) -> str:
    """Return the id of the `part`-th event (from 0) that `adapter` read in the record `raw`.

    Neither transport nor position counts: the same line received twice, by two paths, or replayed
    from a shuffled file, is the same event.
    """
    # Copying a state costs half of making one, and nearly every record is one event.
    digest = _FIRST_PART.copy() if part == 0 else _event_state(part)
    digest.update(raw)
    digest.update(adapter.encode())
    return digest.hexdigest()


def _event_state(part: int) -> blake2b:
    return blake2b(digest_size=_DIGEST_BYTES, person=b"event", salt=part.to_bytes(8, "big"))


_FIRST_PART = _event_state(0)
