"""Which groups an event belongs to: the values of group-by fields as texts that are equal when Sigma calls the values equal."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice, product
from math import prod
from typing import Any

from contract.event import Fields
from contract.ids import derive_id
from correlate.sigma import taxonomy
from correlate.window.condition import number

SEPARATOR = "\x1f"
"""Stands between the parts of a key; ASCII's own unit separator."""

MAX_GROUPS = 16
"""Groups that one event with list values joins."""

MAX_TEXT = 224
"""Characters of a group's text; a longer one is shortened to a digest, so that state stays small."""

ABSENT = "\x00"
"""The group value of a field that an event does not have, where the rule lets those form a group."""

CUT = "\x00cut"
"""Stands last among the groups of an event that belongs to more of them than `MAX_GROUPS`."""


def scalar(value: Any) -> str:
    """Return a group-by value as text: numbers and their texts are one, case does not count.

    Sigma compares values without regard to case; values that it calls equal are one group.
    """
    if type(value) is str:
        return value.lower()
    if value is True or value is False:
        return "true" if value else "false"
    exact = number(value)
    return str(exact) if type(exact) is int else str(value).lower()


@lru_cache(4096)
def alternatives(name: str) -> tuple[str, ...]:
    """Return what a field of Sigma's taxonomy is called in our events, besides its own name.

    A rule that groups by `IpAddress` means the same field that its detections match.
    """
    if "." in name:
        return ()
    tables = (taxonomy.WINLOG, taxonomy.PROCESS, taxonomy.NETWORK, taxonomy.AUDITD)
    named = [taxonomy.WINLOG_DATA + name, *(t[name] for t in tables if name in t)]
    return tuple(dict.fromkeys(named))


def lookup(fields: Fields, name: str) -> Any:
    """Return a field's value under its own name or, failing that, under what our events call it."""
    value = fields.get(name)
    if value is None:
        for other in alternatives(name):
            value = fields.get(other)
            if value is not None:
                return value
    return value


def groups(fields: Fields, names: Iterable[str], *, absent: bool) -> list[str]:
    """Return the groups that an event belongs to; none when it lacks a field, one ("") when there are no names.

    A list value stands for each of its values, as in Sigma's matching.

    Args:
        fields: of the event.
        names: group-by fields.
        absent: a field that the event lacks is a value of its own.
    """
    texts: list[str] = []
    for at, name in enumerate(names):
        value = fields.get(name)
        if value is None:
            value = lookup(fields, name)
        if type(value) is not str:
            if isinstance(value, list):
                return _many(fields, list(names)[at:], texts, absent=absent)
            if value is None:
                if not absent:
                    return []
                value = ABSENT
            else:
                value = scalar(value)
        elif SEPARATOR in value:
            value = value.replace(SEPARATOR, "\\x1f")
        texts.append(value.lower())
    return [_text(texts)]


def value_at(text: str, place: int, of: int) -> str | None:
    """Return one of the values, so many `of` them, that a group's text stands for; None: it is absent, or only a digest is left."""
    texts = text.split(SEPARATOR)
    return texts[place] if len(texts) == of and texts[place] != ABSENT else None


def _many(fields: Fields, names: list[str], before: list[str], *, absent: bool) -> list[str]:
    """The slow way: some field holds a list."""
    columns = []
    for name in names:
        value = lookup(fields, name)
        given = value if isinstance(value, list) else [value]
        texts = dict.fromkeys(
            scalar(one).replace(SEPARATOR, "\\x1f") for one in given if one is not None
        )
        if not texts:
            if not absent:
                return []
            texts = {ABSENT: None}
        columns.append(list(texts))
    found = [_text([*before, *chosen]) for chosen in islice(product(*columns), MAX_GROUPS)]
    return [*found, CUT] if prod(map(len, columns)) > MAX_GROUPS else found


def _text(texts: list[str]) -> str:
    whole = SEPARATOR.join(texts)
    return whole if len(whole) <= MAX_TEXT else f"#{derive_id('group', whole)}"
