"""What every telling of a chain says of it, in words: names, times, places, losses; one line of printable characters each."""

from __future__ import annotations

from collections.abc import Iterable

from console.chain_graph import Alerts, clock
from console.plain import plain
from contract.records import Chain, Link
from contract.timestamps import microseconds
from correlate.chain.story import span
from correlate.chain.why import LeftOut, expected, without


def what_next(chain: Chain) -> str:
    """Return the tactics that usually follow, in words."""
    if not any(one.tactic for one in chain.stages):
        return "unknown, since no alert names a technique"
    return ", ".join(expected(chain)) or "nothing usual"


def time_line(chain: Chain, alerts: Alerts) -> list[tuple[str, str]]:
    """Return each alert but repetitions, which are counted in the first's: its id and a line on it, in order of time."""
    repeated = {one.to for one in chain.links if one.edge == "repeat"}
    counts: dict[str, int] = {}
    for one in chain.links:
        if one.edge == "repeat":
            counts[one.from_] = counts.get(one.from_, 0) + 1
    lines = []
    for alert in chain.alerts:
        if alert in repeated:
            continue
        more = f" (and {counts[alert]} more)" if alert in counts else ""
        lines.append((alert, f"{label(alert, alerts)}{more}"))
    return lines


def clock_of(alert: str, chain: Chain, alerts: Alerts) -> str:
    """Return an alert's time and a blank; nothing where it is not at hand."""
    known = alerts.get(alert)
    return f"{clock(known.time, chain)} " if known is not None else ""


def trusted_again(chain: Chain) -> str:
    """Return whom attestation trusts again, in words."""
    return plain(", ".join(f"{one.type} {one.value}" for one in chain.trusted))


def evidence(link: Link, chain: Chain) -> str:
    """Return what made a link; of a chain on one host without that host's name before each of its things."""
    said = plain(link.evidence)
    hosts = {one.value for one in chain.entities if one.type == "host"}
    return said.replace(f"{plain(hosts.pop())}|", "") if len(hosts) == 1 else said


def loss(chain: Chain, link: Link) -> str:
    """Return in words what a chain is without one link."""
    parts = without(chain, link)
    if len(parts) == 1:
        return "the chain holds by other links"
    return "falls into " + " and ".join(
        f"{len(part)} alert{'s' if len(part) > 1 else ''}" for part in parts
    )


def steps(chain: Chain) -> list[Link]:
    """Return the links between steps, without those between repetitions of one."""
    return [one for one in chain.links if one.edge != "repeat"]


def label(alert: str, alerts: Alerts) -> str:
    """Return when, how grave, what, how often and where an alert was."""
    known = alerts.get(alert)
    if known is None:
        return plain(alert)
    lasted = microseconds(known.last - known.time)
    times = f" x{known.event_count} in {span(lasted)}" if known.event_count > 1 else ""
    return f"{moment(known.time)}  {known.rule.level:<13} {rule_name(alert, alerts)}{times}{where(alert, alerts)}"


def rule_name(alert: str, alerts: Alerts) -> str:
    """Return the name of an alert's rule, or its id where it is not at hand: one line of printable characters."""
    known = alerts.get(alert)
    return plain(known.rule.name if known is not None else alert)


def where(alert: str, alerts: Alerts) -> str:
    """Return the host that an alert is about and the peers, in brackets after two blanks; nothing where it names none."""
    known = alerts.get(alert)
    if known is None:
        return ""
    ends = {
        role: next(
            (one.value for one in known.entities if one.role == role and one.type in types), ""
        )
        for role, types in (
            ("source", ("ip",)),
            ("target", ("ip", "host")),
            ("subject", ("host", "ip")),
        )
    }
    peers = " -> ".join(value for value in (ends["source"], ends["target"]) if value)
    said = ", ".join(value for value in (ends["subject"], peers) if value)
    return f"  ({plain(said)})" if said else ""


def moment(time: object) -> str:
    """Return a time to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S}"


def folded(left: Iterable[LeftOut]) -> list[tuple[LeftOut, str]]:
    """Return the first of those of one rule, place, reason and chain, and how many more there are, in words."""
    same: dict[tuple[str, ...], list[LeftOut]] = {}
    for one in left:
        place = where(one.alert.id, {one.alert.id: one.alert})
        key = (one.alert.rule.id, place, one.reason, one.holder)
        same.setdefault(key, []).append(one)
    return [(first, f" (and {len(more)} more)" if more else "") for first, *more in same.values()]


def held(left: LeftOut) -> str:
    """Return which chain holds what was left out of another, in words; nothing where none does."""
    return f"; held by chain {left.holder}" if left.holder else ""
