"""Events sieved by their JSON, against events looked at one by one: what they tell must be the same."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.document import read
from contract.event import SENSOR_RULE, Event
from contract.timestamps import iso
from correlate.detect import Detector
from correlate.observe import WATCHED, observe
from correlate.sigma import rule_class, sieve
from correlate.sigma.compile import load
from correlate.sigma.rules import RuleSet
from tests.correlate.test_detect import rule_set

NOW_US = 1_795_328_044_325_038
SYSMON = "Microsoft-Windows-Sysmon/Operational"

RULE = """
title: {id}
id: {id}
logsource: {{{source}}}
detection: {{{detection}}}
level: low
"""


def rules_of(**rules: tuple[str, str]) -> RuleSet:
    texts = [
        RULE.format(id=id, source=source, detection=detection)
        for id, (source, detection) in rules.items()
    ]
    made = load([document for text in texts for document in read(text, "rules/a.yml")])
    assert not made.errors
    return made


RULES = rules_of(
    image=("product: windows", "s: {Image|endswith: '\\evil.exe'}, condition: s"),
    number=("product: windows", "s: {ProcessId: 7}, condition: s"),
    absent=("product: windows, category: file_event", "s: {Image: null}, condition: s"),
    veto=("product: windows, category: process_creation", "s: {CommandLine|re: '.'}, f: {CommandLine|contains: [a, b]}, condition: s and not f"),
    word=("product: windows", "s: [mimikatz], condition: s"),
    denied=("category: firewall", "s: {event.action: denied}, condition: s"),
    port=("category: firewall", "s: {dst_port: 7}, condition: s"),
    login=("product: linux, service: sshd", "s: {event.outcome: failure}, condition: s"),
    nested=("product: suricata", "s: {suricata.eve.tls.sni: x}, condition: s"),
    any=("category: web", "s: {url.path|contains: '*'}, f: {url.path|startswith: /ok}, condition: s and not f"),
)  # fmt: skip

texts = st.sampled_from(
    ["", "x", "b", "evil", "C:\\EVIL.exe", "mimikatz", "a\u017f", "denied", "Failure", "/ok", "7", "\u2764", "a\tb"]
)  # fmt: skip
odd = st.sampled_from(
    [None, 7, 7.5, True, [], [None], ["x", "C:\\evil.exe"], [7], [[1]], {"sni": "x"}, [{"sni": "x"}]]
)  # fmt: skip
routing = st.fixed_dictionaries(
    {},
    optional={
        "winlog.channel": st.sampled_from([SYSMON, "Security", "", None, 7]),
        "event.code": st.sampled_from(["1", "7", "11", 11, None]),
        "winlog.event_id": st.sampled_from(["1", 1]),
        "winlog.provider_name": st.sampled_from(["a", None]),
        "EventID": st.sampled_from([1, "11", None]),
        "Channel": st.sampled_from(["Security", SYSMON, "", None]),
        "SourceName": st.just("s"),
        "EventData": st.just("x"),
        "event.module": st.sampled_from(["system", "suricata", "iptables", ["a", "b"]]),
        "event.kind": st.sampled_from(["event", "alert", ["alert"]]),
        "event.category": st.sampled_from(
            ["process", ["process"], ["web"], ["network", "file"], ["registry"], ["authentication"], ["host"], 7]
        ),
        "event.type": st.sampled_from(["start", ["creation"], ["change", "info"], ["end"]]),
        "observer.type": st.sampled_from(["firewall", ["firewall"]]),
        "process.name": st.sampled_from(["sshd", "s\\shd", "other", ["sshd"], None]),
    },
)  # fmt: skip
data = st.dictionaries(
    st.sampled_from(
        ["winlog.event_data.Image", "winlog.event_data.ProcessId", "winlog.event_data.CommandLine", "Image",
         "event.action", "event.outcome", "destination.port", "destination.ip", "source.nat.ip", "process.pid", "user.name",
         "file.path", "registry.path", "url.path", "suricata.eve.tls", "suricata.eve", "opsonin.attestation.result", "message"]
    ),
    texts | odd | st.sampled_from(["HKLM\\Services\\x", "\u212aservices\\"]),
    max_size=5,
)  # fmt: skip


def event_of(fields: dict[str, Any], number: int = 0) -> Event:
    head = {"@timestamp": iso(NOW_US + number), "event.id": f"e{number}"}
    return Event.of({**fields, **head}, id=f"e{number}", time_us=NOW_US + number, source="test")


def told(detector: Detector, event: Event) -> Any:
    seen, matches = detector.detect(event)
    return seen, [one.rule for one in matches]


@pytest.mark.native
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    many=st.lists(st.tuples(routing, data), min_size=1, max_size=12),
    sample=st.sampled_from([1, 3, 192]),
)
def test_sieved_events_tell_what_events_looked_at_tell(
    many: list[tuple[dict[str, Any], dict[str, Any]]], sample: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_class, "SAMPLE", sample)
        sieved, looked = Detector(RULES), Detector(RULES, native=False)
        for _ in range(4):  # the first two rounds tell the sieve classes and values
            for at, (head, body) in enumerate(many):
                event = event_of(head | body, at)
                assert told(sieved, event) == told(looked, event)


@pytest.mark.native
def test_most_events_are_not_looked_at_and_those_that_tell_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rule_class, "SAMPLE", 1)
    detector = Detector(RULES)
    dull: dict[str, Any] = {
        "winlog.channel": SYSMON, "event.code": "7", "event.category": ["process"], "event.type": ["start"],
        "event.kind": "event", "winlog.event_data.Image": "C:\\a.exe", "winlog.keywords": ["x", 1],
    }  # fmt: skip
    dull["event.type"] = ["info"]
    for at in range(3):
        assert told(detector, event_of(dull, at)) == (None, [])
    event = event_of(dull, 9)
    assert detector.ask(event.json, event.time_us) == sieve.NOTHING
    for more, rules in (
        ({"winlog.event_data.Image": "c:\\Evil.EXE"}, ["image"]),
        ({"winlog.event_data.Image": ["x", "c:\\Evil.EXE"]}, ["image"]),
        ({"winlog.event_data.ProcessId": 7}, ["number"]),
        ({"message": "MimiKatz"}, ["word"]),
        ({"event.kind": "alert"}, [SENSOR_RULE]),
    ):
        event = event_of(dull | more)
        assert detector.ask(event.json, event.time_us) == sieve.LOOK, more
        assert told(detector, event) == (None, rules)
    event = event_of(dull | {"event.type": ["start"], "process.pid": 5})
    assert detector.ask(event.json, event.time_us) == sieve.LOOK
    assert told(detector, event)[0] is not None


@pytest.mark.native
def test_only_an_event_with_its_id_and_the_stated_time_is_passed_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rule_class, "SAMPLE", 1)
    detector = Detector(rule_set())
    event = event_of({"event.module": "x"})
    for _ in range(2):
        detector.detect(event)
    assert detector.ask(event.json, NOW_US) == sieve.NOTHING
    for time_us in (NOW_US - 1, 0, -1, 2**62, -(2**62)):
        assert detector.ask(event.json, time_us) == sieve.UNSERVED
    for broken in (
        event.json.replace(b'"e0"', b"7"), event.json.replace(b'"e0"', b'"\\u0065"'), event.json.replace(b"event.id", b"event.ix"),
        event.json.replace(b"038Z", b"038+00:00"), event.json.replace(b"@timestamp", b"@timestamq"), event.json[:-1],
        event.json + b"x", b"", b"null", event.json.replace(b'"x"', b"x"), event.json.replace(b'"x"', b'"\xff"'),
    ):  # fmt: skip
        assert broken != event.json
        assert detector.ask(broken, NOW_US) == sieve.UNSERVED, broken


@settings(max_examples=400, deadline=None)
@given(head=routing, body=data)
def test_what_is_observed_is_watched_for(head: dict[str, Any], body: dict[str, Any]) -> None:
    event = event_of(head | body)
    if observe(event) is not None:
        assert any(_is_there(event.fields, leaves) for leaves in WATCHED)


def _is_there(fields: dict[str, Any], leaves: tuple[Any, ...]) -> bool:
    def holds(leaf: Any) -> bool:
        value = fields.get(leaf.field)
        if leaf.op == "exists":
            return leaf.field in fields
        texts = [
            one.lower()
            for one in (value if isinstance(value, list) else [value])
            if type(one) is str
        ]
        return any(leaf.value == one if leaf.op == "equal" else leaf.value in one for one in texts)

    names = {leaf.field for leaf in leaves}
    return all(any(holds(leaf) for leaf in leaves if leaf.field == name) for name in names)


@pytest.mark.native
def test_learning_changes_nothing_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_class, "SAMPLE", 5)
    monkeypatch.setattr(rule_class, "_RELEARN_AFTER", (20, 40))
    monkeypatch.setattr(rule_class, "_STRIDE", 2)
    choose = random.Random(2)  # noqa: S311  # repeatable, not secret
    sieved, looked = Detector(RULES), Detector(RULES, native=False)
    for number in range(2_000):
        fields: dict[str, Any] = {
            "winlog.channel": SYSMON, "event.code": choose.choice(["1", "11"]),
            "winlog.event_data.CommandLine": choose.choice(["x", "a", "y" * choose.randint(1, 9)]),
            "winlog.event_data.ProcessId": choose.choice([7, 8, "7"]),
        }  # fmt: skip
        event = event_of(fields, number)
        assert told(sieved, event) == told(looked, event)
    assert any(one._learnt for one in sieved._engine._classes.values())


def test_without_the_native_module_every_event_is_looked_at() -> None:
    detector = Detector(RULES, native=False)
    event = event_of({"event.module": "x"})
    assert [detector.ask(event.json, NOW_US) for _ in range(3)] == [sieve.UNSERVED] * 3
    assert msgspec.json.decode(event.json) == event.fields
