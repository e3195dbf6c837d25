"""Databases in MaxMind's format, read without a library: what an address belongs to.

Source: "MaxMind DB File Format Specification", version 2.0 (2018). The whole file is held in memory. A damaged
or hostile file gives an error or nothing, never an endless loop: depth and sizes are bounded by the file.
"""

from __future__ import annotations

import struct
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final

from contract.errors import SettingsError

_MARKER: Final = b"\xab\xcd\xefMaxMind.com"
_MARKER_WITHIN: Final = 128 * 1024
_SEPARATOR: Final = 16
_MAX_DEPTH: Final = 16
_POINTER, _TEXT, _DOUBLE, _BYTES, _MAP, _INT32, _ARRAY, _BOOLEAN, _FLOAT = (
    1,
    2,
    3,
    4,
    7,
    8,
    11,
    14,
    15,
)
_UNSIGNED: Final = frozenset((5, 6, 9, 10))
_POINTER_BASES: Final = (0, 2048, 526_336, 0)
_IPV4_BITS: Final = 32


class _DamagedError(Exception):
    """The file says something that its format does not allow."""


class Database:
    """An opened file.

    Attributes:
        kind: what the file says it is, e.g. `GeoLite2-City`.

    Raises:
        SettingsError: the file cannot be read or is none.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._data = path.read_bytes()
        except OSError as error:
            raise SettingsError(f"cannot be read: {error.strerror}", file=str(path)) from error
        at = self._data.rfind(_MARKER, max(0, len(self._data) - _MARKER_WITHIN))
        if at < 0:
            raise SettingsError("expected a file in MaxMind's format", file=str(path))
        self._base = at + len(_MARKER)
        try:
            self._read_metadata(self._value(self._base)[0], at)
        except (_DamagedError, KeyError, TypeError, ValueError, IndexError, struct.error) as error:
            raise SettingsError("a damaged file of MaxMind's format", file=str(path)) from error
        self._base = self._tree_bytes + _SEPARATOR
        self._ipv4_root = self._find_ipv4_root()

    def _read_metadata(self, metadata: dict[str, Any], end: int) -> None:
        self._nodes = int(metadata["node_count"])
        self._bits = int(metadata["record_size"])
        self._version = int(metadata["ip_version"])
        self.kind = str(metadata["database_type"])
        self._tree_bytes = self._nodes * self._bits // 4
        if self._bits not in {24, 28, 32} or self._tree_bytes + _SEPARATOR > end:
            raise _DamagedError

    def look_up(self, ip: str) -> dict[str, Any]:
        """Return what is known of a canonical address; nothing: an empty mapping."""
        packed = inet_pton(AF_INET6 if ":" in ip else AF_INET, ip)
        bits = len(packed) * 8
        if bits > _IPV4_BITS and self._version == 4:  # noqa: PLR2004 - a file of IPv4 only
            return {}
        node = self._ipv4_root if bits == _IPV4_BITS else 0
        number = int.from_bytes(packed, "big")
        for shift in range(bits - 1, -1, -1):
            if node >= self._nodes:
                break
            node = self._child(node, number >> shift & 1)
        if node <= self._nodes:
            return {}
        try:
            found = self._value(node - self._nodes + self._tree_bytes)[0]
        except (_DamagedError, ValueError, TypeError, IndexError, struct.error):
            return {}
        return found if isinstance(found, dict) else {}

    def _find_ipv4_root(self) -> int:
        node = 0
        if self._version == 6:  # noqa: PLR2004 - IPv4 lies under ::/96
            for _ in range(96):
                if node >= self._nodes:
                    break
                node = self._child(node, 0)
        return node

    def _child(self, node: int, side: int) -> int:
        size = self._bits // 4
        record = self._data[node * size : node * size + size]
        if self._bits == 28:  # noqa: PLR2004 - the middle byte holds the high bits of both
            high = record[3] >> 4 if side == 0 else record[3] & 0xF
            low = record[:3] if side == 0 else record[4:]
            return high << 24 | int.from_bytes(low, "big")
        half = size // 2
        return int.from_bytes(record[side * half : side * half + half], "big")

    def _value(self, at: int, depth: int = 0) -> tuple[Any, int]:
        """Return the value at a place, and the place behind it."""
        if depth > _MAX_DEPTH or at >= len(self._data):
            raise _DamagedError
        control = self._data[at]
        at += 1
        kind = control >> 5
        if kind == _POINTER:
            return self._pointed(control, at, depth)
        if kind == 0:
            kind = 7 + self._data[at]
            at += 1
        size = control & 0x1F
        if size >= 29:  # noqa: PLR2004 - one to three bytes of size follow
            count = size - 28
            size = (29, 285, 65_821)[count - 1] + int.from_bytes(self._data[at : at + count], "big")
            at += count
        if kind == _MAP:
            return self._map(size, at, depth)
        if kind == _ARRAY:
            found = []
            for _ in range(size):
                value, at = self._value(at, depth + 1)
                found.append(value)
            return found, at
        if kind == _BOOLEAN:
            return bool(size), at
        return self._scalar(kind, self._data[at : at + size]), at + size

    def _map(self, size: int, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        for _ in range(size):
            key, at = self._value(at, depth + 1)
            found[str(key)], at = self._value(at, depth + 1)
        return found, at

    def _pointed(self, control: int, at: int, depth: int) -> tuple[Any, int]:
        count = (control >> 3 & 3) + 1
        high = control & 7 if count < 4 else 0  # noqa: PLR2004 - the longest form has all its bits behind
        target = high << 8 * count | int.from_bytes(self._data[at : at + count], "big")
        value, _ = self._value(self._base + target + _POINTER_BASES[count - 1], depth + 1)
        return value, at + count

    @staticmethod
    def _scalar(kind: int, data: bytes) -> Any:
        if kind == _TEXT:
            return data.decode()
        if kind in _UNSIGNED:
            return int.from_bytes(data, "big")
        if kind == _INT32:
            return int.from_bytes(data.rjust(4, b"\0"), "big", signed=True)
        if kind == _DOUBLE:
            return struct.unpack("!d", data)[0]
        if kind == _FLOAT:
            return struct.unpack("!f", data)[0]
        if kind == _BYTES:
            return data
        raise _DamagedError
