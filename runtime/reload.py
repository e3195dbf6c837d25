"""Hot reload: when rule or pipeline files change, the new set is compiled aside and takes the old one's place.

The engine goes on while a thread compiles; the swap stands between two events. Whatever is wrong in the files, the
last good version stays in force and the log, the metrics and `opsonin status` say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from contract.errors import InputError
from contract.ports import Meter
from contract.timestamps import to_datetime
from correlate.sigma.changes import Changes
from runtime.compose import Composition, recompose
from runtime.rule_cache import pipeline_file
from runtime.rule_files import stamps
from runtime.settings import Settings

log = structlog.get_logger()

SETTLE_S = 0.2
"""Files that still change are looked at again after so long: an editor or a checkout writes one by one."""
SETTLE_TIMES = 50
"""Looks at files that do not come to rest, before they are taken as they are."""

Stamps: TypeAlias = dict[str, tuple[int, int, int]]


class Reloader:
    """Watches the files of a composition for as long as the engine runs.

    Args:
        settings: of the engine.
        composition: in force.
        replace: puts what was made in force; returns by stage how many keys lost their state.
        meter: for counts.
        clock: wall clock, microseconds.
    """

    def __init__(
        self,
        settings: Settings,
        composition: Composition,
        replace: Callable[[Composition], Awaitable[dict[str, int]]],
        meter: Meter,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._composition = composition
        self._replace = replace
        self._meter = meter
        self._clock = clock
        self._asked = asyncio.Event()
        self._failure = ""
        self._loaded_us = clock()
        self._seen = self._stamps()
        self._count()

    def request(self) -> None:
        """Look at the files now, whether they seem changed or not (SIGHUP)."""
        self._asked.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        every_s = self._settings.detect.reload_every.total_seconds()
        while True:
            try:
                async with asyncio.timeout(every_s or None):
                    await self._asked.wait()
            except TimeoutError:
                if await asyncio.to_thread(self._stamps) == self._seen:
                    continue
            self._asked.clear()
            await self._settle()
            await self._reload()

    def status(self) -> dict[str, Any]:
        """Return what is in force and what is wrong, for people."""
        made = self._composition
        return {
            "loaded": to_datetime(self._loaded_us).isoformat(),
            "counts": dict(made.counts),
            "refused": [str(error) for error in made.errors],
            "kept": list(made.rulebook.kept),
            "failure": self._failure,
        }

    # -------------------------------------------------------------- one reload

    async def _settle(self) -> None:
        """Wait until the files are at rest, and note how they are before they are read."""
        for _ in range(SETTLE_TIMES):
            self._seen = await asyncio.to_thread(self._stamps)
            await asyncio.sleep(SETTLE_S)
            if await asyncio.to_thread(self._stamps) == self._seen:
                return

    async def _reload(self) -> None:
        began_us = self._clock()
        try:
            made, changes = await asyncio.to_thread(recompose, self._settings, self._composition)
        except InputError as error:
            self._failure = str(error)
            self._meter.add("rule_reloads_total", result="failed")
            log.error("rules.reload_failed", error=str(error))  # noqa: TRY400  # a person wrote it: no trace helps
            return
        lost = await self._replace(made)
        known = {str(error) for error in self._composition.errors}
        self._composition = made
        self._failure = ""
        self._loaded_us = self._clock()
        self._tell(made, changes, lost, known, self._loaded_us - began_us)

    def _tell(
        self,
        made: Composition,
        changes: Changes,
        lost: dict[str, int],
        known: set[str],
        took_us: int,
    ) -> None:
        kept = set(made.rulebook.kept)
        for error in made.errors:
            if str(error) not in known:
                in_force = "the last good version" if error.file in kept else "none"
                log.error("rule.refused", error=str(error), in_force=in_force)
        self._meter.add("rule_reloads_total", result="applied")
        self._meter.add("state_dropped_total", sum(lost.values()))
        self._count()
        log.info(
            "rules.reloaded",
            seconds=round(took_us / 1e6, 3),
            added=len(changes.added),
            removed=len(changes.removed),
            changed=len(changes.changed),
            refused=len(made.errors),
            kept=len(kept),
            correlations_reset=list(changes.correlations),
            groups_dropped=sum(lost.values()),
            **made.counts,
        )

    def _count(self) -> None:
        for kind, count in self._composition.counts.items():
            self._meter.set("rules", count, kind=kind)
        self._meter.set("rules_refused", len(self._composition.errors))
        self._meter.set("rule_files_kept", len(self._composition.rulebook.kept))

    def _stamps(self) -> Stamps:
        names = self._settings.detect.pipelines
        files: list[Path] = [file for name in names if (file := pipeline_file(name)) is not None]
        return stamps((*self._composition.roots, *files))
