"""Counters and gauges for Prometheus: a `contract.ports.Meter` over its client library."""

from __future__ import annotations

from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from runtime.metric_help import HELP

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
        counter = self._counters.get(name)
        if counter is None:
            counter = Counter(PREFIX + name, _help(name), list(labels), registry=self.registry)
            self._counters[name] = counter
        (counter.labels(**labels) if labels else counter).inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges.get(name)
        if gauge is None:
            gauge = Gauge(PREFIX + name, _help(name), list(labels), registry=self.registry)
            self._gauges[name] = gauge
        (gauge.labels(**labels) if labels else gauge).set(value)

    def _counter(self, name: str, labels: list[str]) -> Counter:
        with self._making:
            if name not in self._counters:
                title = name.replace("_", " ").removesuffix(" total")
                self._counters[name] = Counter(PREFIX + name, title, labels, registry=self.registry)
            return self._counters[name]

    def _gauge(self, name: str, labels: list[str]) -> Gauge:
        with self._making:
            if name not in self._gauges:
                title = name.replace("_", " ")
                self._gauges[name] = Gauge(PREFIX + name, title, labels, registry=self.registry)
            return self._gauges[name]

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
