"""Zone and time of arrival as options of commands that read recorded logs."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from typing_extensions import override

from contract.timestamps import from_iso


class Zone(click.ParamType):
    """A zone of the time-zone database."""

    name = "zone"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
            self.fail(f"no time zone is named {value!r}; expected e.g. Europe/Vienna", param, ctx)


class Arrival(click.ParamType):
    """Microseconds since 1970, stated as ISO time."""

    name = "time"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return value if isinstance(value, int) else from_iso(value)
        except ValueError:
            self.fail(f"expected a time such as 2026-01-31T12:00:00Z; came {value!r}", param, ctx)
