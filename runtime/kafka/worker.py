"""Roles in one process: starts them, watches them, stops them in order. `opsonin worker` is its face.

Each role of the exact loop has a thread and Kafka clients of its own; ingest and enforcement run in the event loop. What
one role does to itself (a rebalance, a fence) does not touch the others; a bug in one ends the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Final

import structlog
from kafka import KafkaAdminClient

from contract.errors import BrokerError, OpsoninError
from contract.ports import Meter
from contract.timestamps import microseconds
from runtime.compose import Composition
from runtime.garbage import settle
from runtime.kafka import client, rights
from runtime.kafka.enforce import Enforce
from runtime.kafka.index import Index
from runtime.kafka.ingest import Ingest
from runtime.kafka.loop import Loop
from runtime.kafka.roles import ROLES, Roles
from runtime.kafka.topics import name_of, partition_counts, unlike
from runtime.kafka.views import Views
from runtime.settings import Settings

log = structlog.get_logger()

WORKER_ROLES: Final = ("ingest", *ROLES, "enforce", "views", "index")
_LOOK_S: Final = 0.2
_JOIN_S: Final = 15
_GIVE_UP_S: Final = 10


class Worker:
    """Runs roles.

    Args:
        settings: checked, guard rails included.
        composition: rules, compiled.
        roles: of `WORKER_ROLES`.
        meter: for counts.
        clock: wall clock, microseconds.
    """

    def __init__(
        self,
        settings: Settings,
        composition: Composition,
        roles: Sequence[str],
        meter: Meter,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._clock = clock
        kafka = settings.kafka
        self._roles = Roles(settings, composition, meter)
        self.loops = [
            Loop(self._roles.role(name), kafka, kafka.member_name, meter, clock)
            for name in ROLES
            if name in roles
        ]
        self.ingest = Ingest(settings, meter, clock) if "ingest" in roles else None
        self.enforce = Enforce(settings, meter, clock) if "enforce" in roles else None
        self.views = Views(settings, meter) if "views" in roles else None
        self.index = Index(settings, meter, clock) if "index" in roles else None
        self._ingest_is_done = False
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Run until stopped; where `engine.stop_at_end` says so, ingest ends before, and the others go on.

        Raises:
            OpsoninError: a role cannot go on.
            OSError: a source could not be opened.
        """
        await asyncio.to_thread(self._require_rights)
        settle()
        tasks: dict[str, asyncio.Task[None]] = {}
        if self.ingest is not None:
            tasks["ingest"] = asyncio.create_task(self.ingest.run(), name="ingest")
        if self.enforce is not None:
            tasks["enforce"] = asyncio.create_task(self.enforce.run(), name="enforce")
        if self.views is not None:
            tasks["views"] = asyncio.create_task(self.views.run(), name="views")
        if self.index is not None:
            tasks["index"] = asyncio.create_task(self.index.run(), name="index")
        for loop in self.loops:
            loop.start()
        log.info("worker.started", roles=[*tasks, *(one.role.name for one in self.loops)])
        try:
            while not self._stopping.is_set():
                self._raise_failures(tasks)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._stopping.wait()
        finally:
            await self._drain(tasks)
            log.info("worker.stopped")

    def stop(self) -> None:
        """Finish what is at hand, write it, leave the groups, end."""
        self._stopping.set()

    async def renew(self, composition: Composition) -> dict[str, int]:
        """Go on with other rules: each partition at rest, from its committed state, as after a restart."""
        self._roles.renew(composition)
        for loop in self.loops:
            loop.renew()
        return {}

    def unhealthy(self) -> dict[str, str]:
        """Return which roles are not healthy, and why; empty: all are."""
        now = self._clock()
        limit_us = microseconds(self._settings.kafka.stuck_after)
        found: dict[str, str] = {
            one.role.name: why for one in self.loops if (why := one.health.stuck(now, limit_us))
        }
        if self.ingest is not None and not self.ingest.ready.is_set() and not self._ingest_is_done:
            found["ingest"] = "not ready"
        if self.enforce is not None and not self.enforce.ready.is_set():
            found["enforce"] = self.enforce.last_error or "not ready"
        if self.views is not None and not self.views.ready.is_set():
            found["views"] = self.views.last_error or "not ready"
        if self.index is not None and (why := self.index.stuck(now, limit_us)):
            found["index"] = why
        return found

    # -------------------------------------------------------------- inside

    def _require_rights(self) -> None:
        """Ask whether every role has its rights; brokers that are away are asked by the roles themselves.

        Raises:
            BrokerError: a right is missing, or we are not let in.
        """
        kafka = self._settings.kafka
        roles = [one.role.name for one in self.loops] + ["enforce"] * bool(self.enforce)
        roles += ["views"] * bool(self.views) + ["index"] * bool(self.index)
        try:
            with closing(client.admin(kafka)) as admin:
                for role in roles:
                    rights.require(admin, kafka.prefix, role, kafka.member_name)
                self._require_partitions(admin)
        except BrokerError as error:
            if not error.passes:
                raise
            log.warning("worker.brokers_away", error=str(error))

    def _require_partitions(self, admin: KafkaAdminClient) -> None:
        """Compare what the topics have with the settings: by another number, keys would be looked for elsewhere.

        Raises:
            BrokerError: a topic is not there, or has another number.
        """
        topics = {
            topic
            for one in self.loops
            for topic in (*one.role.inputs, one.role.state)
            if topic.scales
        }
        kafka = self._settings.kafka
        names = sorted(name_of(kafka, topic) for topic in topics)
        for name, count in zip(names, partition_counts(admin, names), strict=True):
            if count != kafka.partitions:
                raise BrokerError(unlike(name, count, kafka.partitions))

    def _raise_failures(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        for name, task in tasks.items():
            if task.done():
                task.result()
                if name == "ingest":
                    self._ingest_is_done = True
        for loop in self.loops:
            if loop.health.failure is not None:
                raise OpsoninError(
                    f"role {loop.role.name}: {loop.health.failure}"
                ) from loop.health.failure

    async def _drain(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        """Stop from the front, so that what was taken still goes through as far as it can."""
        if self.ingest is not None and not tasks["ingest"].done():
            await self.ingest.stop()
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(tasks["ingest"]), _GIVE_UP_S)
            if not tasks["ingest"].done():
                self.ingest.give_up()
        for loop in self.loops:
            loop.stop()
        await asyncio.to_thread(self._join)
        if self.enforce is not None:
            self.enforce.stop()
        if self.views is not None:
            self.views.stop()
        if self.index is not None:
            self.index.stop()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    def _join(self) -> None:
        for loop in self.loops:
            loop.join(_JOIN_S)
        for loop in self.loops:
            if not loop.leave():
                return  # the brokers are away; sessions end by themselves
