"""Learnt lines: whatever the native module answers is, byte for byte, what the adapter alone answers."""

import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contract.errors import PluginError
from contract.event import Event
from contract.meter import MemoryMeter
from contract.plugins import load
from contract.ports import Adapter, Context
from contract.records import DeadLetter
from contract.timestamps import from_iso, to_datetime
from ingest.learn import table_of
from ingest.native import NATIVE, Native
from ingest.normalize import Normalizer
from ingest.normalize_settings import NormalizeSettings
from ingest.stand_ins import stand_in, unpack
from ingest.templates import Templates

pytestmark = pytest.mark.native
ADAPTERS = {
    name: one for name, one in load("ingest.adapters", "ADAPTER", Adapter).items() if one.holes
}
DATA = Path(__file__).parents[1] / "data/adapter"
SHARED = Path(__file__).parents[3] / "shared/data/ingest/dev"
RECEIVED_US = from_iso("2026-06-15T12:00:00Z")
PACKET = (
    b"<4>Jun 15 11:%02d:%02d fw-01 kernel: [%d.123456] DROP IN=eth0 OUT= MAC=02:00:00:aa:bb:cc:02:00:00:11:22:33:08:00 "
    b"SRC=%s DST=192.0.2.7 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=%d DF PROTO=TCP SPT=%d DPT=22 WINDOW=64240 RES=0x00 SYN URGP=0"
)


def packet(number: int = 0, source: str = "198.51.100.7", port: int = 50123) -> bytes:
    return PACKET % (number % 60, number % 60, 1000 + number, source.encode(), 1000 + number, port)


def context(received_us: int = RECEIVED_US, zone: object = UTC) -> Context:
    return Context(received_us=received_us, zone=zone)  # type: ignore[arg-type]


def native() -> Native:
    assert NATIVE is not None
    return NATIVE


def normalizer(name: str = "linux.netfilter", **settings: object) -> Normalizer:
    made = NormalizeSettings.model_validate(settings)
    return Normalizer(ADAPTERS[name], "gw", settings=made, meter=MemoryMeter())


def plain(name: str = "linux.netfilter", **settings: object) -> Normalizer:
    made = NormalizeSettings.model_validate(settings)
    return Normalizer(ADAPTERS[name], "gw", settings=made, learns=False)


def learnt(one: Normalizer) -> float:
    assert one._templates is not None
    return one._templates._meter.total("lines_learnt")  # type: ignore[attr-defined]


def serves(one: Normalizer, raw: bytes, at: Context | None = None) -> bool:
    """Whether a template answers for the line."""
    assert one._templates is not None
    return one._templates.event(raw, at or context()) is not None


def taught(name: str = "linux.netfilter", **settings: object) -> Normalizer:
    one = normalizer(name, **settings)
    for number in range(4):
        one.take(packet(number), context())
    assert serves(one, packet(7))
    return one


def lines_of(name: str) -> Iterator[bytes]:
    """Every line kept here for an adapter, and a share of those of all products beside the checkout."""
    for path in sorted((DATA / name.replace(".", "_")).iterdir()):
        if path.suffix in {".log", ".raw"}:
            yield from path.read_bytes().split(b"\n")
    for path in sorted(SHARED.glob("*/*/cases.jsonl")):
        for number, case in enumerate(path.read_text("utf-8").splitlines()):
            text = json.loads(case).get("input") if number < 8 else None
            if isinstance(text, str):
                yield from text.encode("utf-8", "surrogatepass").split(b"\n")[:3]


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_learnt_lines_are_answered_as_the_adapter_answers_them(name: str) -> None:
    one, other, served = normalizer(name), plain(name), 0
    engine = native().make(table_of(ADAPTERS[name]), name.encode())
    for raw in filter(None, lines_of(name)):
        scanned = native().scan(engine, raw)
        variants = [raw] * 3
        if scanned is not None:
            holes = unpack(scanned[1])
            variants += [stand_in(raw, holes, RECEIVED_US, seed) for seed in (6, 7, 8)]
        for variant in variants:
            assert one.take(variant, context()) == other.take(variant, context()), variant
            served += serves(one, variant)
    assert served, (
        "expected that some line is learnt: do the holes of the adapter stand in its lines?"
    )


