"""What the site knows is added, and nothing that an event says itself is changed."""

import os
from pathlib import Path
from typing import Any

import pytest

from contract.errors import SettingsError
from contract.event import Event
from contract.meter import MemoryMeter
from contract.ports import Adapter, Context
from contract.timestamps import from_iso
from ingest.enrich import Enrichment, EnrichSettings
from ingest.inventory import read_inventory
from ingest.normalize import Normalizer
from ingest.normalize_settings import NormalizeSettings

OWN = ("192.0.2.0/24", "2001:db8::/32")


def enriched(fields: dict[str, Any], **settings: Any) -> dict[str, Any]:
    Enrichment(EnrichSettings.model_validate(settings), MemoryMeter())(fields)
    return fields


@pytest.mark.parametrize(
    ("source", "destination", "direction"),
    [
        ("192.0.2.1", "2001:db8::1", "internal"),
        ("192.0.2.1", "203.0.113.1", "outbound"),
        ("203.0.113.1", "192.0.2.1", "inbound"),
        ("203.0.113.1", "198.51.100.1", "external"),
    ],
)
def test_direction_follows_from_own_networks(source: str, destination: str, direction: str) -> None:
    fields = enriched({"source.ip": source, "destination.ip": destination}, own_networks=OWN)
    assert fields["network.direction"] == direction


def test_what_an_event_says_itself_stays() -> None:
    said = {"source.ip": "192.0.2.1", "destination.ip": "192.0.2.2", "network.direction": "ingress"}
    assert enriched(dict(said), own_networks=OWN) == said
    assert "network.direction" not in enriched({"source.ip": "192.0.2.1"}, own_networks=OWN)
    assert enriched({"source.ip": "gw", "destination.ip": 5}, own_networks=OWN) == {
        "source.ip": "gw",
        "destination.ip": 5,
    }


def test_zones_and_assets_are_told_for_each_side_and_the_host(tmp_path: Path) -> None:
    inventory = tmp_path / "assets.csv"
    inventory.write_text(
        "ip,host,zone,level,owner,role\n192.0.2.0/24,,office,2,,\n192.0.2.10,db,,4,alice,database\n,web,dmz,3,,\n"
    )
    fields = enriched(
        {"source.ip": "192.0.2.77", "destination.ip": "192.0.2.10", "host.name": "WEB.example.com"},
        inventory=inventory, zones={"lan": ["192.0.2.0/25"]},
    )  # fmt: skip
    assert fields["opsonin.source.zone"] == "office"
    assert fields["opsonin.source.level"] == 2
    assert fields["opsonin.destination.level"] == 4
    assert fields["opsonin.destination.zone"] == "lan"
    assert fields["opsonin.destination.role"] == "database"
    assert (fields["opsonin.host.zone"], fields["opsonin.host.level"]) == ("dmz", 3)


def test_a_changed_inventory_is_read_anew_and_a_broken_one_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.enrich.CHECK_EVERY_S", 0.0)
    inventory = tmp_path / "assets.json"
    inventory.write_text('[{"ip": "192.0.2.1", "level": 1}]')
    meter = MemoryMeter()
    enrich = Enrichment(EnrichSettings(inventory=inventory), meter)

    def level() -> Any:
        fields: dict[str, Any] = {"source.ip": "192.0.2.1"}
        enrich(fields)
        return fields["opsonin.source.level"]

    assert level() == 1
    inventory.write_text('[{"ip": "192.0.2.1", "level": 5}]')
    os.utime(inventory, ns=(1, 1))
    assert level() == 5
    inventory.write_text("broken")
    assert level() == 5
    assert (meter.total("inventory_reloads"), meter.total("inventory_errors")) == (1, 1)
    told = capsys.readouterr()
    assert f"{inventory}: not JSON" in told.out + told.err
    inventory.unlink()
    assert level() == 5
    inventory.write_text('[{"ip": "192.0.2.1", "level": 2}]')
    assert level() == 2
    assert (meter.total("inventory_reloads"), meter.total("inventory_errors")) == (2, 2)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "ip,level\n192.0.2.1,6\n", ":2: level: expected 1 to 5; came '6'"),
        ("a.csv", "ip,level\n\n192.0.2.1,1\n192.0.2.999,1\n", ":4: ip: expected an address"),
        ("a.csv", "ip,host\n192.0.2.1,a,b\n", ":2: unknown columns behind the last one"),
        ("a.csv", "ip;host\n192.0.2.1;a\n", ":1: expected a header with ip or host .*'ip;host'"),
        ("a.csv", "", ":1: expected a header"),
        (
            "a.json",
            '[{"ip": "192.0.2.1"}, {"ip": "192.0.2.2", "level": 0}]',
            "json: entry 2: level",
        ),
        ("a.csv", "ip,colour\n192.0.2.1,red\n", "unknown columns colour"),
        ("a.csv", "owner\nalice\n", "expected a header with ip or host"),
        ("a.csv", "ip,owner\n,alice\n", ":2: expected ip or host"),
        ("a.json", "{}", "expected a list"),
        ("a.json", "[", "not JSON"),
    ],
)
def test_a_wrong_inventory_is_said_with_its_line(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=words):
        read_inventory(tmp_path / name)


def test_the_normalizer_enriches_by_its_settings() -> None:
    adapter = Adapter(
        "t.t", lambda raw, context: [{"source.ip": "192.0.2.1", "destination.ip": "203.0.113.1"}]
    )
    settings = NormalizeSettings.model_validate({"enrich": {"own_networks": OWN}})
    (event,) = Normalizer(adapter, "gw", settings=settings).take(
        b"x", Context(from_iso("2026-06-15T12:00:00Z"))
    )
    assert isinstance(event, Event)
    assert event.fields["network.direction"] == "outbound"
