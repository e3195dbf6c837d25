"""Where a command finds what an engine found, and speaks to it: one process with a store and a socket, or workers behind topics."""

from __future__ import annotations

import getpass
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, closing
from datetime import timedelta
from typing import Any, Final, Protocol

from console.engine_socket import ask
from console.places import open_store
from contract.records import Alert, Chain, Decision, Outcome
from contract.timestamps import from_datetime
from runtime.clock import now_us
from runtime.settings import Settings
from runtime.store import Store
from runtime.stored import (
    alerts_between,
    by_ids,
    decision_history,
    decisions,
    find,
    holders,
    outcomes,
    worst_chains,
)
from runtime.web import SOCKET_NAME

NEAR: Final = timedelta(hours=1)
"""Around a chain: where alerts are looked for that were left out of it."""
MOST_NEAR: Final = 2_000
ALL: Final = 2**31


class Chains(Protocol):
    """Chains and their alerts."""

    def worst(self, limit: int) -> tuple[list[Chain], int]:
        """Return so many of the chains that hold alerts, the highest score first, and how many there are in all."""
        ...

    def chain(self, id: str) -> Chain | None:
        """Return the only chain whose id begins so; None when none or several do."""
        ...

    def alerts(self, chain: Chain) -> list[Alert]:
        """Return the newest revisions of a chain's alerts that are still kept, and of others of its time."""
        ...

    def holders(self, alerts: Collection[str]) -> dict[str, str]:
        """Return the ids of the chains that hold alerts of these ids, by alert."""
        ...


class Alerts(Protocol):
    """Alerts, one by one."""

    def alert(self, id: str) -> Alert | None:
        """Return the newest revision of the only alert whose id begins so; None when none or several do."""
        ...


class Policy(Protocol):
    """Decisions and what came of them."""

    def decisions(self, *, state: str = "", chain: str = "", limit: int) -> list[Decision]:
        """Return the newest revision of decisions, newest first: only those in a state, or of a chain, where it is not empty."""
        ...

    def revisions(self, id: str) -> list[Decision]:
        """Return those revisions of a decision that are kept, oldest first; none when none or several ids begin so."""
        ...

    def outcomes(self, decision: str) -> list[Outcome]:
        """Return what enforcement points answered to a decision, newest first."""
        ...


class Engine(Protocol):
    """Takes a person's word."""

    def command(self, verb: str, decision: str, said: Mapping[str, str]) -> list[Decision]:
        """Say a word on a decision; return what became of it.

        Raises:
            OpsoninError: the engine refuses, or is not there.
        """
        ...

    def correct(self, verb: str, said: Mapping[str, Any]) -> tuple[str, list[Chain]]:
        """Say a word on chains; return its id and the chains that it changed.

        Raises:
            OpsoninError: the engine refuses, or is not there.
        """
        ...


class Desk(Chains, Policy, Engine, Protocol):
    """All three."""


def desk_of(settings: Settings, *, on_kafka: bool) -> Desk:
    """Return the desk of the engine that the settings describe."""
    if on_kafka:
        from runtime.kafka.desk import TopicDesk  # noqa: PLC0415 - loaded only where Kafka is

        return TopicDesk(settings.kafka, now_us, NEAR, MOST_NEAR)
    return StoreDesk(settings)


def who() -> str:
    """Return the name of whoever runs the command."""
    return getpass.getuser()


class StoreDesk:
    """The embedded engine: its store, read beside it, and its control socket."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def worst(self, limit: int) -> tuple[list[Chain], int]:
        """See `Chains`."""
        with self._store() as store:
            return worst_chains(store, limit)

    def chain(self, id: str) -> Chain | None:
        """See `Chains`."""
        with self._store() as store:
            found = find(store, "chain", id)
        return found if isinstance(found, Chain) else None

    def alerts(self, chain: Chain) -> list[Alert]:
        """See `Chains`."""
        first, last = from_datetime(chain.first - NEAR), from_datetime(chain.last + NEAR)
        with self._store() as store:
            mine = by_ids(store, "alert", chain.alerts)
            near = alerts_between(store, first, last, MOST_NEAR)
            return list({one.id: one for one in (*mine, *near) if isinstance(one, Alert)}.values())

    def alert(self, id: str) -> Alert | None:
        """See `Alerts`."""
        with self._store() as store:
            found = find(store, "alert", id)
        return found if isinstance(found, Alert) else None

    def holders(self, alerts: Collection[str]) -> dict[str, str]:
        """See `Chains`."""
        with self._store() as store:
            return holders(store, alerts)

    def decisions(self, *, state: str = "", chain: str = "", limit: int) -> list[Decision]:
        """See `Policy`."""
        with self._store() as store:
            return decisions(store, state, chain, limit)

    def revisions(self, id: str) -> list[Decision]:
        """See `Policy`."""
        with self._store() as store:
            found = find(store, "decision", id)
            return decision_history(store, found.id) if found else []

    def outcomes(self, decision: str) -> list[Outcome]:
        """See `Policy`."""
        with self._store() as store:
            return outcomes(store, decision)

    def command(self, verb: str, decision: str, said: Mapping[str, str]) -> list[Decision]:
        """See `Engine`."""
        told = self._ask(f"/policy/{decision}/{verb}", said)
        return [Decision.model_validate(one) for one in told]

    def correct(self, verb: str, said: Mapping[str, Any]) -> tuple[str, list[Chain]]:
        """See `Engine`."""
        told = self._ask(f"/chains/{verb}", said)
        return told["correction"], [Chain.model_validate(one) for one in told["chains"]]

    def _store(self) -> AbstractContextManager[Store]:
        return closing(open_store(self._settings))

    def _ask(self, path: str, said: Mapping[str, Any]) -> Any:
        return ask(self._settings.engine.data_dir / SOCKET_NAME, "POST", path, said)
