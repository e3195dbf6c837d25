"""All settings: one TOML file and `OPSONIN_` variables over it, checked whole before anything opens.

Unknown keys are refused. Each source's and point's own keys are checked by the model that its file declares.
`docs/settings.md` lists every key; a test compares.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contract.errors import SettingsError
from contract.plugins import load as load_plugins
from contract.ports import Adapter, EnforcerType, SourceType
from correlate.chain.settings import LinkSettings
from correlate.window.settings import WindowSettings
from ingest.detection import DETECT
from ingest.lanes import LaneSettings
from ingest.normalize_settings import NormalizeSettings
from ingest.recognize import CONFIDENCE
from ingest.routes import Route
from respond.guard import GuardSettings
from respond.target import network
from respond.verdict import DecideSettings
from runtime import toml_file
from runtime.elastic.settings import ElasticSettings
from runtime.kafka.settings import KafkaSettings
from runtime.settings_faults import Where, plugin, refuse_twice, validate
from runtime.settings_file import (
    DetectSettings,
    EngineSettings,
    File,
    LogSettings,
    PointEntry,
    SourceEntry,
)
from runtime.web_access import WebSettings


@dataclass(slots=True, frozen=True)
class Reading:
    """How records of one source are read.

    Attributes:
        adapter: `ingest.detection.DETECT` where it is to be found.
        zone: of time stamps that name none.
        options: for the adapter; see its file.
        routes: of records that are read otherwise.
        adapters: what detection chooses from, and what senders may name.
        confidence: that detection wants.
    """

    name: str
    adapter: Adapter
    zone: tzinfo
    options: Mapping[str, Any]
    routes: tuple[Route, ...] = field(default=(), kw_only=True)
    adapters: Mapping[str, Adapter] = field(default_factory=dict, kw_only=True)
    confidence: float = field(default=CONFIDENCE, kw_only=True)


@dataclass(slots=True, frozen=True)
class SourceConfig(Reading):
    """One source, ready to open."""

    type: SourceType
    settings: BaseModel


@dataclass(slots=True, frozen=True)
class PointConfig:
    """One enforcement point, ready to open."""

    name: str
    type: EnforcerType
    settings: BaseModel


@dataclass(slots=True, frozen=True)
class Settings:
    """The checked settings, plugins resolved, paths absolute."""

    engine: EngineSettings
    normalize: NormalizeSettings
    detect: DetectSettings
    correlate: WindowSettings
    link: LinkSettings
    policy: DecideSettings
    guard: GuardSettings
    log: LogSettings
    web: WebSettings
    kafka: KafkaSettings
    elastic: ElasticSettings
    sources: tuple[SourceConfig, ...]
    points: tuple[PointConfig, ...]

    def guarded(self, detected: Mapping[str, list[str]]) -> Settings:
        """Return the settings with what was found on this machine on the never-touch list, points included."""
        found = tuple(network(one) for kind in sorted(detected) for one in detected[kind])
        never = tuple(dict.fromkeys((*self.guard.never_touch, *found)))
        guard = self.guard.model_copy(update={"never_touch": never})
        points = tuple(
            replace(one, settings=one.settings.model_copy(update={"guard": guard}))
            for one in self.points
        )
        return replace(self, guard=guard, points=points)


def load(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read and check everything.

    Args:
        path: the TOML file, or None for defaults and variables alone.
        environment: usually `os.environ`.

    Raises:
        SettingsError: the first fault: file, line, key, what was expected.
    """
    text, name = "", "environment"
    if path is not None:
        name = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot be read: {error}", file=name) from error
    where = (name, toml_file.lines(text))
    tree = toml_file.merge(toml_file.read(text, name), toml_file.from_environment(environment))
    return resolve(tree, where, path.parent if path else Path())


def resolve(
    tree: Mapping[str, Any], where: Where = ("settings", {}), folder: Path = Path()
) -> Settings:
    """Check a mapping as `load` does a file; paths in it are relative to `folder`.

    Raises:
        SettingsError: as `load`.
    """
    file = validate(File, tree, (), where)
    file = file.model_copy(
        update={
            "normalize": _rooted(file.normalize, folder),
            "kafka": _rooted(file.kafka, folder),
            "elastic": _rooted(file.elastic, folder),
            "web": _rooted(file.web, folder),
        }
    )
    engine = file.engine.model_copy(
        update={
            "data_dir": _absolute(folder, file.engine.data_dir),
            "rules": tuple(_absolute(folder, one) for one in file.engine.rules),
        }
    )
    return Settings(
        engine=engine,
        normalize=file.normalize,
        detect=file.detect.model_copy(
            update={"pipelines": tuple(_pipeline(folder, one) for one in file.detect.pipelines)}
        ),
        correlate=file.correlate,
        link=file.link,
        policy=file.policy,
        guard=file.guard,
        log=file.log,
        web=file.web,
        kafka=file.kafka,
        elastic=file.elastic,
        sources=_sources(file.source, where, folder),
        points=_points(file.point, where, folder),
    )


