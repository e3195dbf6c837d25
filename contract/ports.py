"""Ports: what the engine asks of its parts. A part is any object of this shape.

Stages are pure state machines; sources and enforcers do I/O and are the only asynchronous ports.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

from pydantic import BaseModel

from contract.event import Fields
from contract.records import Decision, Outcome

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
In = TypeVar("In")
Out = TypeVar("Out")

# ------------------------------------------------------------------ adapters: raw bytes to fields


@dataclass(slots=True)
class Context:
    """What an adapter may know of a record beside its bytes.

    Attributes:
        received_us: arrival, microseconds since the epoch; the year of a time stamp that has none is
            the one that brings it nearest to this.
        zone: of time stamps that name none; from the source's settings.
        sender: address of the peer that sent it, or empty.
        state: what the adapter remembers between records of one stream (a Zeek header, an unfinished
            audit event). JSON values only: it is saved with the source's position.
        options: the source's settings for its adapter, as written there (enrolled keys, a policy of
            measurements); never changed by the adapter.
    """

    received_us: int
    zone: tzinfo = UTC
    sender: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Adapter:
    """One product's log format. The module-level `ADAPTER` of a file in `ingest/adapters/`.

    Attributes:
        name: e.g. `suricata.eve`; the file is `suricata_eve.py`.
        parse: one raw record to its events' flat ECS fields; a list, since one record may hold
            several events or (unfinished) none. `@timestamp` is set as ISO text; `event.id` only
            when the product gives one. Pure. Raises `contract.errors.ParseError`.
        flush: what `context.state` still holds when a stream ends.
        typed: promises that no value is empty and each is in its ECS type's own form, so that the normalizer
            need not look again; a test holds the adapter to it.
        holes: what may vary between lines that mean the same, so that they can be learnt by example
            (`ingest.learn`): by kind, what stands before such a value. None: no line is learnt. What an
            adapter states here it must treat alike whatever the value; addresses and times are always such.
        learns: whether lines like one that became these fields may be learnt, where the table of holes cannot say; it
            may look at nothing that stands in a hole.
    """

    name: str
    parse: Callable[[bytes, Context], list[Fields]]
    flush: Callable[[Context], list[Fields]] | None = None
    typed: bool = False
    holes: Mapping[str, Sequence[str]] | None = None
    learns: Callable[[bytes, Fields], bool] | None = None


# ------------------------------------------------------------------ sources: I/O to raw bytes


@dataclass(slots=True)
class Batch:
    """Raw records of one stream, in order of arrival.

    Attributes:
        source: the configured name.
        records: without framing; never empty strings. No record at all: only the rest is news.
        received_us: wall-clock arrival of the last.
        position: JSON value; where to go on after this batch, or None where a source cannot go back.
        sender: peer address, where all records share one.
        adapter: name of the adapter that the transport itself asks for (a header); empty: the settings decide.
        has_more: more that was written before is at hand behind this batch; only of sources that can wait.
    """

    source: str
    records: list[bytes]
    received_us: int
    position: Any = None
    sender: str = ""
    has_more: bool = False
    adapter: str = ""


class Meter(Protocol):
    """Counters and gauges. Names are Prometheus names without the `opsonin_` prefix."""

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count."""

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""


