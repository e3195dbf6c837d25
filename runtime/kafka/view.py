"""What analysts look at while it happens: alerts by data set, rule and tactic, decisions by state, and the latest records.

Pure. A view says up to which offset of each topic it has taken records, and stands with that in one value: read again from
there it is the same, whatever was read twice. Records that a transaction took back and sent anew are known by id.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import Any, Final

from contract.records import Alert, Chain, Decision

VERSION: Final = 1
FEED: Final = 100
"""Records that the feed keeps."""
KNOWN: Final = 5_000
"""Latest records whose revision is remembered."""
MAX_NAMES: Final = 1_000
"""Different values that are counted of one kind; further ones are counted together as `other`."""
OTHER: Final = "other"


class View:
    """Counts and the feed.

    Args:
        saved: what `row` returned, or None.
    """

    def __init__(self, saved: dict[str, Any] | None = None) -> None:
        row = saved if saved is not None and saved.get("version") == VERSION else {}
        self.at: dict[str, int] = dict(row.get("at", {}))
        self.counts: dict[str, Counter[str]] = {
            name: Counter(row.get("counts", {}).get(name, {}))
            for name in ("sources", "rules", "tactics", "decisions")
        }
        self.feed: deque[dict[str, Any]] = deque(row.get("feed", ()), FEED)
        self._known: OrderedDict[str, int] = OrderedDict(row.get("known", ()))

    def take(self, topic: str, offset: int, record: object) -> bool:
        """Take what stands at an offset; return whether it was news."""
        if offset <= self.at.get(topic, -1):
            return False
        self.at[topic] = offset
        if not isinstance(record, Alert | Chain | Decision):
            return False
        known = self._known.get(record.id, 0)
        if record.revision <= known:
            return False
        self._known[record.id] = record.revision
        self._known.move_to_end(record.id)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        self._count(record, is_new=not known)
        self._show(record)
        return True

    def row(self) -> dict[str, Any]:
        """Return the view as JSON values, for `View` and for people."""
        return {
            "version": VERSION,
            "at": self.at,
            "counts": {name: dict(one) for name, one in self.counts.items()},
            "feed": list(self.feed),
            "known": list(self._known.items()),
        }

    def _count(self, record: Alert | Chain | Decision, *, is_new: bool) -> None:
        match record:
            case Alert() if is_new and record.revision == 1:
                self._add("sources", str(record.fields.get("event.dataset", "unknown")))
                self._add("rules", record.rule.name)
                for tactic in record.tactics:
                    self._add("tactics", tactic)
            case Decision():
                self._add("decisions", record.state)
            case _:
                pass

    def _add(self, kind: str, name: str) -> None:
        counts = self.counts[kind]
        counts[name if name in counts or len(counts) < MAX_NAMES else OTHER] += 1

    def _show(self, record: Alert | Chain | Decision) -> None:
        line: dict[str, Any] = {"kind": record.kind, "id": record.id, "revision": record.revision}
        match record:
            case Alert():
                line |= {"time": record.last.isoformat(), "text": record.rule.name}
            case Chain():
                text = f"{len(record.alerts)} alerts, score {record.score:.1f}"
                line |= {"time": record.last.isoformat(), "text": text}
            case Decision():
                text = f"{record.action} {record.target.value}: {record.state}"
                line |= {"time": record.made.isoformat(), "text": text}
        self.feed.append(line)
