"""Alerts as entries: how a correlation of correlations follows what its inner ones say, revise and retract."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from contract.event import Notice
from contract.records import Alert
from contract.timestamps import from_datetime, from_iso
from correlate.window import report
from correlate.window.episode import Inner, Place
from correlate.window.evaluate import Entry

if TYPE_CHECKING:
    from correlate.window.window import Window


def take(window: Window, alert: Alert) -> list[Alert | Notice]:
    """Take a revision of an inner alert as the entry that it is: at the time when its rule first held."""
    known = _known(window).get(alert.id)
    if known is not None and known.alert.revision >= alert.revision:
        return []
    place = place_of(window, alert)
    outputs: list[Alert | Notice] = []
    if known is not None and (alert.retracted or known.place != place):
        outputs += window.remove(known.place)
        _known(window).pop(alert.id, None)
        known = None
        window.begin_if_empty()
    if alert.retracted:
        return outputs
    value = None
    if window.plan.reader is not None:
        value = window.plan.reader(alert.fields)
        if value is None:
            return [*outputs, Notice("correlation_unusable_values", label=window.plan.rule.id)]
    _known(window)[alert.id] = Inner(alert, place)
    window.header_dirty = True
    entry: Entry = (*place, value, report.encode(alert.fields))
    return outputs + (window.put(entry) if known is None else _renew(window, entry))


def _known(window: Window) -> dict[str, Inner]:
    """Return the inner alerts of a group; made when the first comes, for most groups never."""
    if window.inner is None:
        window.inner = {}
    return window.inner


def place_of(window: Window, alert: Alert) -> Place:
    """Return where an inner alert stands among the entries of an outer group."""
    fired = alert.fields.get(report.FIRED)
    time = from_iso(fired) if fired is not None else from_datetime(alert.time)
    return time, window.plan.parts[alert.rule.id], alert.id


def _renew(window: Window, entry: Entry) -> list[Alert | Notice]:
    """An inner alert tells more: what was built on it tells it too, now."""
    entries = window.entries
    at = bisect_left(entries, entry[:3])
    if at >= len(entries) or entries[at][:3] != entry[:3]:
        return []  # it has left the time frame
    if entries[at][3] != entry[3]:
        return window.remove(entry[:3]) + window.put(entry)
    entries[at] = entry
    window.touch(entry[0])
    return [
        window.tell(episode, window.count(episode))
        for episode in window.episodes
        if episode.revision and episode.start_us <= entry[0] and entry[:3] < window.end_of(episode)
    ]