def test_the_first_lines_of_a_shape_are_not_learnt() -> None:
    one = normalizer()
    for number in range(2):
        one.take(packet(number), context())
    assert learnt(one) == 0
    one.take(packet(2), context())
    assert learnt(one) == 1


@pytest.mark.parametrize(
    ("source", "port"),
    [("192.0.2.7", 50123), ("0.0.0.0", 50123), ("198.51.100.7", 22), ("198.51.100.7", 0), ("198.51.100.7", 65536),  # noqa: S104 - it says "none"
     ("198.51.100.007", 50123), ("2001:db8::1", 50123), ("198.51.100.7", 1)],
)  # fmt: skip
def test_a_value_that_may_mean_something_is_not_taken_for_another(source: str, port: int) -> None:
    one, raw = taught(), packet(3, source, port)
    assert not serves(one, raw)
    assert one.take(raw, context()) == plain().take(raw, context())


def test_two_spellings_of_one_address_are_seen_to_be_equal() -> None:
    one = normalizer()
    long, short, other = (
        "2001:0db8:0000:0000:0000:0000:0000:0001",
        "2001:0db8::0001",
        "2001:0db8::0002",
    )
    for number in range(8):
        for end in (other, short):
            raw = packet(number, long).replace(b"DST=192.0.2.7", b"DST=" + end.encode())
            assert one.take(raw, context()) == plain().take(raw, context())
            assert not (serves(one, raw) and end == short)
    assert serves(one, packet(9, long).replace(b"DST=192.0.2.7", b"DST=" + other.encode()))


def test_what_cannot_be_learnt_is_tried_again_later() -> None:
    one, early = normalizer(), context(from_iso("2026-01-02T00:00:00Z"))
    stamped = b"<4>2026-06-15T11:00:00Z fw-01 " + packet()[25:]
    for _ in range(4):
        assert isinstance(one.take(stamped, early)[0], DeadLetter)
    for number in range(33_000):
        one.take(b"%x no packet" % number, context())
    for _ in range(4):
        one.take(stamped, context())
    assert serves(one, stamped)


def test_a_time_too_far_ahead_is_a_dead_letter_as_ever() -> None:
    one, raw = taught(earliest_year=2026), packet(9)
    early = context(from_iso("2026-01-02T00:00:00Z"))
    (found,) = one.take(raw, early)
    assert isinstance(found, DeadLetter)
    assert [found] == plain(earliest_year=2026).take(raw, early)


def test_the_year_of_a_time_without_one_hangs_on_the_arrival() -> None:
    one, raw = taught(), packet(9)
    for received in (
        "2026-06-16T00:00:00Z",
        "2027-03-01T00:00:00Z",
        "2027-06-10T00:00:00Z",
        "2030-06-15T11:00:00Z",
    ):
        at = context(from_iso(received))
        assert one.take(raw, at) == plain().take(raw, at)


def test_another_zone_is_learnt_anew() -> None:
    one = taught()
    east = context(zone=timezone(timedelta(hours=8)))
    assert not serves(one, packet(9), east)
    for number in range(5):
        assert one.take(packet(number), east) == plain().take(packet(number), east)
    assert serves(one, packet(9), east)


