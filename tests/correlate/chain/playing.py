"""The stages from events to chains over recorded logs, as a host runs them; shared by the tests of this folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from contract.document import Document, read
from contract.event import Event, Observation
from contract.ports import Adapter, Context
from contract.records import Alert, Chain
from contract.timestamps import from_iso
from correlate.aggregate import aggregate
from correlate.detect import Detector
from correlate.link import link
from correlate.observe import observe
from correlate.sigma.compile import load
from correlate.sigma.rules import RuleSet
from ingest.adapters.windows_eventlog import ADAPTER as WINDOWS
from ingest.adapters.zeek_log import ADAPTER as ZEEK
from ingest.normalize import Normalizer
from runtime.stage_runner import StageRunner

HERE = Path(__file__).parents[3]
SETS = HERE / "../shared/data/chain/otrf"
RULES = HERE / "../shared/data/sigmahq/rules"
OURS = HERE / "rules"
RECEIVED_US = from_iso("2023-08-20T00:00:00Z")
END_US = from_iso("2023-09-20T00:00:00Z")
LATENESS_US = 10_000_000


@lru_cache(maxsize=1)
def rules() -> RuleSet:
    paths = [
        *(RULES / "windows").rglob("*.yml"),
        *(RULES / "network/zeek").rglob("*.yml"),
        *(RULES / "linux/process_creation").rglob("*.yml"),
        *(RULES / "linux/network_connection").rglob("*.yml"),
        *(RULES / "cloud/azure").rglob("*.yml"),
        *(one for one in (OURS / "detection").rglob("*.yml") if ".test." not in one.name),
        *(one for one in (OURS / "correlation").rglob("*.yml") if ".test." not in one.name),
    ]
    documents: list[Document] = []
    for path in sorted(paths):
        documents += read(path.read_text(encoding="utf-8"), str(path))
    return load(documents)


@lru_cache(maxsize=1)
def detector() -> Detector:
    """Return the one that all plays share: it remembers outcomes, which depend on nothing else."""
    return Detector(rules())


def events(adapter: Adapter, stream: Any) -> Iterator[Event]:
    normalizer, context = Normalizer(adapter, adapter.name), Context(received_us=RECEIVED_US)
    for line in stream:
        for one in normalizer.take(line.rstrip(b"\n"), context):
            if isinstance(one, Event):
                yield _by_collector(one)


def _by_collector(event: Event) -> Event:
    """Sysmon's own clock was days off on one of these hosts: all its records are put on the collector's."""
    created = event.fields.get("event.created")
    if created is None:
        return event
    fields = {**event.fields, "@timestamp": created}
    return Event.of(fields, id=event.id, time_us=from_iso(created), source=event.source)


def recorded(name: str, files: str = "*.zip") -> list[Event]:
    found: list[Event] = []
    for path in sorted((SETS / name).glob(files)):
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.namelist()):
                adapter = ZEEK if member.endswith(".log") else WINDOWS
                with archive.open(member) as stream:
                    found.extend(events(adapter, io.BufferedReader(stream)))
    return sorted(found, key=lambda one: one.time_us)


class Play:
    """The stages from events to chains, as a host runs them; `linked` are the items that reached `link`."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.chains: dict[str, Chain] = {}
        self.linked: list[Alert | Observation] = []
        self._detector = detector()
        self._aggregate = StageRunner(aggregate(rules()))
        self._link = StageRunner(link())

    def run(self, items: list[Event]) -> Play:
        for event in items:
            seen = observe(event)
            if seen is not None:
                self._to_link(seen)
            for match in self._detector.match(event):
                self._take(self._aggregate.take(match))
            self.advance(event.time_us - LATENESS_US)
        self.advance(END_US)
        return self

    def advance(self, now_us: int) -> None:
        self._take(self._aggregate.advance(now_us))
        self._keep(self._link.advance(now_us))

    def _take(self, outputs: Any) -> None:
        for one in outputs:
            if isinstance(one, Alert):
                self.alerts[one.id] = one
                self._to_link(one)
                self._take(self._aggregate.take(one))

    def _to_link(self, item: Alert | Observation) -> None:
        self.linked.append(item)
        self._keep(self._link.take(item))

    def _keep(self, outputs: Any) -> None:
        for one in outputs:
            if isinstance(one, Chain):
                self.chains[one.id] = one

    def ranked(self) -> list[Chain]:
        return sorted(
            (one for one in self.chains.values() if one.alerts), key=lambda one: -one.score
        )
