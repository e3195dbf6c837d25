"""Brings the fields of an event to their ECS types; what is none of its type moves aside, and what is empty goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Meter
from ingest.ecs_types import MISFIT, Check, Plan, check_of
from ingest.normalize_settings import NormalizeSettings

MAX_PLANS: Final = 4_096
"""Sequences of field names whose checks are remembered; when full, all are forgotten at once."""
_NUMBERS: Final = (int, float)


class Conformer:
    """Checks the events of one source, in place; remembers what fields of the same names ask for.

    Args:
        settings: bounds of names.
        meter: counts `field_misfits`.
        source: by which they are counted.
    """

    def __init__(self, settings: NormalizeSettings, meter: Meter, source: str) -> None:
        self._settings = settings
        self._meter = meter
        self._source = source
        self._plans: dict[tuple[str, ...], Plan] = {}

    def __call__(self, fields: Fields) -> None:
        """Bring each value to its type's own form, put misfits under `labels`, drop what is empty.

        Raises:
            ParseError: too many names, or too long a one.
        """
        shape = tuple(fields)
        plan = self._plans.get(shape) or self._plan(shape)
        if slow := plan.misfits(fields):
            self._check(fields, slow)
        # Of a hundred values `all` takes half a microsecond; few events have one that is empty or zero.
        if not all(fields.values()):
            _drop_empty(fields)

    def _plan(self, shape: tuple[str, ...]) -> Plan:
        """Return how fields of these names are checked.

        Raises:
            ParseError: too many names, or too long a one.
        """
        settings = self._settings
        if len(shape) > settings.max_fields:
            raise ParseError(
                f"{len(shape)} fields in one event; the bound is {settings.max_fields}"
            )
        longest = max(map(len, shape))
        if longest > settings.max_name_length:
            bound = settings.max_name_length
            raise ParseError(f"a field's name of {longest} characters; the bound is {bound}")
        plan = Plan(shape)
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        self._plans[shape] = plan
        return plan

    def _check(self, fields: Fields, names: Iterable[str]) -> None:
        """Bring values to their type's own form, or move them aside; in a stated order."""
        for name in names:
            check = check_of(name)
            if check is not None:
                value = fields[name]
                good = check(value)
                if good is MISFIT:
                    self._misfit(fields, name, check)
                else:
                    fields[name] = good

    def _misfit(self, fields: Fields, name: str, check: Check) -> None:
        """Keep of a list what fits; put the rest under `labels`, as text."""
        value = fields.pop(name)
        if _is_empty(value):
            return
        bad = [value]
        if type(value) is list:
            checked = [(item, check(item)) for item in value]
            bad = [item for item, good in checked if good is MISFIT]
            fits = [good for _, good in checked if good is not MISFIT]
            if fits:
                fields[name] = fits
            if not bad:
                return
        self._meter.add("field_misfits", len(bad), source=self._source, field=name)
        fields["labels." + name.replace(".", "_")] = " ".join(str(item) for item in bad)


def _is_empty(value: object) -> bool:
    return not value and value is not False and type(value) not in _NUMBERS


def _drop_empty(fields: Fields) -> None:
    """Drop empty values: null, and text, lists and objects without content."""
    for name in [name for name, value in fields.items() if not value and _is_empty(value)]:
        del fields[name]
