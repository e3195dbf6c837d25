"""Counters and gauges for Prometheus: a `contract.ports.Meter` over its client library."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from runtime.metric_help import HELP

Series = TypeVar("Series", Counter, Gauge)

PREFIX = "opsonin_"
CONTENT_TYPE = CONTENT_TYPE_LATEST


class PrometheusMeter:
    """Makes each series at its first use; a name keeps the label names it was first used with. For any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._making = Lock()

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count."""
        counter = self._counters.get(name) or self._made(self._counters, Counter, name, labels)
        (counter.labels(**labels) if labels else counter).inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges.get(name) or self._made(self._gauges, Gauge, name, labels)
        (gauge.labels(**labels) if labels else gauge).set(value)

    def _made(
        self, known: dict[str, Series], kind: type[Series], name: str, labels: Iterable[str]
    ) -> Series:
        """Make a series, unless another thread was first: the registry refuses a name that it has."""
        with self._making:
            if name not in known:
                known[name] = kind(PREFIX + name, _help(name), list(labels), registry=self.registry)
            return known[name]

    def text(self) -> bytes:
        """Return all series in the OpenMetrics text format."""
        text: bytes = generate_latest(self.registry)  # type: ignore[no-untyped-call]
        return text

    def values(self) -> dict[str, float]:
        """Return series as `name{label="value"}` to number, for people."""
        found = {}
        for family in self.registry.collect():
            for sample in family.samples:
                if sample.name.endswith("_created"):
                    continue
                labels = ",".join(
                    f'{key}="{value}"' for key, value in sorted(sample.labels.items())
                )
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found


def _help(name: str) -> str:
    """Return what a metric means; of a plugin's, its name in words."""
    return HELP.get(name) or name.replace("_", " ").removesuffix(" total")
