"""The adapter of a stream is found by what its first records hold."""

from collections.abc import Iterable

from contract.event import Event
from contract.meter import MemoryMeter
from contract.plugins import load_named
from contract.ports import Adapter
from contract.records import DeadLetter
from ingest.detection import DETECT, TRIAL, Detection
from ingest.lanes import Lane, LaneSettings
from ingest.normalize_settings import NormalizeSettings

NOW = 1_781_524_800_000_000
NETFILTER = b"<4>Jun 15 11:00:00 gw kernel: [1.%06d] DROP IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=4000 DPT=22 WINDOW=64240 RES=0x00 SYN URGP=0"
SSHD = b"<38>Jun 15 11:00:00 gw sshd[%d]: Failed password for root from 203.0.113.9 port 4000 ssh2"
EVE = b'{"timestamp":"2026-06-15T11:00:00.%06d+0000","event_type":"flow","src_ip":"203.0.113.9","src_port":4000,"dest_ip":"192.0.2.1","dest_port":22,"proto":"TCP","flow":{"pkts_toserver":1,"bytes_toserver":60}}'
NAMES = ("linux.netfilter", "linux.auth", "suricata.eve", "cisco.asa", "generic.ecs")


def made(
    told: list[tuple[str, str, float]], confidence: float = 0.5, names: Iterable[str] = NAMES
) -> Detection:
    meter, settings = MemoryMeter(), NormalizeSettings()

    def lane(adapter: Adapter) -> Lane:
        return Lane("gw", LaneSettings(adapter), settings, meter)

    lanes = {name: lane(load_named("ingest.adapters", name, "ADAPTER", Adapter)) for name in names}
    return Detection(lanes, lane(DETECT), confidence, meter, lambda *one: told.append(one))


def datasets(items: Iterable[Event | DeadLetter]) -> list[str]:
    return [one.fields["event.dataset"] if isinstance(one, Event) else one.adapter for one in items]


def test_each_stream_settles_on_its_own_adapter_and_nothing_waits() -> None:
    told: list[tuple[str, str, float]] = []
    detection = made(told)
    streams = {"a": NETFILTER, "b": SSHD, "c": EVE}
    for number in range(2 * TRIAL):
        for sender, line in streams.items():
            items = detection.take(line % number, sender, NOW)
            assert [type(one) for one in items] == [Event]
    assert [(sender, adapter) for sender, adapter, _ in told] == [
        ("a", "linux.netfilter"), ("b", "linux.auth"), ("c", "suricata.eve")
    ]  # fmt: skip
    assert all(0.5 <= confidence <= 1 for _, _, confidence in told)


def test_the_other_tongues_of_a_settled_sender_are_understood() -> None:
    detection = made([])
    for number in range(TRIAL):
        detection.take(NETFILTER % number, "a", NOW)
    assert datasets(detection.take(SSHD % 1, "a", NOW)) == ["system.auth"]
    assert datasets(detection.take(NETFILTER % 1, "a", NOW)) == ["netfilter.log"]


def test_what_no_adapter_reads_is_a_dead_letter_before_and_after_the_verdict() -> None:
    detection = made([])
    rubbish = b"\x00\x01 nothing that any product says"
    (item,) = detection.take(rubbish, "a", NOW)
    assert isinstance(item, DeadLetter)
    assert (item.adapter, item.reason) == ("detect", "no adapter reads this record")
    for number in range(TRIAL + 1):
        detection.take(NETFILTER % number, "a", NOW)
    assert datasets(detection.take(rubbish, "a", NOW)) == ["linux.netfilter"]


def test_who_would_read_any_line_is_not_believed_but_for_the_stream_s_favourite() -> None:
    names = ("linux.auth", "juniper.srx", "pfsense.filterlog")
    detection = made([], names=names)
    line = b"<13>Jun 15 11:00:00 gate1 acme: verdict=block src=203.0.113.9"
    assert datasets(detection.take(line, "a", NOW)) == ["detect"]
    for number in range(5):
        detection.take(SSHD % number, "a", NOW)
    listening = b"<38>Jun 15 11:00:00 gw sshd[1]: Server listening on 0.0.0.0 port 22."
    assert datasets(detection.take(listening, "a", NOW)) == ["system.auth"]


ASA = b"<166>Jun 15 2026 11:00:00 asa : %%ASA-6-302013: Built inbound TCP connection %d for outside:203.0.113.9/4000 (203.0.113.9/4000) to inside:192.0.2.1/22 (192.0.2.1/22)"


def test_of_relatives_the_one_that_always_finds_as_much_and_mostly_more_is_settled() -> None:
    told: list[tuple[str, str, float]] = []
    detection = made(told, confidence=0.55, names=("cisco.ios", "cisco.asa", "pfsense.filterlog"))
    listening = b"<38>Jun 15 11:00:00 asa : %%ASA-5-111008: User 'enable_15' executed the 'no logging %d' command."
    for number in range(2 * TRIAL):
        detection.take((listening if number % 4 == 0 else ASA) % number, "a", NOW)
    assert [adapter for _, adapter, _ in told] == ["cisco.asa"]


def test_lines_that_say_nothing_speak_for_nobody_and_against_nobody() -> None:
    told: list[tuple[str, str, float]] = []
    detection = made(told, confidence=0.55, names=("linux.auth", "juniper.srx"))
    empty = b"<13>Jun 15 11:00:00 gw acme: nothing new, round %d"
    for number in range(2 * TRIAL):
        detection.take((empty if number % 3 == 0 else SSHD) % number, "a", NOW)
    assert [adapter for _, adapter, _ in told] == ["linux.auth"]
    for number in range(4 * TRIAL):
        detection.take((SSHD if number % 3 == 0 else empty) % number, "b", NOW)
    assert [sender for sender, *_ in told] == ["a"]  # of b nearly nothing is known


def test_without_the_confidence_asked_for_no_verdict_is_given() -> None:
    told: list[tuple[str, str, float]] = []
    detection = made(told, confidence=0.99)
    for number in range(3 * TRIAL):
        assert datasets(detection.take(SSHD % number, "a", NOW)) == ["system.auth"]
    assert told == []


def test_what_was_learnt_survives_a_restart_at_every_record() -> None:
    told: list[tuple[str, str, float]] = []
    detection = made(told)
    for number in range(TRIAL + 2):
        detection.take(EVE % number, "c", NOW)
        again = made(told)
        again.restore(detection.memory())
        assert again.memory() == detection.memory()
        detection = again
    assert [adapter for _, adapter, _ in told] == ["suricata.eve"]
    fewer = made(told, names=("linux.auth",))
    fewer.restore(detection.memory())
    assert fewer.memory()["trials"] == {}
