"""MaxMind-format files: what the published test databases hold, and what a damaged one does not break."""

import random
from pathlib import Path
from typing import Any

import pytest

from contract.errors import SettingsError
from contract.meter import MemoryMeter
from ingest.enrich import Enrichment, EnrichSettings
from ingest.formats.mmdb import Database

FOLDER = Path(__file__).parents[4] / "shared/data/ingest/dev/schemas/maxmind_test_db"
CITY, ASN = FOLDER / "GeoLite2-City-Test.mmdb", FOLDER / "GeoLite2-ASN-Test.mmdb"
needs_databases = pytest.mark.skipif(
    not CITY.exists(), reason="the shared MaxMind test databases are absent"
)


def small(value: bytes, *, bits: int = 24, nodes: int = 1, version: int = 4) -> bytes:
    """A database of one node whose both sides lead to the value."""
    target = nodes + 16
    tree = target.to_bytes(bits // 8, "big") * 2
    numbers = ((b"node_count", nodes), (b"record_size", bits), (b"ip_version", version))
    metadata = b"\xe4" + b"".join(
        bytes([0x40 | len(name)]) + name + b"\xc1" + bytes([number]) for name, number in numbers
    )
    metadata += b"\x4ddatabase_type" + b"\x44Test"
    return tree + bytes(16) + value + b"\xab\xcd\xefMaxMind.com" + metadata


def test_a_small_database_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mmdb"
    path.write_bytes(small(b"\xe1\x41a\x41b"))
    database = Database(path)
    assert database.kind == "Test"
    assert database.look_up("192.0.2.1") == {"a": "b"}
    assert database.look_up("2001:db8::1") == {}


@pytest.mark.parametrize(
    "value",
    [
        b"\x20\x00",
        b"\xff\xff\xff\xff",
        b"\x5f",
        b"",
        b"\x42a",
        b"\x42\xff\xff",
        b"\xe1\x20\x00\x20\x00",
    ],
)
def test_damaged_values_give_nothing(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "a.mmdb"
    path.write_bytes(small(value))
    assert Database(path).look_up("192.0.2.1") == {}


@pytest.mark.parametrize(
    "data", [b"", b"no database", b"\xab\xcd\xefMaxMind.com", b"\xab\xcd\xefMaxMind.com\xe1"]
)
def test_what_is_no_database_is_said(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mmdb"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match="MaxMind"):
        Database(path)


@needs_databases
@pytest.mark.shared
def test_the_published_databases_are_read() -> None:
    city = Database(CITY).look_up("81.2.69.160")
    assert city["country"]["iso_code"] == "GB"
    assert city["city"]["names"]["en"] == "London"
    assert Database(ASN).look_up("1.128.0.0")["autonomous_system_number"] == 1221
    assert Database(CITY).look_up("192.0.2.1") == {}
    assert Database(CITY).look_up("2001:218::1")["country"]["iso_code"] == "JP"


@needs_databases
@pytest.mark.shared
def test_events_learn_where_their_addresses_are() -> None:
    fields: dict[str, Any] = {"source.ip": "81.2.69.160", "destination.ip": "1.128.0.0"}
    Enrichment(EnrichSettings(geoip=(CITY, ASN)), MemoryMeter())(fields)
    assert fields["source.geo.city_name"] == "London"
    assert fields["source.geo.country_iso_code"] == "GB"
    assert set(fields["source.geo.location"]) == {"lat", "lon"}
    assert fields["destination.as.number"] == 1221


@needs_databases
@pytest.mark.shared
def test_a_damaged_database_never_raises_later(tmp_path: Path) -> None:
    whole, chance = CITY.read_bytes(), random.Random(1)  # noqa: S311 - repeatable, no secret
    path = tmp_path / "a.mmdb"
    for _ in range(30):
        data = bytearray(whole)
        for _ in range(200):
            data[chance.randrange(len(data) - 400)] = chance.randrange(256)
        path.write_bytes(data)
        database = Database(path)
        for number in range(0, 256, 5):
            assert isinstance(database.look_up(f"81.{number}.69.160"), dict)


def test_a_replaced_geoip_file_is_read_anew_and_a_damaged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.enrich.CHECK_EVERY_S", 0.0)

    def place(country: str) -> Path:
        made = tmp_path / f"{country}.new"
        made.write_bytes(small(b"\xe1\x47country\xe1\x48iso_code\x42" + country.encode()))
        return made

    path, meter = tmp_path / "places.mmdb", MemoryMeter()
    place("AT").rename(path)
    enrich = Enrichment(EnrichSettings(geoip=(path,)), meter)

    def country() -> Any:
        fields: dict[str, Any] = {"source.ip": "192.0.2.1"}
        enrich(fields)
        return fields["source.geo.country_iso_code"]

    assert country() == "AT"
    place("NL").rename(path)
    assert country() == "NL"
    path.write_bytes(b"half of it")
    assert country() == "NL"
    assert (meter.total("geoip_reloads"), meter.total("geoip_errors")) == (1, 1)
