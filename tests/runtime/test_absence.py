"""What did not happen, by a running engine whose only source fell silent: told by time alone, and taken back everywhere when it did happen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from json import dumps
from pathlib import Path

import pytest

from contract.meter import MemoryMeter
from contract.records import Alert, Chain, Decision
from contract.timestamps import from_iso, iso
from runtime import clock
from runtime.compose import compose
from runtime.embedded import Embedded
from runtime.settings import Settings, resolve
from runtime.store import Store
from runtime.stored import counts, records
from tests.conftest import PATIENCE_S

RULES = """
title: beat
id: beat
level: low
logsource: {product: any}
detection: {s: {event.action: beat}, condition: s}
---
title: again
id: again
level: low
logsource: {product: any}
detection: {s: {event.action: again}, condition: s}
---
title: silent host
id: silent
level: high
tags: [attack.defense-evasion, attack.t1562.001]
correlation:
  type: temporal_ordered
  rules: [beat, again]
  group-by: [host.name]
  timespan: 30s
opsonin: {absence: [again], lateness: 1h}
---
title: logon
id: logon
level: high
tags: [attack.initial-access, attack.t1078]
logsource: {product: any}
detection: {s: {event.action: logon}, condition: s}
"""
PLAYBOOK = """
name: deny
description: d
when: {score: 1, stages: 2, entities: [{type: ip, role: source}]}
action: deny
target: {type: ip, role: source, stages: 2}
duration: 1h
impact: low
"""
START_US = from_iso("2026-01-31T12:00:00Z")
SECOND = 1_000_000

Scene = Callable[[asyncio.StreamWriter, "Engine"], Awaitable[None]]


class Engine:
    """An engine in a folder, its wall clock moved on by hand too."""

    def __init__(self, folder: Path) -> None:
        (folder / "rules").mkdir()
        (folder / "rules" / "rules.yml").write_text(RULES)
        (folder / "rules" / "deny.yml").write_text(PLAYBOOK)
        self.folder = folder
        self.ahead_us = START_US - clock.now_us()
        self.path = self.settings().engine.data_dir / "opsonin.db"

    def settings(self) -> Settings:
        socket = {"type": "unix_stream", "adapter": "generic.ecs", "path": "ecs.sock"}
        return resolve(
            {
                "engine": {
                    "data_dir": "data", "epoch": "20ms", "rules": ["rules"], "lateness": "5s", "idle_after": "5s",
                },
                "policy": {"mode": "enforce"},
                "source": [{"name": "ecs", **socket}],
                "point": [{"name": "gate", "type": "memory"}],
            },
            folder=self.folder,
        )  # fmt: skip

    def now_us(self) -> int:
        return clock.now_us() + self.ahead_us

    def run(self, scene: Scene) -> None:
        async def run() -> None:
            settings = self.settings()
            store = Store(self.path)
            host = Embedded(settings, compose(settings).pipeline, store, MemoryMeter(), self.now_us)
            engine = asyncio.create_task(host.run())
            await asyncio.wait_for(host.ready.wait(), PATIENCE_S)
            _, writer = await asyncio.open_unix_connection(str(self.folder / "ecs.sock"))
            await asyncio.wait_for(scene(writer, self), PATIENCE_S)
            writer.close()
            await writer.wait_closed()
            await host.stop()
            await asyncio.wait_for(engine, PATIENCE_S)
            store.close()

        asyncio.run(run())

    async def until(self, holds: Callable[[Store], bool]) -> None:
        store = Store(self.path, read_only=True)
        while not holds(store):  # noqa: ASYNC110 - the store is a file, it cannot wake us
            await asyncio.sleep(0.01)
        store.close()


async def say(writer: asyncio.StreamWriter, at: float, action: str) -> None:
    fields = {
        "@timestamp": iso(START_US + round(at * SECOND)), "event.action": action, "host.name": "web1", "source.ip": "203.0.113.7",
    }  # fmt: skip
    writer.write(dumps(fields).encode() + b"\n")
    await writer.drain()


def alert(store: Store) -> Alert | None:
    found = (one for one in records(store, "alert") if isinstance(one, Alert))
    return next((one for one in found if one.rule.id == "silent"), None)


def stands(store: Store) -> bool:
    """Tell whether the absence is told, in a chain with the logon, and the address is denied."""
    told = alert(store)
    chains = [one for one in records(store, "chain") if isinstance(one, Chain)]
    return (
        told is not None
        and not told.retracted
        and any(told.id in one.alerts and len(one.alerts) > 1 for one in chains)
        and "approved" in states(store)
    )


def is_gone(store: Store) -> bool:
    """Tell whether it is taken back, out of each chain, and the decision withdrawn."""
    told = alert(store)
    chains = [one for one in records(store, "chain") if isinstance(one, Chain)]
    return (
        told is not None
        and told.retracted
        and told.revision == 2
        and [len(one.alerts) for one in chains if one.alerts] == [1]
        and states(store) == ["reverted"]
    )


def states(store: Store) -> list[str]:
    return [one.state for one in records(store, "decision") if isinstance(one, Decision)]


async def ask(writer: asyncio.StreamWriter, engine: Engine) -> None:
    await say(writer, -1, "logon")
    await say(writer, 0, "beat")
    await engine.until(lambda store: counts(store).get("event", 0) == 2)


async def wait(writer: asyncio.StreamWriter, engine: Engine) -> None:
    engine.ahead_us += 60 * SECOND
    await engine.until(stands)
    await say(writer, 20, "again")
    await engine.until(is_gone)


@pytest.mark.parametrize("restarts", [False, True])
def test_an_absence_is_told_where_all_is_silent_and_taken_back_everywhere(
    tmp_path: Path, *, restarts: bool
) -> None:
    engine = Engine(tmp_path)

    async def both(writer: asyncio.StreamWriter, engine: Engine) -> None:
        await ask(writer, engine)
        await wait(writer, engine)

    for scene in [ask, wait] if restarts else [both]:
        engine.run(scene)
    store = Store(engine.path, read_only=True)
    assert is_gone(store)
    store.close()
