"""Chains and alerts in what `opsonin replay` printed, for `opsonin chains … --records`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from contract.errors import SettingsError
from contract.records import Alert, Chain
from correlate.chain.why import holders, worst
from runtime.input_files import open_input, read_records


class Replayed:
    """The last revisions in a file; a desk for chains that nobody can speak to.

    Args:
        path: JSON lines; `-` is standard input.

    Raises:
        SettingsError: a line is none of replay's records; names it.
    """

    def __init__(self, path: Path) -> None:
        self._chains: dict[str, Chain] = {}
        self._alerts: dict[str, Alert] = {}
        with open_input(None if str(path) == "-" else path) as file:
            for number, line in enumerate(read_records(file), 1):
                try:
                    self._take(line)
                except (msgspec.DecodeError, ValidationError) as error:
                    raise SettingsError(
                        f"not a record of replay: {error}", file=str(path), line=number
                    ) from error

    def worst(self, limit: int) -> tuple[list[Chain], int]:
        """See `console.desks.Chains`."""
        return worst(self._chains.values(), limit)

    def chain(self, id: str) -> Chain | None:
        """See `console.desks.Chains`."""
        found = [one for one in self._chains.values() if one.id.startswith(id)]
        return found[0] if len(found) == 1 else None

    def alerts(self, chain: Chain) -> list[Alert]:
        """See `console.desks.Chains`; all of the file, whatever their time."""
        return list(self._alerts.values())

    def holders(self, alerts: Collection[str]) -> dict[str, str]:
        """See `console.desks.Chains`."""
        return holders(self._chains.values(), alerts)

    def _take(self, line: bytes) -> None:
        kind = msgspec.json.decode(line, type=dict[str, Any]).get("kind") if line else None
        if kind == "chain":
            chain = Chain.model_validate_json(line)
            self._chains[chain.id] = chain
        elif kind == "alert":
            alert = Alert.model_validate_json(line)
            self._alerts[alert.id] = alert
