"""The settings file as written: its tables, keys and defaults. `docs/settings.md` is written from here.

Each source's and point's own keys are checked by the model that its file declares.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contract.timespan import Timespan
from correlate.chain.settings import LinkSettings
from correlate.window.settings import WindowSettings
from ingest.normalize_settings import NormalizeSettings
from ingest.recognize import CONFIDENCE
from respond.guard import GuardSettings
from respond.verdict import DecideSettings
from runtime.elastic.settings import ElasticSettings
from runtime.kafka.settings import KafkaSettings
from runtime.log import Format, LogLevel
from runtime.web_access import WebSettings


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone is named {name!r}") from error
    return name


class Part(BaseModel):
    """A table of the settings; frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EngineSettings(Part):
    """How the engine runs.

    Attributes:
        data_dir: folder of the store and the control socket; relative to the settings file.
        rules: folders or files of rules; empty: those that ship.
        lateness: how much earlier than the latest an event of the same source may come; and how far one source of
            recorded input may run ahead of another.
        max_jump: how far one record alone may move its source's time; a longer jump counts once the next record agrees, or
            when the record is of just now.
        idle_after: a source silent for so long holds back nobody's time.
        epoch: longest time between two commits.
        epoch_records: most raw records between two commits.
        queue_records: raw records read ahead of the engine, over all sources but those that wait for another; a long one
            counts one more for each 4 KiB, so that memory is bounded too.
        stop_on_broken_rules: `opsonin run` refuses to start while a rule, pattern or playbook is broken; false leaves
            it out and goes on.
        stop_at_end: end when every source has ended (files that are not followed).
        keep_events: events that arrived longer ago than this are deleted from the store.
        converge_every: each enforcement point is compared with what is desired this often.
    """

    data_dir: Path = Path("var")
    rules: tuple[Path, ...] = ()
    lateness: Timespan = timedelta(seconds=30)
    max_jump: Timespan = timedelta(hours=1)
    idle_after: Timespan = timedelta(seconds=10)
    epoch: Timespan = timedelta(milliseconds=200)
    epoch_records: Annotated[int, Field(ge=1, le=1_000_000)] = 5_000
    queue_records: Annotated[int, Field(ge=100, le=10_000_000)] = 20_000
    stop_on_broken_rules: bool = True
    stop_at_end: bool = False
    keep_events: Timespan = timedelta(days=30)
    converge_every: Timespan = timedelta(seconds=30)


class DetectSettings(Part):
    """How the Sigma rules of `engine.rules` are read.

    Attributes:
        pipelines: processing pipelines, by name (of those that ship) or file, applied in order of their priorities.
        placeholders: values of `%name%` in rules with the modifier `expand`: a list by name.
        slow_patterns: take patterns with look-around and back-references too; each search has a time limit.
        reload_every: how often rule and pipeline files are looked at; what changed is put in force between two events.
            `0s`: only on SIGHUP.
    """

    pipelines: tuple[str, ...] = ()
    placeholders: dict[str, tuple[str, ...]] = {}
    slow_patterns: bool = False
    reload_every: Timespan = timedelta(seconds=2)


class LogSettings(Part):
    """What the engine says of itself, on standard error.

    Attributes:
        level: debug, info, warning or error.
        format: text, json, or auto: text on a terminal, JSON elsewhere.
    """

    level: LogLevel = "info"
    format: Format = "auto"


class RouteEntry(Part):
    """Records of a source that are read otherwise; the first route that holds decides. One condition at least is needed.

    Attributes:
        senders: addresses and networks that sent them.
        hosts: patterns (`*`, `?`; any case) of the host that the syslog header names.
        programs: patterns of the program that it names.
        adapter: what reads them.
        zone: of their time stamps that name none; none: the source's.
        options: for the adapter.
    """

    senders: tuple[IPv4Network | IPv6Network, ...] = ()
    hosts: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    adapter: str
    zone: Annotated[str, AfterValidator(_zone)] | None = None
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.senders and not self.hosts and not self.programs:
            raise ValueError("expected senders, hosts or programs; a route for all is the source")
        return self


class SourceEntry(BaseModel):
    """What every `[[source]]` has; its other keys belong to its type.

    Attributes:
        name: lower case; its position and watermark are kept by it.
        type: the transport: a file in `ingest/sources/`.
        adapter: what reads its records: a file in `ingest/adapters/`, e.g. `suricata.eve`; `detect` finds it for each sender.
        adapters: what `detect` chooses from (none: all that read a record at a time), and what a sender may name in the header
            `Opsonin-Adapter` of a post or a Kafka record.
        confidence: that `detect` wants of an adapter before it settles on it, as `opsonin parse --detect` states it.
        route: see `[[source.route]]`.
        zone: of time stamps that name none, e.g. `Europe/Vienna`.
        options: for the adapter; see its file.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    type: str
    adapter: str
    adapters: tuple[str, ...] = ()
    confidence: Annotated[float, Field(ge=0, le=1)] = CONFIDENCE
    route: tuple[RouteEntry, ...] = ()
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    options: dict[str, Any] = {}


class PointEntry(BaseModel):
    """What every `[[point]]` (enforcement point) has; its other keys belong to its type.

    Attributes:
        name: lower case; playbooks and decisions name it.
        type: its kind: a file in `respond/enforcers/`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    type: str


class File(Part):
    """The settings file as written."""

    engine: EngineSettings = EngineSettings()
    normalize: NormalizeSettings = NormalizeSettings()
    detect: DetectSettings = DetectSettings()
    correlate: WindowSettings = WindowSettings()
    link: LinkSettings = LinkSettings()
    policy: DecideSettings = DecideSettings()
    guard: GuardSettings = GuardSettings()
    log: LogSettings = LogSettings()
    web: WebSettings = WebSettings()
    kafka: KafkaSettings = KafkaSettings()
    elastic: ElasticSettings = ElasticSettings()
    source: tuple[SourceEntry, ...] = ()
    point: tuple[PointEntry, ...] = ()
