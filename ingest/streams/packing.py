"""Unpack the body of a post under a bound: gzip, deflate, and zstd where Python has it (3.14).

Source: RFC 9110, 8.4.1 (content codings), RFC 8878 (zstd).
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any

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
    try:
        if coding in {"gzip", "x-gzip"}:
            return _unpack(zlib.decompressobj(zlib.MAX_WBITS | 16), body, bound)
        if coding == "deflate":
            return _unpack(zlib.decompressobj(), body, bound)
        if coding == "zstd":
            return _unpack(_zstd(), body, bound)
    except (zlib.error, EOFError, ValueError) as error:
        raise ParseError(f"damaged {coding} data: {error}") from error
    raise ParseError(f"content coding {coding!r} is unknown; expected gzip, deflate or zstd")


def _unpack(opened: Any, body: bytes, bound: int) -> bytes:
    found = opened.decompress(body, bound + 1)
    if len(found) > bound:
        raise TooLargeError(f"more than {bound} bytes unpacked")
    if not opened.eof:
        raise ParseError("the packed data end too early")
    return bytes(found)


def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name).ZstdDecompressor()
        except ImportError:
            continue
    raise ParseError("zstd needs Python 3.14 or the package backports.zstd")