@pytest.mark.parametrize(
    "place", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
)
def test_times_of_a_zone_with_summer_time_are_read_by_its_rules(place: str) -> None:
    one, other, zone = normalizer(), plain(), ZoneInfo(place)
    served = 0
    for number in range(400):
        at = context(RECEIVED_US + number * 4_000_000_000_000 // 13, zone)
        stamp = to_datetime(at.received_us - number % 7 * 1_800_000_000).astimezone(zone)
        raw = packet(number).replace(
            packet(number)[3:18], stamp.strftime("%b %e %H:%M:%S").encode()
        )
        assert one.take(raw, at) == other.take(raw, at)
        served += serves(one, raw, at)
    assert served > 350


def test_hours_around_a_change_of_clocks_are_left_to_the_adapter() -> None:
    one, other, berlin = normalizer(), plain(), ZoneInfo("Europe/Berlin")
    for number in range(4):
        one.take(packet(number), context(zone=berlin))
    for minute in range(0, 300, 7):
        at = context(from_iso("2026-10-25T00:00:00Z") + minute * 60_000_000, berlin)
        stamp = to_datetime(at.received_us).astimezone(berlin)
        raw = packet(9).replace(packet(9)[3:18], stamp.strftime("%b %e %H:%M:%S").encode())
        assert one.take(raw, at) == other.take(raw, at)
        assert serves(one, raw, at) == (stamp.hour != 2)


def test_settings_hold_for_learnt_lines() -> None:
    settings: dict[str, Any] = {"keep_original": True, "stamp_ingested": True}
    one = taught(**settings)
    (found,) = one.take(packet(9), context())
    assert isinstance(found, Event)
    assert found.fields["event.original"].encode() == packet(9)
    assert [found] == plain(**settings).take(packet(9), context())


SITE: dict[str, Any] = {
    "own_networks": ["192.0.2.0/24", "2001:db8::/32"],
    "zones": {"dmz": ["192.0.2.0/24"], "guests": ["198.51.100.0/25"]},
}


@pytest.mark.parametrize(
    "name", ["cisco.asa", "fortinet.fortigate", "linux.netfilter", "suricata.eve"]
)
def test_what_the_site_knows_is_added_to_learnt_lines(name: str) -> None:
    one, other, served = normalizer(name, enrich=SITE), plain(name, enrich=SITE), 0
    engine = native().make(table_of(ADAPTERS[name]), name.encode())
    for path in sorted((DATA / name.replace(".", "_")).glob("*.log")):
        for raw in filter(None, path.read_bytes().split(b"\n")):
            scanned = native().scan(engine, raw)
            holes = unpack(scanned[1]) if scanned else []
            variants = [stand_in(raw, holes, RECEIVED_US, seed) for seed in (6, 7, 8)]
            for variant in (raw, raw, raw, raw, *variants):
                assert one.take(variant, context()) == other.take(variant, context()), variant
                served += serves(one, variant)
    assert served > 10


def test_an_inventory_that_changes_is_read_anew_for_learnt_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.enrich.CHECK_EVERY_S", 0.0)
    assets = tmp_path / "assets.csv"
    assets.write_text("ip,host,zone\n192.0.2.7,web,dmz\n", encoding="utf-8")
    one = taught(enrich={"inventory": str(assets)})
    assert '"opsonin.destination.zone":"dmz"' in one.take(packet(9), context())[0].json.decode()  # type: ignore[union-attr]
    assets.write_text("ip,host,zone\n192.0.2.7,web,front\n", encoding="utf-8")
    for number in range(1100):
        (found,) = one.take(packet(number % 60), context())
    assert isinstance(found, Event)
    assert found.fields["opsonin.destination.zone"] == "front"
    assert serves(one, packet(9))


def test_a_dead_line_is_refused_and_stays_dead() -> None:
    one = normalizer()
    for number in range(6):
        (found,) = one.take(b"no packet at all [%d.123456]" % (1000 + number), context())
        assert isinstance(found, DeadLetter)
    assert one._templates is not None
    assert one._templates._meter.total("lines_refused") == 1  # type: ignore[attr-defined]


def test_lines_that_can_never_be_learnt_are_seldom_tried_and_others_still_learnt() -> None:
    one = normalizer()
    for number in range(300):
        for _ in range(3):
            one.take(b"no packet at all, number n%d" % number, context())
    assert one._templates is not None
    assert 100 < one._templates._meter.total("lines_refused") < 150  # type: ignore[attr-defined]
    for number in range(300):
        one.take(packet(number), context())
    assert serves(one, packet(9))


def test_a_template_that_errs_is_found_out_and_given_up() -> None:
    one = taught()
    templates = one._templates
    assert isinstance(templates, Templates)
    wrong = b"\xff\xff" + bytes(8) + b"L" + b"\xff" * 8 + bytes(8) + b"\2\0\0\0{}"
    native().learn(templates._engine, packet(9), wrong)
    templates._until_audit = 1
    assert one.take(packet(9), context()) == plain().take(packet(9), context())
    assert templates._meter.total("template_faults") == 1  # type: ignore[attr-defined]
    assert not serves(one, packet(9))


def test_a_kind_of_holes_that_there_is_not_is_told_before_a_line_comes() -> None:
    wrong = replace(ADAPTERS["linux.netfilter"], holes={"prt": ["SPT="]})
    with pytest.raises(PluginError, match="names the kind 'prt'; there are port, count"):
        Normalizer(wrong, "gw")


def test_a_malformed_template_is_refused() -> None:
    engine = native().make(table_of(ADAPTERS["linux.netfilter"]), b"linux.netfilter")
    for plan in (
        b"x",
        b"\1\0" + bytes(8),
        b"\xff\xff" + bytes(8) + b"R\x63\0" + b"\xff" * 6 + bytes(12),
    ):
        with pytest.raises(ValueError, match="malformed template"):
            native().learn(engine, packet(), plan)


def test_the_native_module_refuses_what_is_not_its_own() -> None:
    with pytest.raises(ValueError, match="PyCapsule"):
        native().take(object(), b"", 0)
    engine = native().make(b"", b"x")
    with pytest.raises(TypeError):
        native().take(engine, "text", 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="arguments"):
        native().take(engine, b"")  # type: ignore[call-arg]


def test_a_number_that_runs_python_finds_no_engine_in_use() -> None:
    one = taught()
    assert one._templates is not None
    engine = one._templates._engine
    inner: list[object] = []

    class Arrival:
        def __index__(self) -> int:
            inner.append(native().take(engine, packet(8), RECEIVED_US))
            native().inform(engine, b"", 0, b"")
            return RECEIVED_US

    made = native().take(engine, packet(9), Arrival())  # type: ignore[arg-type]
    assert made == native().take(engine, packet(9), RECEIVED_US)
    assert inner == [native().take(engine, packet(8), RECEIVED_US)]


def test_noise_is_answered_or_refused_by_the_native_module() -> None:
    chance = Random(5)  # noqa: S311 - repeatable, no secret
    table = table_of(ADAPTERS["linux.netfilter"])
    for _ in range(300):
        engine = native().make(table, b"x")
        with suppress(ValueError):
            engine = native().make(noisy(table, chance), b"x")
        for _ in range(20):
            raw = noisy(packet(chance.randrange(60)), chance)
            native().take(engine, raw, chance.choice((0, RECEIVED_US, 2**63 - 1, -(2**63))))
            native().wants(engine)
            scanned = native().scan(engine, raw)
            if scanned is None:
                continue
            ops = b"".join(operation_of(chance) for _ in range(chance.randrange(6)))
            plan = chance.choice((b"\xff\xff", b"\0\0")) + chance.randbytes(8) + ops
            with suppress(ValueError):
                native().learn(engine, raw, noisy(plan, chance) if chance.randrange(2) else plan)
                # Whatever a template says, a line is answered, left alone, or a fault told.
                with suppress(RuntimeError, UnicodeDecodeError):
                    native().take(engine, raw, RECEIVED_US)
            native().inform(engine, noisy(b"S192.0.2.1", chance), 1, chance.randbytes(9))
            native().missing(engine)


def noisy(raw: bytes, chance: Random) -> bytes:
    """Return bytes with some changed, cut out or put in."""
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(raw) + 1)
        raw = raw[:at] + chance.randbytes(chance.randrange(4)) + raw[at + chance.randrange(4) :]
    return raw


