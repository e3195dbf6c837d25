"""A made-up site for tests of exactness: some days of what sensors say, dense enough that all kinds of joins meet.

Drawn from a seed, so that a failure can be made again by its number.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from contract.event import Observation
from contract.ports import Stage
from contract.records import Alert, Chain, Rule
from contract.timestamps import from_datetime, microseconds, to_datetime
from correlate.chain.entities import entities_of
from correlate.chain.settings import LinkSettings
from correlate.link import link
from runtime.stage_runner import NEVER, StageRunner

START_US = 1_767_225_600_000_000
SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
HOSTS = ("web01", "web02", "db01", "ws05", "ws06")
ADDRESSES = (
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.5",
    "10.0.0.6",
    "203.0.113.7",
    "203.0.113.8",
)
USERS = ("pia", "bob", "svc")
KINDS = {
    "scan": ("low", "reconnaissance", "T1595"), "exploit": ("high", "initial-access", "T1190"),
    "shell": ("high", "execution", "T1059"), "dump": ("high", "credential-access", "T1003"),
    "move": ("medium", "lateral-movement", "T1021"), "odd": ("medium", "discovery", "T1082"),
    "noise": ("low", "discovery", "T1046"), "beacon": ("medium", "command-and-control", "T1071"),
}  # fmt: skip
Item: TypeAlias = Alert | Observation


class Site:
    """Draws what sensors say.

    Args:
        seed: of all that is drawn.
    """

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311  not for secrets: the same site again
        self._count = 0

    def items(self, count: int, days: float = 3) -> list[Item]:
        """Return about so many, ordered by time: half in a few busy moments, half spread out."""
        dice = self._dice
        busy = [dice.uniform(0, days * 24) * HOUR_US for _ in range(max(2, count // 40))]
        found: list[Item] = []
        while len(found) < count:
            at = dice.uniform(0, days * 24) * HOUR_US
            if dice.random() < 0.6:
                at = dice.choice(busy) + dice.choice((10, 120, 1500)) * SECOND_US * dice.random()
            # Times by the second: equal ones are frequent.
            found += self._draw(START_US + int(at) // SECOND_US * SECOND_US)
        return sorted(found, key=_time)

    def _draw(self, at: int) -> Iterable[Item]:
        makers = (
            self._alert, self._alert, self._alert, self._told, self._told, self._again, self._flood,
        )  # fmt: skip
        weights = (8, 8, 8, 4, 4, 4, 0.3)
        return self._dice.choices(makers, weights)[0](at)

    def _alert(self, at: int) -> Iterator[Item]:
        kind = self._dice.choice(tuple(KINDS))
        yield self._made(at, kind, self._named())

    def _made(self, at: int, kind: str, fields: dict[str, Any], *, span_s: int = 0) -> Alert:
        self._count += 1
        level, tactic, technique = KINDS[kind]
        return Alert(
            id=f"a{self._count:04}", revision=1, rule=Rule(id=kind, name=kind, level=level),
            time=to_datetime(at), last=to_datetime(at + span_s * SECOND_US), events=(f"e{self._count}",),
            event_count=1, entities=entities_of(fields), tactics=(tactic,), techniques=(technique,), fields=fields,
        )  # fmt: skip

    def _named(self) -> dict[str, Any]:
        dice = self._dice
        host = dice.choice(HOSTS)
        match dice.randrange(6):
            case 0 | 1:
                return {"host.name": host}
            case 2:
                source, target = dice.sample(ADDRESSES, 2)
                return {"source.ip": source, "destination.ip": target}
            case 3:
                return {"host.name": host, "process.entity_id": f"p{dice.randrange(12)}"}
            case 4:
                return {"host.name": host, "user.name": dice.choice(USERS), "user.domain": "corp",
                        "winlog.logon.id": f"0x{dice.randrange(4096, 4100):x}"}  # fmt: skip
            case _:
                return {"host.name": host, "file.path": f"C:\\f{dice.randrange(4)}.exe",
                        "process.entity_id": f"p{dice.randrange(12)}"}  # fmt: skip

    def _told(self, at: int) -> Iterator[Item]:
        """Yield an event that is no alert."""
        dice = self._dice
        host, process = dice.choice(HOSTS), f"p{dice.randrange(12)}"
        fields: dict[str, Any] = {"host.name": host, "process.entity_id": process}
        match dice.randrange(5):
            case 0:
                fields |= {"event.category": ["process"], "event.type": ["start"],
                           "process.parent.entity_id": f"p{dice.randrange(12)}"}  # fmt: skip
            case 1:
                fields |= {"network.direction": "egress", "source.ip": dice.choice(ADDRESSES[:5]),
                           "destination.ip": dice.choice(ADDRESSES[5:])}  # fmt: skip
            case 2:
                fields |= {"event.category": ["file"], "file.path": f"C:\\f{dice.randrange(4)}.exe"}
            case 3:
                fields = {"host.name": host, "event.outcome": "success", "user.name": dice.choice(USERS),
                          "source.ip": dice.choice(ADDRESSES), "winlog.logon.id": f"0x{dice.randrange(4096, 4100):x}"}  # fmt: skip
            case _:
                fields = {"host.name": host, "host.ip": [dice.choice(ADDRESSES[:5])],
                          "opsonin.attestation.result": dice.choice(("pass", "fail"))}  # fmt: skip
        self._count += 1
        yield Observation(f"o{self._count:04}", at, fields)

    def _again(self, at: int) -> Iterator[Item]:
        """Yield an alert and its revision, which extends it, retracts it or names more."""
        first = self._made(at, self._dice.choice(tuple(KINDS)), self._named())
        yield first
        later: dict[str, Any] = {
            "revision": 2,
            "last": to_datetime(at + self._dice.randrange(200) * SECOND_US),
        }
        match self._dice.randrange(3):
            case 0:
                later["retracted"] = True
            case 1:
                named = entities_of({**first.fields, "user.name": "pia", "user.domain": "corp"})
                later["entities"] = named
        yield first.model_copy(update=later)

    def _flood(self, at: int) -> Iterator[Item]:
        """Yield one rule against one target from more sources than a crowd has."""
        target = self._dice.choice(ADDRESSES[:5])
        for number in range(20):
            fields = {"source.ip": f"198.51.100.{number}", "destination.ip": target}
            yield self._made(at + number * SECOND_US, "noise", fields)


class Unconnected(Site):
    """Draws what sensors say that name a host and no peer: everyday kinds, and spells of rare ones that only coincidence joins."""

    def items(self, count: int, days: float = 6) -> list[Item]:
        """Return about so many, ordered by time: most of them everyday."""
        dice = self._dice
        hosts = tuple(f"h{number}" for number in range(dice.choice((3, 6, 12))))
        found: list[Item] = []
        while len(found) < count:
            at = START_US + dice.randrange(int(days * 24 * 3600)) * SECOND_US
            found.append(self._shown(at, dice.choice(hosts), f"daily-{dice.randrange(3)}", 0))
        for _ in range(dice.randrange(3, 7)):
            found += self._spell(dice.sample(hosts, dice.randrange(1, 4)), days)
        at = START_US + int(dice.uniform(1, days) * 24) * HOUR_US
        for host in hosts:
            found.append(self._shown(at + dice.randrange(90) * SECOND_US, host, "everywhere", 0))
        return sorted(found, key=_time)

    def _spell(self, hosts: Sequence[str], days: float) -> Iterator[Item]:
        """Yield rare kinds on some hosts within two hours; some are extended or retracted later."""
        dice = self._dice
        begun = START_US + int(dice.uniform(1, days) * 24 * 3600) * SECOND_US
        kinds = dice.choice((6, 1000))
        for _ in range(dice.randrange(2, 12)):
            after = dice.choice((0, 1, 5, 61, 130, 600, 950, 3000, 5400)) + dice.randrange(3)
            lasts = dice.choice((0, 0, 30, 400)) * SECOND_US
            rare = f"rare-{dice.randrange(kinds)}"
            first = self._shown(begun + after * SECOND_US, dice.choice(hosts), rare, lasts)
            yield first
            if dice.random() < 0.25:
                last = first.last + (first.last - first.time)
                is_gone = dice.random() < 0.5
                yield first.model_copy(update={"revision": 2, "retracted": is_gone, "last": last})

    def _shown(self, at: int, host: str, kind: str, span_us: int) -> Alert:
        self._count += 1
        fields: dict[str, Any] = {"host.name": host}
        if self._dice.random() < 0.1:
            fields["host.ip"] = [f"10.0.0.{self._dice.randrange(2)}"]
        return Alert(
            id=f"a{self._count:05}", revision=1, rule=Rule(id=kind, name=kind, level="medium"),
            time=to_datetime(at), last=to_datetime(at + span_us), events=(f"e{self._count}",),
            event_count=1, entities=entities_of(fields),
        )  # fmt: skip


class Renamed(Site):
    """Draws what sensors say that know things under several names: short and whole hosts, gateways, proxies, attesters."""

    _HOSTS = ("web1", "web1.corp.example", "web1.dmz.example", "db1", "db1.corp.example", "ws1")
    _ADDRESSES = ("10.0.0.1", "10.0.0.2", "172.17.0.2", "198.51.100.1", "203.0.113.7")

    def _alert(self, at: int) -> Iterator[Item]:
        for one in super()._alert(at):
            yield one
            if (
                isinstance(one, Alert) and self._dice.random() < 0.2
            ):  # the same again, for more than an hour
                for number in range(1, self._dice.randrange(2, 9)):
                    after = at + number * 800 * SECOND_US
                    yield one.model_copy(
                        update={"id": f"{one.id}+{number}", "time": to_datetime(after), "last": to_datetime(after)}
                    )  # fmt: skip

    def _named(self) -> dict[str, Any]:
        dice = self._dice
        host = dice.choice(self._HOSTS)
        match dice.randrange(6):
            case 0:
                return {"host.name": host, "opsonin.attestation.attester": dice.choice("kl")}
            case 1:
                return {"opsonin.attestation.attester": dice.choice("kl")}
            case 2 | 3:
                source, target = dice.sample(self._ADDRESSES, 2)
                ports = {"source.port": dice.randrange(4000, 4003), "destination.port": 443}
                return {"source.ip": source, "destination.ip": target, "network.transport": "tcp", **ports}  # fmt: skip
            case 4:
                return {"host.name": host, "process.pid": dice.randrange(4), "source.ip": dice.choice(self._ADDRESSES)}  # fmt: skip
            case _:
                return {
                    "host.name": host,
                    "file.path": f"/f{dice.randrange(3)}",
                    "user.name": "pia",
                }

    def _told(self, at: int) -> Iterator[Item]:
        dice = self._dice
        host, process = dice.choice(self._HOSTS), dice.randrange(4)
        fields: dict[str, Any] = {"host.name": host}
        source, target, other = dice.sample(self._ADDRESSES, 3)
        match dice.randrange(7):
            case 6:
                fields |= {"network.protocol": "dhcp", "event.type": [dice.choice(("start", "start", "end"))],
                           "client.ip": dice.choice(self._ADDRESSES[:3]), "client.mac": "00-00-5E-00-53-23",
                           "client.domain": dice.choice(("web1", "db1", "ws1", ""))}  # fmt: skip
            case 0:
                fields |= {"event.category": ["process"], "event.type": ["start"], "process.pid": process,
                           "process.parent.pid": dice.randrange(4)}  # fmt: skip
            case 1:
                fields |= {
                    "event.category": ["file"],
                    "file.path": f"/f{dice.randrange(3)}",
                    "process.pid": process,
                }
            case 2:
                fields |= {"host.ip": [dice.choice(self._ADDRESSES[:3])]}
            case 3:
                fields |= {
                    "opsonin.attestation.attester": dice.choice("kl"),
                    "opsonin.attestation.result": "fail",
                }
            case 4:
                fields = {
                    "source.ip": source,
                    "destination.ip": target,
                    "network.forwarded_ip": other,
                }
            case _:
                side = dice.choice(("source", "destination"))
                fields = {"source.ip": source, "source.port": dice.randrange(4000, 4003), f"{side}.nat.ip": other,
                          "destination.ip": target, "destination.port": 443, "network.transport": "tcp"}  # fmt: skip
        self._count += 1
        yield Observation(f"o{self._count:04}", at, fields)


def _time(item: Item) -> int:
    return item.time_us if isinstance(item, Observation) else from_datetime(item.time)


def shuffled(
    items: Sequence[Item], dice: random.Random, lateness_us: int
) -> list[tuple[int, Item]]:
    """Return (watermark, item) in an order in which no item is later than the lateness behind the watermark.

    A revision never overtakes an earlier one: both come from one place.
    """
    delayed = []
    for number, item in enumerate(items):
        at = _time(item)
        if isinstance(item, Alert) and item.revision > 1:
            at = from_datetime(item.time)
        delayed.append((at + dice.randrange(lateness_us + 1), number, item))
    delayed.sort(key=lambda row: row[:2])
    order, seen_us = [], 0
    for _, _, item in delayed:
        order.append((seen_us, item))
        seen_us = max(seen_us, _time(item))
    return order


def in_order(items: Sequence[Item]) -> list[tuple[int, Item]]:
    """Return (watermark, item) as they happened."""
    return [(_time(item), item) for item in items]


def moments(items: Sequence[Item]) -> list[tuple[int, list[Item]]]:
    """Return (time, all that it brought about), in order of time."""
    found: dict[int, list[Item]] = {}
    for item in items:
        found.setdefault(_time(item), []).append(item)
    return sorted(found.items())


def sequence(items: Sequence[Item], dice: random.Random | None = None) -> list[Any]:
    """Return all that is told, in order, as a host that says when each moment begins hears it.

    With `dice` what one time brings about comes in any order, time passes in any steps, and the stage is put away and
    opened anew now and then, in the middle of a moment too.
    """
    stage = link((), LinkSettings())
    lateness_us = microseconds(LinkSettings().lateness)
    runner = StageRunner(stage)
    parts: dict[str, dict[str, bytes]] = {}
    out: list[Any] = []
    low_us = 0
    for at_us, brought in moments(items):
        out += runner.begin(at_us)
        steps = [at_us - lateness_us]
        if dice is not None:
            dice.shuffle(brought)
            steps = sorted(
                steps + [dice.randint(low_us, steps[0]) for _ in range(dice.randrange(3))]
            )
        for step_us in steps:
            low_us = step_us
            if low_us >= runner.next_wake():
                out += runner.advance(low_us)
        for item in brought:
            out += runner.take(item)
            if dice is not None and dice.random() < 0.15:
                runner = _again(stage, runner, parts, low_us)
    out += runner.begin(NEVER - 1)
    out += runner.advance(NEVER - 1)
    return [one for one in out if isinstance(one, Chain)]


def _again(
    stage: Stage[Any, Any], runner: StageRunner[Any, Any], parts: dict[str, dict[str, bytes]], now_us: int
) -> StageRunner[Any, Any]:  # fmt: skip
    """Put a stage away and open it anew."""
    for (_, key, part), data in runner.changes().items():
        if data is None:
            del parts.setdefault(key, {})[part]
        else:
            parts.setdefault(key, {})[part] = data
    runner = StageRunner(stage)
    runner.restore(list(parts.items()), now_us)
    return runner


def told(
    order: Iterable[tuple[int, Item]], *, dice: random.Random | None = None, **chosen: Any
) -> dict[str, dict[str, Any]]:
    """Return the chains that hold alerts in the end; with `dice` the stage is put away and opened anew now and then."""
    stage = link((), LinkSettings(**chosen))
    runner = StageRunner(stage)
    parts: dict[str, dict[str, bytes]] = {}
    last: dict[str, Chain] = {}

    def keep(outputs: Iterable[Any]) -> None:
        for one in outputs:
            if isinstance(one, Chain):
                assert one.id not in last or one.revision > last[one.id].revision
                last[one.id] = one

    now_us = 0
    for low_us, item in order:
        now_us = max(now_us, low_us)
        if now_us >= runner.next_wake():
            keep(runner.advance(now_us))
        keep(runner.take(item))
        if dice is not None and dice.random() < 0.2:
            runner = _again(stage, runner, parts, now_us)
    keep(runner.advance(now_us + microseconds(LinkSettings(**chosen).lateness)))
    keep(runner.advance(NEVER - 1))
    return {id: one.model_dump(exclude={"revision"}) for id, one in last.items() if one.alerts}
