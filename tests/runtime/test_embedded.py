"""The embedded host end to end, through real sockets: live, stopped, gone on with, and equal to a replay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from console.play import redate
from contract.event import Event
from contract.meter import MemoryMeter
from contract.plugins import load_named
from contract.ports import Adapter, Context
from contract.records import Alert, Chain, Command, Decision, Outcome
from contract.timestamps import to_datetime
from ingest.normalize import Normalizer
from runtime import clock
from runtime.compose import compose
from runtime.embedded import Embedded
from runtime.flow import Seen
from runtime.replay import Recording, replay
from runtime.settings import Reading, Settings, resolve
from runtime.store import Store
from runtime.stored import counts, dead_letters, records
from tests.conftest import PATIENCE_S

EXAMPLE = Path(__file__).parents[2] / "examples" / "webshop" / "eve.json"


def dated_now() -> list[bytes]:
    """Return the recording as if its last record came now: what is decided about older ones has expired."""
    lines = EXAMPLE.read_bytes().splitlines()
    adapter = load_named("ingest.adapters", "suricata.eve", "ADAPTER", Adapter)
    normalizer = Normalizer(adapter, "ids")
    times = [
        one.time_us
        for line in lines
        for one in normalizer.take(line, Context(clock.now_us()))
        if isinstance(one, Event)
    ]
    first, span = min(times), max(times) - min(times)
    return [redate(line, first, clock.now_us() - span, 1) for line in lines]


LINES = dated_now()


def settings_for(folder: Path, mode: str = "enforce") -> Settings:
    return resolve(
        {
            "engine": {"data_dir": "data", "epoch": "20ms"},
            "policy": {"mode": mode},
            "source": [
                {
                    "name": "ids",
                    "type": "unix_stream",
                    "adapter": "suricata.eve",
                    "path": "eve.sock",
                }
            ],
            "point": [{"name": "gate", "type": "memory"}],
        },
        folder=folder,
    )


Scene = Callable[[Embedded, asyncio.StreamWriter], Awaitable[None]]


def play(folder: Path, scene: Scene, mode: str = "enforce") -> Store:
    """Run an engine in `folder`, connected to its EVE socket, while the scene lasts; return the store, for reading."""
    settings = settings_for(folder, mode)

    async def run() -> None:
        store = Store(settings.engine.data_dir / "opsonin.db")
        host = Embedded(settings, compose(settings).pipeline, store, MemoryMeter(), clock.now_us)
        engine = asyncio.create_task(host.run())
        await asyncio.wait_for(host.ready.wait(), PATIENCE_S)
        _, writer = await asyncio.open_unix_connection(str(folder / "eve.sock"))
        await asyncio.wait_for(scene(host, writer), PATIENCE_S)
        writer.close()
        await writer.wait_closed()
        await host.stop()
        await asyncio.wait_for(engine, PATIENCE_S)
        store.close()

    asyncio.run(run())
    return Store(settings.engine.data_dir / "opsonin.db", read_only=True)


async def until(host: Embedded, holds: Callable[[Store], bool]) -> None:
    """Wait until the committed store shows something."""
    store = Store(host._store.path, read_only=True)
    while not holds(store):  # noqa: ASYNC110 - the store is a file, it cannot wake us
        await asyncio.sleep(0.01)
    store.close()


async def send(writer: asyncio.StreamWriter, lines: list[bytes]) -> None:
    writer.write(b"".join(line + b"\n" for line in lines))
    await writer.drain()


def is_whole(store: Store) -> bool:
    """Tell whether every line of the recording, and an answer of the point, is stored."""
    found = counts(store)
    return found.get("outcome", 0) > 0 and found["event"] > len(LINES)


async def whole_attack(host: Embedded, writer: asyncio.StreamWriter) -> None:
    await send(writer, LINES)
    await until(host, is_whole)


def replayed(folder: Path) -> dict[str, set[str]]:
    """Return the ids of what a replay of the same lines gives, by kind."""
    settings = resolve(
        {"policy": {"mode": "enforce"}, "point": [{"name": "gate", "type": "memory"}]}
    )
    adapter = load_named("ingest.adapters", "suricata.eve", "ADAPTER", Adapter)
    ids: dict[str, set[str]] = {}

    def watch(item: Seen) -> None:
        if isinstance(item, Alert | Chain | Decision):
            ids.setdefault(item.kind, set()).add(item.id)
        elif isinstance(item, Event):
            ids.setdefault("event", set()).add(item.id)

    path = folder / "replayed.json"
    path.write_bytes(b"\n".join(LINES))
    recording = Recording(Reading("ids", adapter, ZoneInfo("UTC"), {}), path, clock.now_us())
    replay(settings, compose(settings).pipeline, [recording], MemoryMeter(), watch)
    return ids


@pytest.fixture(scope="module")
def after_attack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    play(folder, whole_attack).close()
    return folder


def test_an_attack_becomes_a_chain_a_decision_and_an_answer_that_is_an_event_again(
    after_attack: Path,
) -> None:
    store = Store(after_attack / "data" / "opsonin.db", read_only=True)
    decisions = [one for one in records(store, "decision") if isinstance(one, Decision)]
    assert [(one.state, one.target.value) for one in decisions] == [("approved", "198.51.100.10")]
    outcomes = [one for one in records(store, "outcome") if isinstance(one, Outcome)]
    assert [(one.result, one.decision) for one in outcomes] == [("applied", decisions[0].id)]
    answers = store.db.execute(
        "SELECT count(*) FROM event WHERE CAST(json AS TEXT) LIKE '%opsonin.outcome%'"
    ).fetchone()
    assert answers == (1,)
    store.close()


def test_live_and_replay_give_the_same_ids(after_attack: Path, tmp_path: Path) -> None:
    store = Store(after_attack / "data" / "opsonin.db", read_only=True)
    expected = replayed(tmp_path)
    for kind in ("alert", "chain", "decision"):
        assert {one.id for one in records(store, kind)} == expected[kind]
    events = {
        id
        for (id,) in store.db.execute(
            "SELECT id FROM event WHERE CAST(json AS TEXT) NOT LIKE '%opsonin.outcome%'"
        )
    }
    assert events == expected["event"]
    store.close()


def test_an_engine_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    async def first(host: Embedded, writer: asyncio.StreamWriter) -> None:
        await send(writer, LINES[:100])
        await until(host, lambda store: counts(store)["event"] >= 100)

    async def second(host: Embedded, writer: asyncio.StreamWriter) -> None:
        await send(writer, LINES[100:])
        await until(host, is_whole)

    play(tmp_path, first).close()
    store = play(tmp_path, second)
    expected = replayed(tmp_path)
    for kind in ("alert", "chain", "decision"):
        assert {one.id for one in records(store, kind)} == expected[kind]
    store.close()


def test_a_person_reverts_a_decision_and_the_point_lets_go(tmp_path: Path) -> None:
    async def scene(host: Embedded, writer: asyncio.StreamWriter) -> None:
        await whole_attack(host, writer)
        (decision,) = records(host._store, "decision")
        word = Command(
            id="c", verb="revert", decision=decision.id, by="ada", time=to_datetime(clock.now_us())
        )
        (changed,) = await host.command(word)
        assert (changed.state, changed.by) == ("reverted", "ada")
        await until(host, lambda store: counts(store).get("outcome", 0) > 1)

    store = play(tmp_path, scene)
    results = [
        one.result
        for one in records(store, "outcome", newest_first=False)
        if isinstance(one, Outcome)
    ]
    assert results == ["applied", "removed"]
    store.close()


def test_in_observe_mode_nothing_is_enforced(tmp_path: Path) -> None:
    async def scene(host: Embedded, writer: asyncio.StreamWriter) -> None:
        await send(writer, LINES)
        await until(host, lambda store: counts(store).get("decision", 0) > 0)

    store = play(tmp_path, scene, mode="observe")
    assert [one.state for one in records(store, "decision") if isinstance(one, Decision)] == [
        "proposed"
    ]
    assert list(records(store, "outcome")) == []
    store.close()


def test_bad_lines_are_dead_letters_and_can_be_tried_again(tmp_path: Path) -> None:
    async def scene(host: Embedded, writer: asyncio.StreamWriter) -> None:
        await send(writer, [b"\x00\xff\xfe", b'{"timestamp": "2026', b"{" * 100_000, *LINES[:3]])
        await until(
            host, lambda store: counts(store)["dead_letter"] == 3 and counts(store)["event"] == 3
        )
        assert await host.revive() == (0, 3)

    store = play(tmp_path, scene)
    letters = list(dead_letters(store))
    assert [one.raw[:3] for one in letters] == [b"\x00\xff\xfe", b'{"t', b"{{{"]
    assert all(one.reason for one in letters)
    store.close()
