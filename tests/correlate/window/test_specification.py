"""Each example of the Sigma correlation specification 2.1, read from its own text and played: what it is meant to find, and a near miss."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from contract.document import Document, read
from contract.event import Event
from correlate.aggregate import Settings, aggregate, check
from correlate.detect import Detector
from correlate.rehearse import END_US, START_US, Alerts
from correlate.sigma.compile import load

SIGMA = Path(__file__).parents[4] / "shared" / "specs" / "sigma"
TEXT = SIGMA / "specification" / "sigma-correlation-rules-specification.md"

pytestmark = pytest.mark.skipif(
    not TEXT.exists(), reason="the specification does not lie beside the project"
)

Step: TypeAlias = tuple[float, dict[str, Any]]
"""(seconds, fields)."""


def examples() -> Iterator[str]:
    """Yield the examples that are whole rules, in order."""
    for block in re.findall(r"```ya?ml\n(.*?)```", TEXT.read_text("utf-8"), re.DOTALL):
        if "correlation:" in block and "type:" in block:
            yield block if "title:" in block else f"title: without one\n{block}"


def example(words: str) -> list[Document]:
    """Return the one example that holds these words, with a detection `E: NAME` for each rule that it leaves out."""
    (text,) = (one for one in examples() if words in one)
    documents = list(read(text, "example.yml"))
    known = {str(one.data.get(key)) for one in documents for key in ("id", "name")}
    missing = {
        reference
        for one in documents
        for reference in one.data.get("correlation", {}).get("rules", ())
        if reference not in known
    }
    for name in sorted(missing):
        key = "id" if re.fullmatch(r"[0-9a-f-]{36}", name) else "name"
        given = f"title: t\n{key}: {name}\nlogsource: {{product: windows}}\ndetection: {{s: {{E: {name}}}, condition: s}}\n"
        documents += read(given, f"{name}.yml")
    return documents


def told(documents: list[Document], steps: list[Step]) -> int:
    """Return how many alerts the first document of an example gives."""
    rules = load(documents)
    assert not rules.errors
    assert not check(rules)
    run = Alerts(aggregate(rules, Settings(lateness="1d")))
    detector = Detector(rules)
    for number, (at, fields) in enumerate(steps):
        time = START_US + round(at * 1_000_000)
        for match in detector.match(Event.of(fields, id=f"e{number}", time_us=time, source="s")):
            run.take(match)
    run.time(END_US)
    title = documents[0].data["title"]
    return sum(one.rule.name == title for one in run.final())


FAILED = "5638f7c0-ac70-491d-8465-2a65075e0d86"


def failures(count: int, every: float, **fields: Any) -> list[Step]:
    return [(at * every, {"E": FAILED, **fields}) for at in range(count)]


def users(count: int, workstations: int) -> list[Step]:
    return [
        (at, {"E": FAILED, "ComputerName": "dc", "WorkstationName": at % workstations, "User": f"u{at}"})
        for at in range(count)
    ]  # fmt: skip


def recon(*steps: tuple[float, str, str]) -> list[Step]:
    return [
        (at, {"E": f"recon_cmd_{which}", "ComputerName": "pc", "User": user})
        for at, which, user in steps
    ]


def bytes_sent(name: str, field: str, *values: float) -> list[Step]:
    shared = {"E": name, "SourceIP": "10.0.0.1", "User": "eve"}
    return [(at, {**shared, field: value}) for at, value in enumerate(values)]


def images(common: int) -> list[Step]:
    shared = {"E": "process_creation", "ComputerName": "pc"}
    usual: list[Step] = [(at, {**shared, "image": "usual.exe"}) for at in range(common)]
    return [*usual, (common, {**shared, "image": "rare.exe"})]


def error_then_connection(*, back: str) -> list[Step]:
    error = {"E": "internal_error", "source.ip": "203.0.113.9", "destination.ip": "10.0.0.5"}
    connection = {"E": "new_network_connection", "source.ip": "10.0.0.5", "destination.ip": back}
    return [(0, error), (9, connection)]


def logons(failed: int, *, user: str = "eve", after: float = 60) -> list[Step]:
    refused: list[Step] = [(at, {"EventID": 4625, "User": "eve"}) for at in range(failed)]
    return [*refused, (after, {"EventID": 4624, "User": user})]


CASES: dict[str, tuple[str, list[Step], int]] = {
    "a hundred failures in an hour": ("title: Many failed logins", failures(100, 36, ComputerName="pc"), 1),
    "ninety-nine": ("title: Many failed logins", failures(99, 36, ComputerName="pc"), 0),
    "a hundred in more than an hour": ("title: Many failed logins", failures(100, 36.5, ComputerName="pc"), 0),
    "a hundred users of one workstation": ("title: Failed login\n", users(100, 1), 1),
    "a hundred users of two": ("title: Failed login\n", users(100, 2), 0),
    "reconnaissance in any order": ("recon_cmd_a", recon((0, "c", "eve"), (150, "a", "eve"), (300, "b", "eve")), 1),
    "reconnaissance by two users": ("recon_cmd_a", recon((0, "c", "eve"), (1, "a", "eve"), (2, "b", "bob")), 0),
    "reconnaissance over too long": ("recon_cmd_a", recon((0, "c", "eve"), (150, "a", "eve"), (301, "b", "eve")), 0),
    "failures, then a success": ("many_failed_logins", [(0, {"E": "many_failed_logins", "User": "eve", "ComputerName": "a"}), (3600, {"E": "successful_login", "User": "eve", "ComputerName": "b"})], 1),
    "a success, then failures": ("many_failed_logins", [(0, {"E": "successful_login", "User": "eve"}), (9, {"E": "many_failed_logins", "User": "eve"})], 0),
    "more than a million bytes": ("Possible Exfiltration", bytes_sent("website_access", "bytes_sent", 999_999, 2), 1),
    "a million bytes": ("Possible Exfiltration", bytes_sent("website_access", "bytes_sent", 999_999, 1), 0),
    "a mean above 500": ("average network traffic", bytes_sent("rule_a_id", "BytesOut", 1, 1000), 1),
    "a mean of 500": ("average network traffic", bytes_sent("rule_a_id", "BytesOut", 0, 1000), 0),
    "one process of a hundred": ("spawned a processes name", images(99), 1),
    "one process of ninety-nine": ("spawned a processes name", images(98), 0),
    "an error, then a connection back": ("internal_error: destination.ip", error_then_connection(back="203.0.113.9"), 1),
    "an error, then a connection elsewhere": ("internal_error: destination.ip", error_then_connection(back="203.0.113.8"), 0),
    "ten failures, then a success": ("Followed by Successful Login", logons(10), 1),
    "nine failures": ("Followed by Successful Login", logons(9), 0),
    "a success of somebody else": ("Followed by Successful Login", logons(10, user="bob"), 0),
    "a success too late": ("Followed by Successful Login", logons(10, after=610), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_example_finds_what_it_is_meant_to(name: str) -> None:
    words, steps, wanted = CASES[name]
    assert told(example(words), steps) == wanted


def test_every_example_is_played() -> None:
    played = {one for one in examples() for words, _, _ in CASES.values() if words in one}
    assert played == set(examples())


@pytest.mark.parametrize(
    "path", sorted((SIGMA / "tests" / "schema" / "correlation").glob("*.yml")), ids=lambda p: p.stem
)
def test_the_specification_s_test_rules_are_read(path: Path) -> None:
    documents = list(read(path.read_text("utf-8"), path.name))
    for document in list(documents):
        for name in document.data.get("correlation", {}).get("rules", ()):
            documents += read(
                f"title: t\nname: {name}\nid: {name}\nlogsource: {{product: x}}\ndetection: {{s: {{E: x}}, condition: s}}\n",
                "t.yml",
            )
    assert not check(load(documents))