def operation_of(chance: Random) -> bytes:
    """Return an operation of a template, of a known code, on holes that may be of another kind."""
    holes = b"".join(struct.pack("<H", chance.choice((0, 1, 2, 3, 5, 0xFFFF))) for _ in range(4))
    number = chance.choice((0, 1, -1, 2**63 - 1, -(2**63), chance.randrange(2**63)))
    text = chance.randbytes(chance.randrange(24))
    return (
        b"%c" % chance.choice(b"LRM6+*-trIcelxhJUQ")
        + holes
        + struct.pack("<qI", number, len(text))
        + text
    )


def test_a_line_of_nothing_but_names_is_left_to_the_adapter() -> None:
    engine = native().make(b"W user=\0", b"x")
    few = b" ".join(b"user=%bi%d" % (b"h" * 40, number) for number in range(20))
    assert native().scan(engine, few + b" x " + b"h" * 400) is not None
    many = b" ".join(b"user=%bi%d" % (b"h" * 250, number) for number in range(110))
    assert native().scan(engine, many + b" x " + b"h" * 30_000) is None


def test_a_name_that_says_none_is_not_taken_for_another() -> None:
    line = b"Jun 15 11:00:%02d web sshd[%d]: pam_unix(sshd:auth): check pass; user %b"
    one, other = normalizer("linux.auth"), plain("linux.auth")
    for number in range(9):
        one.take(line % (number, 4000 + number, b"bob%d" % number), context())
    raw = line % (30, 4711, b"unknown")
    assert one.take(raw, context()) == other.take(raw, context())


