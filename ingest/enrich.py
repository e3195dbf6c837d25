"""What the site knows, added to events: direction, zones, assets. Without DNS or any other question over the network.

Adds only what an event does not say itself: `network.direction` from the site's own networks (ECS: from the
perimeter's point of view), and under `opsonin.source`, `opsonin.destination` and `opsonin.host` the zone, protection level,
owner and role of the asset there; `<side>.geo.*` and `<side>.as.*` from MaxMind-format files.
"""

from __future__ import annotations

import os
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from time import monotonic
from typing import Any, Final

import structlog
from pydantic import BaseModel, ConfigDict

from contract.errors import SettingsError
from contract.event import Fields
from contract.ports import Meter
from ingest.formats.address import canonical_ip
from ingest.formats.mmdb import Database
from ingest.inventory import Asset, Inventory, read_inventory

log = structlog.get_logger()

CHECK_EVERY_S: Final = 2.0
"""Between two looks at the files' times of change, as rules are looked at; an event is what makes us look."""

_DIRECTIONS: Final = {
    (True, True): "internal",
    (True, False): "outbound",
    (False, True): "inbound",
    (False, False): "external",
}
_PLACES: Final = ("source.geo.", "source.as.", "destination.geo.", "destination.as.")
_SIDES: Final = (("source.ip", "source."), ("destination.ip", "destination."))


class EnrichSettings(BaseModel):
    """What is known of the site.

    Attributes:
        own_networks: networks inside the perimeter; none: `network.direction` is not set.
        zones: networks by zone.
        inventory: CSV or JSON file of assets; read anew when it changes.
        geoip: files in MaxMind's format (City, Country, ASN, in any number); read anew when they change.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    own_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    zones: dict[str, tuple[IPv4Network | IPv6Network, ...]] = {}
    inventory: Path | None = None
    geoip: tuple[Path, ...] = ()


class Enrichment:
    """An `Enricher` made of settings.

    Raises:
        SettingsError: a file cannot be read.
    """

    def __init__(self, settings: EnrichSettings, meter: Meter) -> None:
        self._settings = settings
        self._meter = meter
        self._inventory = Inventory()
        self._databases: dict[Path, Database] = {}
        self._side = lru_cache(65_536)(self._look_up)
        paths = [*settings.geoip, *filter(None, [settings.inventory])]
        self._stamps = {path: _stamp(path) for path in paths}
        for path in paths:
            self._read(path)
        self._next_look = monotonic() + CHECK_EVERY_S

    @property
    def is_idle(self) -> bool:
        """Whether nothing is known that could be added."""
        known = self._settings
        return not (known.own_networks or known.zones or known.inventory or known.geoip)

    @property
    def tells_direction(self) -> bool:
        """Whether `network.direction` is set where an event does not state it."""
        return bool(self._settings.own_networks)

    def may_add(self, name: str) -> bool:
        """Tell whether a field of this name, other than the direction, may be added, and so replace an event's own."""
        if name.startswith("opsonin."):
            return True
        return bool(self._databases) and name.startswith(_PLACES)

    def of_address(self, text: str, side: str) -> tuple[bool, Fields]:
        """Return whether an address lies inside, and what is added of it as `source` or `destination`."""
        return self._side(text, side + ".")

    def of_host(self, host: str) -> Fields:
        """Return what is added of a host."""
        asset = self._inventory.of_host(host)
        return {} if asset is None else _of_asset(asset, "opsonin.host.")

    def is_renewed(self) -> bool:
        """Tell whether what is known has changed by now; asked for each event."""
        now = monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + CHECK_EVERY_S
        changed = [path for path, stamp in self._stamps.items() if _stamp(path) != stamp]
        renewed = [self._reload(path) for path in changed]
        return any(renewed)

    def __call__(self, fields: Fields) -> None:
        """Add what is known to one event's fields."""
        self.is_renewed()
        own: list[bool] = []
        for name, prefix in _SIDES:
            ip = fields.get(name)
            if type(ip) is str and (known := canonical_ip(ip)) is not None:
                is_own, added = self._side(known, prefix)
                own.append(is_own)
                fields.update(added)
        if len(own) == len(_SIDES) and self._settings.own_networks:
            fields.setdefault("network.direction", _DIRECTIONS[own[0], own[1]])
        host = fields.get("host.name")
        if type(host) is str:
            fields.update(self.of_host(host))

    def _look_up(self, ip: str, prefix: str) -> tuple[bool, Fields]:
        """Return whether an address is inside, and what is known of it there."""
        address = ip_address(ip)
        added: Fields = {}
        for database in self._databases.values():
            added |= _of_place(database.look_up(ip), prefix)
        prefix = "opsonin." + prefix
        for zone, networks in self._settings.zones.items():
            if any(address in network for network in networks):
                added[prefix + "zone"] = zone
                break
        asset = self._inventory.of_ip(ip)
        if asset is not None:
            added |= _of_asset(asset, prefix)
        return any(address in network for network in self._settings.own_networks), added

    def _read(self, path: Path) -> None:
        if path == self._settings.inventory:
            self._inventory = read_inventory(path)
        else:
            self._databases[path] = Database(path)

    def _reload(self, path: Path) -> bool:
        """Read a file again; of one that became unreadable the last good state stays, which is told and counted."""
        self._stamps[path] = _stamp(path)
        is_inventory = path == self._settings.inventory
        try:
            self._read(path)
        except SettingsError as error:
            if is_inventory:
                self._meter.add("inventory_errors")
            else:
                self._meter.add("geoip_errors")
            log.warning("enrichment.kept", reason=str(error))
            return False
        self._side.cache_clear()
        if is_inventory:
            self._meter.add("inventory_reloads")
        else:
            self._meter.add("geoip_reloads")
        log.info("enrichment.reloaded", path=str(path))
        return True


def _of_asset(asset: Asset, prefix: str) -> Fields:
    known = {
        "zone": asset.zone,
        "level": asset.level,
        "owner": asset.owner,
        "role": asset.role,
        "name": asset.host,
    }
    return {prefix + name: value for name, value in known.items() if value}


def _of_place(found: dict[str, Any], side: str) -> Fields:
    """Return ECS `geo.*` and `as.*` of what a database knows."""
    city, country, continent, location = (
        _mapping(found.get(name)) for name in ("city", "country", "continent", "location")
    )
    divisions = found.get("subdivisions")
    region = _mapping(divisions[0]) if isinstance(divisions, list) and divisions else {}
    latitude, longitude = location.get("latitude"), location.get("longitude")
    known = {
        "as.number": found.get("autonomous_system_number"),
        "as.organization.name": found.get("autonomous_system_organization"),
        "geo.city_name": _name(city),
        "geo.country_iso_code": country.get("iso_code"),
        "geo.country_name": _name(country),
        "geo.continent_code": continent.get("code"),
        "geo.continent_name": _name(continent),
        "geo.region_name": _name(region),
        "geo.timezone": location.get("time_zone"),
        "geo.location": {"lat": latitude, "lon": longitude} if latitude is not None else None,
    }
    if region.get("iso_code") and country.get("iso_code"):
        known["geo.region_iso_code"] = f"{country['iso_code']}-{region['iso_code']}"
    return {side + name: value for name, value in known.items() if value}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(place: dict[str, Any]) -> Any:
    return _mapping(place.get("names")).get("en")


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - twice as fast, and called while events flow
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
