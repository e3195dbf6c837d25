"""How a loop is: what its health check says, how far it is behind, and what its metrics tell of each partition."""

from __future__ import annotations

from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from contract.ports import Meter
from runtime.kafka.task import Task


@dataclass(slots=True)
class Health:
    """How a loop is, for the health check and the metrics.

    Attributes:
        partitions: that it has, with the wall-clock time (µs) at which each last had nothing more to read or went on.
        failing_since_us: of the first of a row of failures; None while it runs.
        failure: what ended it for good.
    """

    partitions: dict[int, int] = field(default_factory=dict)
    failing_since_us: int | None = None
    last_error: str = ""
    failure: BaseException | None = None

    def stuck(self, now_us: int, limit_us: int) -> str | None:
        """Return why this loop is not healthy, or None."""
        if self.failure is not None:
            return f"ended: {self.failure}"
        if self.failing_since_us is not None and now_us - self.failing_since_us > limit_us:
            return (
                f"failing for {(now_us - self.failing_since_us) // 1_000_000} s: {self.last_error}"
            )
        for partition, at_us in sorted(self.partitions.items()):
            if now_us - at_us > limit_us:
                return f"partition {partition} stands still for {(now_us - at_us) // 1_000_000} s"
        return None


def lag_of(consumer: KafkaConsumer, place: TopicPartition) -> int:
    """Return how many records are left; unknown counts as one."""
    try:
        end, at = consumer.highwater(place), consumer.position(place, timeout_ms=0)
    except (KafkaError, AssertionError):
        return 1
    return max(0, end - at) if end is not None and at is not None else 1


def tell(meter: Meter, role: str, partition: int, task: Task, lag: int, now_us: int) -> None:
    """Tell the metrics of one partition."""
    labels = {"role": role, "partition": str(partition)}
    meter.set("lag_records", lag, **labels)
    if task.low_us:
        meter.set("watermark_delay_seconds", (now_us - task.low_us) / 1e6, **labels)
    if task.origin_ms:
        meter.set("path_seconds", now_us / 1e6 - task.origin_ms / 1e3, **labels)