def test_the_hardware_address_of_nobody_is_not_taken_for_another() -> None:
    asks = (
        b'{"timestamp":"2026-06-15T11:00:0%d.000000+0000","event_type":"arp","arp":{"hw_type":"ethernet","opcode":"request",'
        b'"src_mac":"02:00:00:aa:bb:c%d","src_ip":"192.0.2.7","dest_mac":"%s","dest_ip":"192.0.2.9"}}'
    )
    nobody, anybody = b"00:00:00:00:00:00", b"02:00:00:11:22:33"
    one = normalizer("suricata.eve")
    for number in range(5):
        one.take(asks % (number, number, anybody), context())
    raw = asks % (7, 7, nobody)
    assert one.take(raw, context()) == plain("suricata.eve").take(raw, context())


def test_a_fault_of_the_native_module_costs_a_line_no_more_than_its_short_way() -> None:
    one = taught()
    templates = one._templates
    assert templates is not None

    def fault(*_: object) -> None:
        raise RuntimeError("a fault in opsonin_native")

    templates._take = fault
    assert one.take(packet(9), context()) == plain().take(packet(9), context())
    assert templates._meter.total("template_faults") == 1  # type: ignore[attr-defined]


def test_fields_of_a_learnt_event_are_decoded_when_asked_for() -> None:
    (found,) = taught().take(packet(9), context())
    assert isinstance(found, Event)
    assert found.fields["source.ip"] == "198.51.100.7"
    assert found.fields is found.fields
    with pytest.raises(AttributeError, match="filds"):
        _ = found.filds  # type: ignore[attr-defined]


ASA = "<166>%s asa-1 : %%ASA-6-302016: Teardown UDP connection %d for outside:203.0.113.9/53 to inside:192.0.2.7/50123 duration 0:00:01 bytes 64"
STAMPED = {
    "cisco.asa": (ASA, "Jun 15 2026 11:%02d:07"),
    "cisco.ios": ("<189>%s: %%SYS-5-CONFIG_I: Configured from console on vty%d (192.0.2.7)", "*Jun 15 11:%02d:07.123"),
    "snort.alert": ("%s  [**] [1:1418:11] SNMP [**] [Priority: 2] {UDP} 192.0.2.10:4100%d -> 198.51.100.5:161", "06/15-11:%02d:07.123456"),
}  # fmt: skip


@pytest.mark.parametrize("name", ["cisco.asa", "cisco.ios", "snort.alert"])
def test_a_stamp_of_the_device_is_a_value_wherever_its_year_stands(name: str) -> None:
    line, stamp = STAMPED[name]
    one = normalizer(name)
    lines = [(line % (stamp % number, 1234)).encode() for number in range(6)]
    for raw in lines[:4]:
        one.take(raw, context())
    assert serves(one, lines[5])
    assert one.take(lines[5], context()) == plain(name).take(lines[5], context())


@pytest.mark.parametrize(
    "stamp",
    [
        "Jun  5 2026 11:00:07", "Jun 05 2026 11:00:07", "Jun 15 2026 11:00:07.5", "15/Jun/2026:11:00:07 +0200",
        "2026 Jun 15 11:00:07", "06/15/2026-11:00:07.5", "26/06/15-11:00:07", "06/15/26-11:00:07", "06/15-11:00:07.25",
        "Jun 15 11:00:07.123",
    ],
)  # fmt: skip
def test_a_stand_in_of_a_stamp_has_its_form(stamp: str) -> None:
    engine = native().make(table_of(ADAPTERS["snort.alert"]), b"snort.alert")
    raw = f"x {stamp} y".encode()
    scanned = native().scan(engine, raw)
    assert scanned is not None
    assert [hole.kind for hole in unpack(scanned[1])] in (["Y"], ["B"])
    for seed in range(40):
        other = stand_in(raw, unpack(scanned[1]), RECEIVED_US, seed)
        assert other != raw
        assert (native().scan(engine, other) or (b"",))[0] == scanned[0]


