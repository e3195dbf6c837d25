"""Unpack the body of a post under a bound: gzip, deflate, zstd.

Source: RFC 9110, 8.4.1 (content codings), RFC 8878 (zstd).
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Any, Final

from contract.errors import ParseError


class TooLargeError(ParseError):
    """What comes out is beyond the bound."""


def unpack(body: bytes, coding: str, bound: int) -> bytes:
    """Return the unpacked body; never holds more than `bound` bytes of it and one chunk.

    Raises:
        TooLargeError: more than `bound` comes out.
        ParseError: an unknown coding, or damaged or cut data.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return body
    make = _CODINGS.get(coding)
    if make is None:
        raise ParseError(f"content coding {coding!r} is unknown; expected gzip, deflate or zstd")
    try:
        return _unpack(make, body, bound)
    except _faults(coding) as error:
        raise ParseError(f"damaged {coding} data: {error}") from error


def _unpack(make: Callable[[], Any], body: bytes, bound: int) -> bytes:
    """Unpack one part after another: gzip and zstd may consist of several."""
    found = b""
    while body.strip(b"\0"):
        opened = make()
        found += opened.decompress(body, bound + 1 - len(found))
        if len(found) > bound:
            raise TooLargeError(f"more than {bound} bytes unpacked")
        if not opened.eof:
            raise ParseError("the packed data end too early")
        body = opened.unused_data
    return found


def _faults(coding: str) -> tuple[type[Exception], ...]:
    """Return what a library raises on damaged data; zstd's own error descends from none of the usual ones."""
    own = _zstd().ZstdError if coding == "zstd" else zlib.error
    return own, EOFError, ValueError


def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ParseError("zstd needs Python 3.14 or the package backports.zstd")


_CODINGS: Final[dict[str, Callable[[], Any]]] = {
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "x-gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "deflate": zlib.decompressobj,
    "zstd": lambda: _zstd().ZstdDecompressor(),
}
