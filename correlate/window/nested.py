"""Alerts as entries: how a correlation of correlations follows what its inner ones say, revise and retract."""

from __future__ import annotations

from bisect import bisect_left

from contract.event import Notice
from contract.records import Alert
from contract.timestamps import from_datetime, from_iso
from correlate.window import report
from correlate.window.alerting import Outputs
from correlate.window.entry import Entry, Place
from correlate.window.episode import Inner
from correlate.window.window import Window, late


def take(window: Window, alert: Alert, late_us: int) -> Outputs:
    """Take a revision of an inner alert as the entry that it is: at the time when its rule first held.

    Args:
        window: the outer group.
        alert: any revision, also a retraction; an older one than known is passed over.
        late_us: nothing new is taken of an earlier time.
    """
    known = _known(window).get(alert.id)
    if known is not None and known.alert.revision >= alert.revision:
        return []
    place = place_of(window, alert)
    outputs: Outputs = []
    if known is not None and (alert.retracted or known.place != place):
        outputs += window.remove(known.place)
        _known(window).pop(alert.id, None)
        window.head_dirty = True
        known = None
    if alert.retracted:
        return outputs
    value = None
    if window.plan.reader is not None:
        value = window.plan.reader(alert.fields)
        if value is None:
            return [*outputs, Notice("correlation_unusable_values", label=window.plan.rule.id)]
    entry: Entry = (*place, value, *window.facts.of_fields(alert.fields))
    if known is None and place[0] < late_us:
        return [*outputs, *late(window.plan, window.text, window.settings, window.facts, entry)]
    _known(window)[alert.id] = Inner(alert, place)
    window.head_dirty = True
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
    outputs = window.decide()
    entries = window.entries
    at = bisect_left(entries, entry[:3])
    if at >= len(entries) or entries[at][:3] != entry[:3]:
        return outputs  # it has left the time frame
    if entries[at][3] != entry[3]:
        return outputs + window.remove(entry[:3]) + window.put(entry)
    entries[at] = entry
    window.unsave(at, entry[:3])
    return outputs + [
        window.tell(episode, window.count(episode))
        for episode in window.episodes
        if episode.revision and episode.start_us <= entry[0] and entry[:3] < window.end_of(episode)
    ]