@pytest.mark.parametrize(
    "stamp", ["Feb 30 2026 11:00:07", "Jun 15 2026 11:00:60", "13/15/2026-11:00:07", "Jun 15 2026 11:00:07 PM", "31/Foo/2026:11:00:07"]
)  # fmt: skip
def test_what_is_no_plain_time_is_no_value(stamp: str) -> None:
    engine = native().make(table_of(ADAPTERS["snort.alert"]), b"snort.alert")
    scanned = native().scan(engine, f"x {stamp} y".encode())
    assert scanned is not None
    assert unpack(scanned[1]) == []


def test_digests_and_accounts_behind_a_domain_are_values() -> None:
    line = "CEF:0|V|P|1|7|n|5|suser=EXAMPLE\\\\%s fileHash=%064x src=192.0.2.7"
    one, number = normalizer("generic.cef"), 2**255 + 0xABC
    for user in ("alice", "robert", "monty"):
        one.take((line % (user, number + len(user))).encode(), context())
    raw = (line % ("trudy", number)).encode()
    assert serves(one, raw)
    assert one.take(raw, context()) == plain("generic.cef").take(raw, context())


def test_no_template_answers_while_the_adapter_remembers_something() -> None:
    line = "06/15-11:%02d:07.123456 [**] [1:1418:11] SNMP [**] [Priority: 2] {UDP} 192.0.2.10:41000 -> 198.51.100.5:161"
    one, at = normalizer("snort.alert"), context()
    for number in range(4):
        one.take((line % number).encode(), at)
    raw = (line % 9).encode()
    assert serves(one, raw, at)
    assert one.take(b"[**] [1:2003:8] begins [**]", at) == []
    assert not serves(one, raw, at)


@pytest.mark.parametrize("word", ["NONE", "None", "null", "na", "unknown", "Unknown"])
def test_a_word_that_says_none_is_no_name(word: str) -> None:
    line = "<14>Jun 15 11:00:%02d %s RT_FLOW: RT_FLOW_SESSION_DENY: session denied 192.0.2.7/50123->198.51.100.5/22 None 6(0) default trust untrust"
    one = normalizer("juniper.srx")
    for number in range(4):
        one.take((line % (number, "fw-01")).encode(), context())
    raw = (line % (9, word)).encode()
    assert one.take(raw, context()) == plain("juniper.srx").take(raw, context())


def test_an_address_that_stands_twice_is_told_once() -> None:
    line = "%%ASA-6-302013: Built inbound TCP connection %d for outside:203.0.113.5/443 (203.0.113.5/443) to inside:%s/50000 (%s/50000)"
    one = normalizer("cisco.asa")
    pairs = [("2001:db8::8", "2001:db8::9")] * 4 + [("2001:db8::7", "2001:db8::7")]
    for number, pair in enumerate(pairs):
        raw = (line % (4711 + number, *pair)).encode()
        assert one.take(raw, context()) == plain("cisco.asa").take(raw, context())


def test_a_key_that_the_table_names_keeps_its_meaning() -> None:
    line = 'date=2026-06-15 time=11:00:07 devname="fw" logid="0001" type="traffic" subtype="forward" srcip=192.0.2.7 dstip=198.51.100.5 src_port=%d cfgtid=%d'
    one = normalizer("fortinet.fortigate")
    for number in range(4):
        one.take((line % (700_000 + number, 500_000 + number)).encode(), context())
    raw = (line % (50_123, 600_000)).encode()
    assert one.take(raw, context()) == plain("fortinet.fortigate").take(raw, context())


