"""An episode: firings of one group that stand close together, told as one alert with revisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contract.records import Alert
from correlate.chain.entities import Named
from correlate.window.entry import Place


@dataclass(slots=True)
class Past:
    """Members of an episode that are no longer kept one by one: they can no longer change.

    Attributes:
        first: the first member of the episode; of inner alerts, when the first of them began.
        ids: the first event ids, at most as many as an alert lists.
        agreed: fields on which all agree; None before the first.
        entities: the first ones, at most as many as an alert lists.
        carried: values of the fields that outer correlations group by.
        newest: id of the newest member; one event in two parts is one event.
        last: the newest firing among them, and until when it had evidence.
    """

    first: Place
    last_us: int
    count: int = 0
    ids: list[str] = field(default_factory=list)
    agreed: dict[str, Any] | None = None
    entities: dict[Named, None] = field(default_factory=dict)
    carried: dict[str, list[str]] = field(default_factory=dict)
    newest: str = ""
    last: Place | None = None
    end_us: int = 0


@dataclass(slots=True)
class Episode:
    """One alert in the making.

    Attributes:
        id: of the alert; derived from rule, group and first member.
        fired: place of the first entry at which the rule held.
        last: place of the last entry at which it held.
        start_us: members are from here on ...
        end_us: ... up to here, both included.
        past: members that were folded away.
        revision: of what was last emitted; 0: nothing yet.
        told: how many events the last emitted revision counted.
        next_count: a revision is due when so many events are counted.
        changed: something is not told yet.
        absorbed: what is known of the members told, but for those of the last one's time; void when a late entry comes or members go; not
            kept in snapshots.
        check_at: number of entries ever in the group before which no revision can be due; not kept in snapshots.
        seen: what was told of the fields that outer correlations group by.
    """

    id: str
    fired: Place
    last: Place
    start_us: int
    end_us: int
    past: Past | None = None
    revision: int = 0
    told: int = 0
    next_count: int = 1
    changed: bool = True
    seen: dict[str, list[Any]] | None = None
    absorbed: Past | None = None
    check_at: int = 0


@dataclass(slots=True)
class Undecided:
    """Entries that came where deciding each at once would cost too much; see `correlate.window.revising`.

    Attributes:
        edge: from here on nothing is decided.
        places: of those that came since.
        due: decided at the latest when time is here; None: it never waited.
        wake: when the group was to wake before.
        put_off: that time was here, and it was put off.
    """

    edge: Place
    places: list[Place]
    due: int | None = None
    wake: int | None = None
    put_off: bool = False


@dataclass(slots=True)
class Inner:
    """What an alert that is an entry of a nested correlation stands for."""

    alert: Alert
    place: Place