class Source(Protocol):
    """A running input. Back-pressure is the pull: nothing is read ahead beyond the source's bound."""

    def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield batches from `position` (None: as configured) until closed or at the end of input."""

    async def close(self) -> None:
        """Stop accepting; `batches` yields what was already received, then ends."""


@runtime_checkable
class Confirmed(Protocol):
    """Optional beside `Source`: its senders wait for an acknowledgement, which it gives when it is told here."""

    def confirm(self, position: Any) -> None:
        """Note that the batch of this position and all before it are durable, with what they caused."""


@dataclass(slots=True, frozen=True)
class SourceType:
    """A transport. The module-level `SOURCE` of a file in `ingest/sources/`.

    Attributes:
        name: as in the settings, e.g. `syslog_udp`.
        settings: pydantic model of its own settings; unknown keys are refused.
        open: makes a source from name, settings, meter and the wall clock (`() -> microseconds`).
        reads_back: it first reads what was written before, and says by `Batch.has_more` when it has caught up (by an
            empty batch, where nothing is left).
        waits: its senders wait while nothing is read; false: what is not taken at once is lost (datagrams).
    """

    name: str
    settings: type[BaseModel]
    open: Callable[[str, Any, Meter, Callable[[], int]], Source]
    reads_back: bool = False
    waits: bool = True


# ------------------------------------------------------------------ stages: pure, keyed, timed

Parts: TypeAlias = Mapping[str, bytes | None]
"""State by part name: versioned JSON; None says that the part is gone."""


UNCHANGED: list[Any] = []
"""What a logic may return of an item when it has nothing to say and wakes when it was to wake before; never changed."""


class Logic(Protocol[In_contra, Out_co]):
    """The state machine of one key. Deterministic: same inputs, same outputs, same snapshot."""

    def on_item(self, item: In_contra) -> Iterable[Out_co]:
        """Take one input in order of arrival; event time may go back within the allowed lateness.

        `UNCHANGED` itself spares the host to ask when to wake; most items change nothing.
        """

    def on_time(self, now_us: int) -> Iterable[Out_co]:
        """Take the watermark; it never decreases. Called at or after `wake_at`."""

    def wake_at(self) -> int | None:
        """Return the event time (µs) at which `on_time` must be called next; None: never."""

    def snapshot(self) -> Parts:
        """Return the parts that changed since the last call; empty when none did."""

    def is_empty(self) -> bool:
        """Tell whether the logic is back in its initial state, so that its key can be forgotten."""


@runtime_checkable
class Momentary(Protocol[Out_co]):
    """Optional beside `Logic`: what was caused at one time is taken as a whole, in whatever order it comes.

    Its host says before each item when that was caused, and again, later, when nothing more is at hand and nobody shall
    wait. A host that never says so is told at the next `on_time`.
    """

    def on_moment(self, cause_us: int) -> Iterable[Out_co]:
        """Say what follows from items caused before; those to come were caused at `cause_us`. Earlier times say nothing."""


@dataclass(slots=True, frozen=True)
class Stage(Generic[In, Out]):
    """One step of the engine.

    Attributes:
        name: also the name of its state; lower case.
        keys: the keys whose logic takes this item; none: the item does not concern the stage.
        open: makes the logic of a key, from all parts that its snapshots left (empty: new).
        renew: takes over the logic of a key, at rest after its snapshot, that this stage's predecessor (earlier rules)
            opened: the same one, made to follow this stage's rules, or another in its place, whose next snapshot lets
            stored parts go that mean nothing any more. None: the stage cannot be replaced while it runs.
        has_moments: its logics are `Momentary`.
    """

    name: str
    keys: Callable[[In], Iterable[str]]
    open: Callable[[str, Mapping[str, bytes]], Logic[In, Out]]
    renew: Callable[[str, Logic[In, Out]], Logic[In, Out]] | None = None
    has_moments: bool = False


# ------------------------------------------------------------------ enforcement points


class Enforcer(Protocol):
    """A driver of one enforcement point: compares desired with actual state and converges."""

    def refuses(self, decision: Decision) -> str | None:
        """Return why this point cannot express the decision, or None when it can."""

    async def apply(self, decisions: Sequence[Decision]) -> list[Outcome]:
        """Bring these decisions about, each as its state and expiry say; idempotent; read back.

        Raises:
            PointError: the point cannot be reached; nothing is known.
        """

    async def converge(self, desired: Sequence[Decision]) -> list[Outcome]:
        """Make the whole of the point's state equal `desired`; report what was different.

        Raises:
            PointError: the point cannot be reached; nothing is known.
        """

    async def close(self) -> None:
        """Let go of the point, leaving its state as it is."""


@dataclass(slots=True, frozen=True)
class EnforcerType:
    """A kind of enforcement point. The module-level `ENFORCER` of a file in `respond/enforcers/`.

    Attributes:
        name: as in the settings, e.g. `nftables`.
        settings: pydantic model of its own settings; unknown keys are refused.
        open: makes the driver from the point's configured name, settings, meter and wall clock.
    """

    name: str
    settings: type[BaseModel]
    open: Callable[[str, Any, Meter, Callable[[], int]], Enforcer]