EDGES: dict[str, list[bytes]] = {
    **{key: [b"7", b"4711", b"65536", b"4711" * 2 + b"1", b"4711" * 3, b"4711" * 4 + b"11", b"9" * 19, b"9" * 20] for key in "NGI"},
    "P": [b"80", b"1024", b"65535", b"65536"],
    "E": [b"1781524800", b"17815248001", b"1781524800123", b"1781524800123456", b"1781524800123456789"],
    "W": [b"-", b"root", b"NONE", b"null", b"system", b"any", b"0x1", b"a.b", b"www.example.com", b"N", b"x_y"],
    "T": [b"-", b"None", b"unknown", b"N/A", b"0", b"a b", b"(null)"],
    "V": [
        b"-", b" ", b"a ", b" a", b"0", b"true", b"SYSTEM", b"S-1-0-0", b"NULL SID", b"Binary Data", b"DWORD (0x00000007)",
        b"QWORD (0x00000000-0x00000007)", b"\\\\", b"a\\\\b", b"a\\b", b"\\u0041", b"\\u00e9", b"\\u00E9\\u0022", b"\\u002d", b"\\u005c", b"\\u0000", b"\\ud83d\\ude00", b"\\u12", b"\\/", b"\\b\\f", b"192.0.2.7", b"a=b", b"<Event>",
        b"&lt;&#65;", b"&#xD;&#10;", b"&x;", b"&", b"a>b", b"]]>", b" xmlns=''", b"\xc3\xa9", b"\xff", b"\xed\xa0\x80", b"\xef\xbf\xbf", b"\t", b"\n", b"\0", b"\x7f",
    ],
    "m": [
        b"-", b"x\\r\\nProcess ID: 7\\r\\n", b"x\\n\\tProcess Id:\\t0x0", b"New Process ID: 0x7", b"\\r\\nProcessId:\\t0x123456789", b"ProcessId: 12345678901", b"x" * 4090 + b"\\nProcess ID: 7",
        b"HostName=x\\nUserId=D\\\\u\\nHostApplication=y.exe", b"C:\\\\a.exe was allowed to run.", b"Client IP: 192.0.2.7.", b'\\"', b'\\"quoted\\"', b"<Event", b"\\u003cEvent", b"a\\u003db", b"\\u00e9 Process ID: 7", b"<UserId>D\\\\u</UserId>",
    ],
    "L": [b"-", b"C:", b"HKLM", b"\\\\REGISTRY\\\\MACHINE\\\\x", b"\\REGISTRY\\MACHINE\\x", b"a.b", b".a", b"a.", b"a/b", b"c:/x/y", b"x:y", b"\\\\", b"\\", b"\xc3\x89", b"System"],
    "K": [b"EXE", b"e:f", b"\xc3\x89", b"tar.GZ", b"e f", b"a\\\\b", b"a-1,2"],
    "A": [b"-", b"SYSTEM", b"system", b"a@b", b"@", b"a\\\\b", b"a\\b", b"NT AUTHORITY\\\\SYSTEM", b"HOST$", b"0", b" a", b"\xc3\x89", b"a&amp;b", b"S-1-0-0"],
    "h": [b"-", b"4711", b"4711.example.test", b"a", b"A.b.c", b"a.", b".a", b"192.0.2.7", b"a b", b"x" * 300, b"\xc3\xa9"],
    "X": [b"0x0", b"0x00000000", b"0x1", b"0x0AbC", b"0X1", b"0x", b"0x7fffffffffffffff", b"0xffffffffffffffff", b"7", b"-"],
    "s": [b"S-1-5-18", b"S-1-0-0", b"S-1-5-21-", b"S-1-5-21-1-2-3-500x", b"s-1-5-21-1-2-3-500"],
    "Z": [b"00000000-0000-0000-0000-00000000a100", b"00000000-0000-0000-0000-000000000000", b"0" * 32],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_values_at_the_edges_of_their_kind_are_read_as_the_adapter_reads_them(name: str) -> None:
    one, other = normalizer(name), plain(name)
    engine = native().make(table_of(ADAPTERS[name]), name.encode())
    folder = DATA / name.replace(".", "_")
    lines = [
        line for path in sorted(folder.glob("*.log")) for line in path.read_bytes().split(b"\n")
    ]
    for raw in filter(None, lines[:60]):
        scanned = native().scan(engine, raw)
        holes = unpack(scanned[1]) if scanned else []
        for _ in range(4):
            one.take(stand_in(raw, holes, RECEIVED_US, 6), context())
        for hole in holes:
            for value in EDGES.get(hole.kind, ()):
                line = raw[: hole.start] + value + raw[hole.end :]
                assert one.take(line, context()) == other.take(line, context()), line


MAIL = (
    "CEF:0|Acme|Mail Gate|14.0|LOG|Consolidated {name}|5|rt={time} src=192.0.2.{octet} AcmeSubject={text} "
    "AcmeVerdict={word} msg={text2} start={time} AcmeEnd={text3}"
)


def mail(
    number: int, text: str = "", text2: str = "", text3: str = "", word: str = "MATCH"
) -> bytes:
    at = f"Jun {number % 20 + 1:02d} 10:00:{number % 60:02d} 2026"
    return MAIL.format(
        name="Event", time=at, octet=number % 250 + 1, word=word,
        text=text or f"offer {number} for you", text2=text2 or f"sent <{number}@example.org>", text3=text3 or f"end {number}",
    ).encode()  # fmt: skip


def test_texts_of_cef_that_are_only_copied_are_values() -> None:
    one, other = normalizer("generic.cef"), plain("generic.cef")
    for number in range(8):
        assert one.take(mail(number), context()) == other.take(mail(number), context())
    for text in (
        "x 1",
        "ten 10 é\u200b 11",
        "a;b:c 1",
        "1 2026-06-15T10:00:00Z 3",
        "user@192.0.2.1",
        "4" * 400,
    ):
        for raw in (mail(9, text), mail(9, text2=text), mail(9, text3=text)):
            assert serves(one, raw) == (len(text) > 4), raw
            assert one.take(raw, context()) == other.take(raw, context())


@pytest.mark.parametrize(
    "text",
    ["short", "a=b 12", "a = 12 b", r"12 \= 34", r"12 \\ 34", r"C:\dir 12", '"12 34"', "12 | 34", " 12345", "12345 ",
     "12345\t", "12\u2003b", "\u200312345", "12345\u00a0", "12345 b\u00a0c=d", "n/a 1", "N/A", "", "12345 src=192.0.2.9",
     "12345 a[0]=1", "12345 -a=1", "12345 cs1Label=Rule cs1=a virus 12", "12\x0034", "12345\x1c", "12345 rt=1"],
)  # fmt: skip
def test_texts_of_cef_with_a_meaning_are_read_as_ever(text: str) -> None:
    one, other = normalizer("generic.cef"), plain("generic.cef")
    for number in range(8):
        one.take(mail(number), context())
    for raw in (mail(9, text or " "), mail(9, text2=text or " "), mail(9, text3=text or " ")):
        for _ in range(4):
            assert one.take(raw, context()) == other.take(raw, context()), raw


@pytest.mark.parametrize(
    ("line", "kinds"),
    [("Mon Jun 15 10:00:00 2026", "Y"), ("Jun  5 10:00:00 2026. more", "Y"), ("Jun 15 10:00:00 2026] x", "Y"),
     ("Jun 15 10:00:00 20261 x", "B"), ("Feb 30 10:00:00 2026 x", ""), ("Feb 29 10:00:00 2028 x", "Y"), ("Jun 15 10:00:00 host", "BW")],
)  # fmt: skip
def test_a_year_behind_the_clock_belongs_to_the_time(line: str, kinds: str) -> None:
    engine = native().make(b"", b"x")
    scanned = native().scan(engine, line.encode())
    assert scanned is not None
    assert "".join(hole.kind for hole in unpack(scanned[1])) == kinds


def test_a_time_as_the_c_library_writes_it_is_a_time() -> None:
    one, other = normalizer("generic.cef"), plain("generic.cef")
    for stamp in (
        "Jun  {} 10:00:3{} 2026",
        "Mon Jun 1{} 10:00:3{} 2026",
        "Jun 1{} 10:00:3{} 2026 trailing",
    ):
        lines = [mail(3, stamp.format(n, n)).replace(b"rt=Jun 04 10:00:03 2026", b"rt=" + stamp.format(n, n).encode()) for n in range(1, 9)]  # fmt: skip
        for raw in lines:
            assert one.take(raw, context()) == other.take(raw, context()), raw
        assert serves(one, lines[0])
        assert serves(one, lines[7])
