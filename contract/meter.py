"""The meter that ships without a metrics library: counts in a dict. Tests and `replay` read it."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

Series: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]


class MemoryMeter:
    """A `contract.ports.Meter` in memory; `values` maps (name, sorted labels) to the number."""

    def __init__(self) -> None:
        self.values: Counter[Series] = Counter()

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count."""
        self.values[name, tuple(sorted(labels.items()))] += amount  # type: ignore[assignment]

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self.values[name, tuple(sorted(labels.items()))] = value  # type: ignore[assignment]

    def total(self, name: str) -> float:
        """Return the sum over all labels. O(series)."""
        return sum(value for (series, _), value in self.values.items() if series == name)
