"""One source's records, each read by the adapter that the settings, its sender or its transport ask for."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.errors import SettingsError
from contract.event import Event
from contract.meter import MemoryMeter
from contract.ports import Batch
from contract.records import DeadLetter
from runtime.intake import Intake
from runtime.settings import SourceConfig, load
from runtime.skew import WINDOW_US, Skew

NOW = 1_781_524_800_000_000
SSHD = b"<38>Jun 15 12:00:00 web sshd[%d]: Failed password for root from 203.0.113.9 port 4000 ssh2"
ASA = b"<166>Jun 15 2026 12:00:00 asa : %ASA-6-106015: Deny TCP (no connection) from 203.0.113.9/4000 to 192.0.2.1/22 flags RST on interface outside"
BASE = """
[[source]]
name = "gw"
type = "syslog_udp"
adapter = "{adapter}"
{more}
"""
ROUTE = """
[[source.route]]
senders = ["192.0.2.7"]
adapter = "cisco.asa"
zone = "Europe/Vienna"
"""


def config(folder: Path, adapter: str, more: str = "") -> SourceConfig:
    path = folder / "opsonin.toml"
    path.write_text(BASE.format(adapter=adapter, more=more))
    (found,) = load(path, {}).sources
    return found


def intake(found: SourceConfig, meter: MemoryMeter, folder: Path, saved: Any = None) -> Intake:
    return Intake(found, load(folder / "opsonin.toml", {}).normalize, meter, saved)


def kinds(one: Intake, batch: Batch) -> list[str]:
    return [
        item.fields["event.dataset"] if isinstance(item, Event) else "dead " + item.adapter
        for item in one.take(batch)
    ]


def batch(*records: bytes, sender: str = "", adapter: str = "") -> Batch:
    return Batch("gw", list(records), NOW, sender=sender, adapter=adapter)


def test_a_route_reads_one_sender_by_another_adapter_and_zone(tmp_path: Path) -> None:
    one = intake(config(tmp_path, "linux.auth", ROUTE), MemoryMeter(), tmp_path)
    assert kinds(one, batch(SSHD % 1, ASA)) == ["system.auth", "dead linux.auth"]
    assert kinds(one, batch(ASA, sender="192.0.2.7")) == ["cisco.asa"]
    (event,) = one.take(batch(ASA, sender="192.0.2.7"))
    assert isinstance(event, Event)
    assert event.fields["@timestamp"].startswith("2026-06-15T10:00:00")


def test_a_sender_may_name_the_adapters_that_the_settings_allow(tmp_path: Path) -> None:
    meter = MemoryMeter()
    one = intake(config(tmp_path, "linux.auth", 'adapters = ["cisco.asa"]'), meter, tmp_path)
    assert kinds(one, batch(ASA, adapter="cisco.asa")) == ["cisco.asa"]
    assert kinds(one, batch(SSHD % 1, adapter="linux.auth")) == ["system.auth"]
    assert kinds(one, batch(SSHD % 1, adapter="suricata.eve")) == ["system.auth"]
    assert meter.total("adapter_refused") == 1


def test_a_dead_letter_is_read_again_by_its_route_s_adapter_or_by_a_new_one(tmp_path: Path) -> None:
    one = intake(config(tmp_path, "linux.auth", ROUTE), MemoryMeter(), tmp_path)
    (letter,) = one.take(batch(b"no line of an ASA", sender="192.0.2.7"))
    assert isinstance(letter, DeadLetter)
    (again,) = one.again(letter)
    assert isinstance(again, DeadLetter)
    assert again.adapter == "cisco.asa"
    (mended,) = one.again(letter.model_copy(update={"raw": ASA}))
    assert isinstance(mended, Event)
    assert mended.fields["event.dataset"] == "cisco.asa"
    (other,) = one.again(letter.model_copy(update={"raw": SSHD % 1}))
    assert isinstance(other, Event)


def test_detection_goes_on_after_a_restart_as_if_there_had_been_none(tmp_path: Path) -> None:
    found = config(tmp_path, "detect")
    meter = MemoryMeter()
    whole, parts = intake(found, meter, tmp_path), intake(found, meter, tmp_path)
    for number in range(45):
        given = batch(SSHD % number, ASA, sender="192.0.2.9")
        assert kinds(parts, given) == kinds(whole, given)
        parts = intake(found, meter, tmp_path, json.loads(json.dumps(parts.position())))
    assert parts.position() == whole.position()


def test_positions_of_earlier_versions_are_read(tmp_path: Path) -> None:
    saved = {"at": 7, "reached_us": NOW, "streams": {"": {"some": "memory"}}}
    one = intake(config(tmp_path, "zeek.log"), MemoryMeter(), tmp_path, saved)
    assert (one.resume_at, one.reached_us) == (7, NOW)
    assert one.position() == saved


def test_memory_of_routes_is_kept(tmp_path: Path) -> None:
    more = ROUTE.replace("cisco.asa", "zeek.log")
    found = config(tmp_path, "linux.auth", more)
    one = intake(found, MemoryMeter(), tmp_path)
    head = b"#separator \\x09\n#path\tconn\n#fields\tts\tuid".split(b"\n")
    list(one.take(batch(*head, sender="192.0.2.7")))
    position = one.position()
    assert "192.0.2.7" in position["lanes"]["route 0"]
    assert intake(found, MemoryMeter(), tmp_path, position).position() == position


@pytest.mark.parametrize(
    ("more", "line", "words"),
    [
        ('[[source.route]]\nadapter = "cisco.asa"', 6, "expected senders, hosts or programs"),
        ('[[source.route]]\nhosts = ["a"]\nadapter = "no.such"', 8, "no.such"),
        ('adapters = ["no.such"]', 6, "no.such"),
        ("confidence = 2", 6, "less than or equal to 1"),
        ('[[source.route]]\nhosts = ["a"]\nadapter = "cisco.asa"\nzone = "Mars"', 9, "Mars"),
    ],
)
def test_a_wrong_route_is_named_with_its_line(
    tmp_path: Path, more: str, line: int, words: str
) -> None:
    with pytest.raises(SettingsError) as error:
        config(tmp_path, "linux.auth", more)
    assert words in str(error.value)
    assert error.value.line == line


def test_the_skew_of_a_source_s_clocks_is_told(tmp_path: Path) -> None:
    meter = MemoryMeter()
    one = intake(config(tmp_path, "linux.auth"), meter, tmp_path)
    (item,) = one.take(Batch("gw", [SSHD % 1], NOW + 2_500_000))
    assert not isinstance(item, DeadLetter)
    assert skew_of(meter, "least") == 2.5


def skew_of(meter: MemoryMeter, extreme: str) -> float:
    return meter.values["clock_skew_seconds", (("extreme", extreme), ("source", "gw"))]


def test_the_least_skew_of_a_minute_counts_for_each_sender() -> None:
    meter = MemoryMeter()
    skew = Skew("gw", meter)
    for arrival, sender, behind in ((1, "a", 900), (2, "a", 40), (3, "b", -70), (4, "a", 800)):
        skew.saw(sender, NOW + arrival, NOW + arrival - behind * 1_000_000)
    skew._tell()
    assert (skew_of(meter, "least"), skew_of(meter, "most")) == (-70, 40)
    skew.saw("a", NOW + WINDOW_US + 1, NOW)
    assert skew_of(meter, "most") == pytest.approx(60)


def test_what_is_let_go_of_at_the_end_is_counted(tmp_path: Path) -> None:
    meter = MemoryMeter()
    found = config(tmp_path, "linux.auth")
    one = Intake(found, load(tmp_path / "opsonin.toml", {}).normalize, meter, max_jump_us=1)
    waiting = Batch("gw", [SSHD % 1], NOW, has_more=True)
    assert list(one.take(waiting)) == []
    assert len(list(one.flush(NOW))) == meter.total("events_total") == meter.total("records_total")