def _sources(
    entries: tuple[SourceEntry, ...], where: Where, folder: Path
) -> tuple[SourceConfig, ...]:
    refuse_twice("source", [one.name for one in entries], where)
    found = []
    for index, entry in enumerate(entries):
        at = ("source", index)
        kind = plugin("ingest.sources", entry.type, "SOURCE", SourceType, (*at, "type"), where)
        adapter = DETECT
        if entry.adapter != DETECT.name:
            adapter = _adapter(entry.adapter, (*at, "adapter"), where)
        own = _rooted(validate(kind.settings, entry.model_extra or {}, at, where), folder)
        found.append(
            SourceConfig(
                entry.name,
                adapter,
                ZoneInfo(entry.zone),
                entry.options,
                kind,
                own,
                routes=_routes(entry, at, where),
                adapters=_adapters(entry, at, where),
                confidence=entry.confidence,
            )
        )
    return tuple(found)


def _adapter(name: str, at: toml_file.Path, where: Where) -> Adapter:
    found: Adapter = plugin("ingest.adapters", name, "ADAPTER", Adapter, at, where)
    return found


def _adapters(entry: SourceEntry, at: toml_file.Path, where: Where) -> dict[str, Adapter]:
    """Return what detection chooses from: those named, or all that read a record at a time."""
    if entry.adapter == DETECT.name and not entry.adapters:
        known = load_plugins("ingest.adapters", "ADAPTER", Adapter)
        return {name: one for name, one in known.items() if one.flush is None}
    places = [(*at, "adapters", number) for number in range(len(entry.adapters))]
    found = [_adapter(name, place, where) for name, place in zip(entry.adapters, places, strict=True)]  # fmt: skip
    return {one.name: one for one in found}


def _routes(entry: SourceEntry, at: toml_file.Path, where: Where) -> tuple[Route, ...]:
    found = []
    for number, one in enumerate(entry.route):
        adapter = _adapter(one.adapter, (*at, "route", number, "adapter"), where)
        how = LaneSettings(adapter, ZoneInfo(one.zone or entry.zone), one.options)
        hosts, programs = (tuple(text.lower() for text in texts) for texts in (one.hosts, one.programs))  # fmt: skip
        found.append(Route(how, one.senders, hosts, programs))
    return tuple(found)


def _points(entries: tuple[PointEntry, ...], where: Where, folder: Path) -> tuple[PointConfig, ...]:
    refuse_twice("point", [one.name for one in entries], where)
    found = []
    for index, entry in enumerate(entries):
        at = ("point", index)
        kind = plugin(
            "respond.enforcers", entry.type, "ENFORCER", EnforcerType, (*at, "type"), where
        )
        found.append(
            PointConfig(
                entry.name,
                kind,
                _rooted(validate(kind.settings, entry.model_extra or {}, at, where), folder),
            )
        )
    return tuple(found)


def _pipeline(folder: Path, name: str) -> str:
    """Return the name of a shipped pipeline as it is, a file's made absolute."""
    is_file = "/" in name or name.endswith((".yml", ".yaml"))
    return str(_absolute(folder, Path(name))) if is_file else name


def _absolute(folder: Path, path: Path) -> Path:
    return Path(os.path.normpath(folder.absolute() / path))


def _rooted(settings: BaseModel, folder: Path) -> BaseModel:
    """Return the settings with relative paths in them (`Path` fields, of nested tables too) made absolute from `folder`."""
    changed: dict[str, Any] = {}
    for name, value in settings:
        if isinstance(value, Path):
            changed[name] = _absolute(folder, value)
        elif isinstance(value, BaseModel):
            changed[name] = _rooted(value, folder)
        elif isinstance(value, tuple) and value and isinstance(value[0], Path):
            changed[name] = tuple(_absolute(folder, one) for one in value)
    return settings.model_copy(update=changed)
