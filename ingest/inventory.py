"""The asset inventory: what the operator knows of hosts and addresses, from a CSV or JSON file, read anew when it changes.

A file names per line or object any of: `ip` (address or network), `host`, `zone`, `level` (protection level 1 to 5 of
GB/T 22239), `owner`, `role`. The most specific network that holds an address counts.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final, TypeAlias

from contract.errors import SettingsError

Network: TypeAlias = IPv4Network | IPv6Network

MAX_ASSETS: Final = 1_000_000
_LEVELS: Final = frozenset(("", "1", "2", "3", "4", "5"))
_COLUMNS: Final = ("ip", "host", "zone", "level", "owner", "role")
_EXPECTED: Final = f"ip or host or both, of {', '.join(_COLUMNS)}"


@dataclass(slots=True, frozen=True)
class Asset:
    """One line of the inventory."""

    host: str = ""
    zone: str = ""
    level: int | None = None
    owner: str = ""
    role: str = ""


_Row: TypeAlias = tuple[Network | None, Asset]


class Inventory:
    """Assets by address and by host name."""

    def __init__(self, rows: Iterable[_Row] = ()) -> None:
        self._by_host: dict[str, Asset] = {}
        self._by_network: dict[tuple[int, int], dict[int, Asset]] = {}
        for network, asset in rows:
            if asset.host:
                self._by_host[asset.host.lower()] = asset
            if network is not None:
                key = (network.version, network.prefixlen)
                self._by_network.setdefault(key, {})[int(network.network_address)] = asset
        self._prefixes = sorted(self._by_network, key=lambda key: -key[1])

    def of_host(self, name: str) -> Asset | None:
        """Return the asset of a host name, whatever its case; of `a.example.com` also that of `a`."""
        lower = name.lower()
        return self._by_host.get(lower) or self._by_host.get(lower.partition(".")[0])

    def of_ip(self, text: str) -> Asset | None:
        """Return the asset of the most specific network that holds an address. O(prefix lengths)."""
        address = ip_address(text)
        number = int(address)
        for version, length in self._prefixes:
            if version == address.version:
                shift = address.max_prefixlen - length
                found = self._by_network[version, length].get(number >> shift << shift)
                if found is not None:
                    return found
        return None


def read_inventory(path: Path) -> Inventory:
    """Read a `.json` file (a list of objects) or a CSV file with a header.

    Raises:
        SettingsError: the file cannot be read, or a line says something that cannot be; file and line are named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the inventory cannot be read: {error}", file=str(path)) from error
    rows = _of_json(text, path) if path.suffix == ".json" else _of_csv(text, path)
    if len(rows) > MAX_ASSETS:
        raise SettingsError(f"{len(rows)} assets; expected at most {MAX_ASSETS}", file=str(path))
    return Inventory(rows)


def _of_json(text: str, path: Path) -> list[_Row]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"not JSON: {error}", file=str(path)) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SettingsError("expected a list of objects", file=str(path))
    return [_row(row, str(path), 0, f"entry {number}: ") for number, row in enumerate(rows, 1)]


def _of_csv(text: str, path: Path) -> list[_Row]:
    reader = csv.DictReader(text.splitlines(), restkey="behind the last one")
    header = {name.strip().lower() for name in reader.fieldnames or ()}
    if not header & {"ip", "host"}:
        came = text.partition("\n")[0][:80]
        raise SettingsError(
            f"expected a header with {_EXPECTED}; came {came!r}", file=str(path), line=1
        )
    return [_row(row, str(path), reader.line_num) for row in reader]


def _row(row: Mapping[str, Any], file: str, line: int, place: str = "") -> _Row:
    known = {
        str(name).strip().lower(): "" if value is None else str(value).strip()
        for name, value in row.items()
    }

    def fault(text: str) -> SettingsError:
        return SettingsError(place + text, file=file, line=line)

    if strange := known.keys() - set(_COLUMNS):
        raise fault(f"unknown columns {', '.join(sorted(strange))}; expected {_EXPECTED}")
    if not known.get("ip") and not known.get("host"):
        raise fault("expected ip or host")
    try:
        network = ip_network(known["ip"], strict=False) if known.get("ip") else None
    except ValueError as error:
        raise fault(f"ip: expected an address or a network; came {known['ip']!r}") from error
    level = known.get("level", "")
    if level not in _LEVELS:
        raise fault(f"level: expected 1 to 5; came {level!r}")
    names = {name: known.get(name, "") for name in ("host", "zone", "owner", "role")}
    return network, Asset(level=int(level) if level else None, **names)
