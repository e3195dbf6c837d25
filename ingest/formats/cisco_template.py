"""Message templates compiled: places in braces to groups, groups to ECS fields, and what must follow a match.

The notation is that of `ingest.tables.cisco_asa`. Templates are compiled when their message is first
met. Those with many places "as little as fits" run in RE2, whose time is linear whatever a user name
holds; the others run in `re` on at most `MAX_TEXT` characters, which bounds them too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import re2

from contract.event import Fields
from ingest.formats.keytable import Step

MAX_TEXT: Final = 2048
"""A message's first characters, which templates read; devices cut at 1,024 or 1,400."""
_LAZY_IN_RE = 2

Match: TypeAlias = Callable[[str], Any]

_ADDRESS = r"([^\s/(),;<>]+?)"
_PORT = r"(?:/([\w.\-]+))?"
_USER = r"(?:\s?\(([^(),]*)(?:, ?\d[^()]*)?\))?"
_MAPPED = r"(?:\s?\(([^\s/()]+)/(\d+)\))?"
_INTERFACE = r"([^\s:/()]+)(?:\([^\s()]*\))?:\s?"  # `outside(acl-name):` in translations by policy
_END = r"(?=[\s,;:.)(]|$)"


def _side(letter: str) -> str:
    return "source" if letter in "SsL" else "destination"


def _end(name: str) -> tuple[str, list[str]] | None:
    """Return pattern and fields of a place that is an end of a flow, or None when it is none."""
    side = _side(name[0])
    way = (
        "observer.ingress.interface.name" if side == "source" else "observer.egress.interface.name"
    )
    ip, port, user = f"{side}.ip", f"{side}.port", f"{side}.user.name"
    word = r"([^\s/(),;<>]*[^\s/(),;<>.])"  # less the full stop that may end the sentence
    forms: Mapping[str, tuple[str, list[str]]] = {
        "S": (
            _INTERFACE + word + _PORT + _MAPPED + _USER,
            [way, ip, port, f"{side}.nat.ip", f"{side}.nat.port", user],
        ),
        "s": (word + _PORT + _USER, [ip, port, user]),
        "S0": (r"([^\s/()]+)(?:/\d+)?" + _USER, [ip, user]),
        "S0i": (r"([^\s:/()]+):([^\s/()]+)", [way, ip]),
        "S1": (r"(?:([^\s:/]+):)?" + word + _PORT, [way, ip, port]),
        "L": (r"(\S+?):(\d+)", [ip, port]),
    }
    key = {"D": "S", "d": "s", "R": "L"}.get(name[0], name[0]) + name[1:]
    return forms.get(key)


_PLACE = re.compile(r"\{(#?)([A-Za-z][A-Za-z0-9_]*)([*'~+]?)\}")
_WORDS = {
    "*": "(.*?)",
    "+": "(.*)",
    "~": "([^()]*?)",
    "'": "[\"'<\u201c]?([^\\s\"'>\u201d]+)[\"'>\u201d]?",
    "": r"(\S+)",
}
_ADDRESSES = frozenset(("sip", "dip", "s1", "d1", "mapped1"))


@dataclass(slots=True, frozen=True)
class Template:
    """One compiled template.

    Attributes:
        match: gives an object with `groups()`, or None.
        names: field of each group.
        swapped: the same with source and destination exchanged.
        direction: place of the group that tells inbound from outbound; -1: none.
        steps: what must follow.
    """

    match: Match
    names: tuple[str, ...]
    swapped: tuple[str, ...]
    direction: int
    steps: tuple[Callable[[Fields], None], ...]


def compile_template(
    source: str, places: Mapping[str, str], prefix: str, steps: tuple[Step, ...]
) -> Template:
    """Return the compiled form of a template."""
    names: list[str] = []

    def group(found: re.Match[str]) -> str:
        number, name, kind = found.groups()
        if not number and not kind and (form := _end(name)) and name not in places:
            names.extend(form[1])
            return form[0]
        names.append(places.get(name) or prefix + name)
        if number:
            return r"(-?\d+)"
        return r"([^\s,;<>()]+?)" if name in _ADDRESSES and not kind else _WORDS[kind]

    pattern = _PLACE.sub(group, source)
    compiled = re.compile(pattern) if source.count("*}") <= _LAZY_IN_RE else re2.compile(pattern)
    fields = tuple(names)
    return Template(
        compiled.match,
        fields,
        tuple(_swapped(name) for name in fields),
        fields.index("network.direction") if "network.direction" in fields else -1,
        tuple(step for wanted, step in steps if not set(wanted).isdisjoint(fields)),
    )


_EXCHANGED: Final = {
    "source": "destination",
    "destination": "source",
    "ingress": "egress",
    "egress": "ingress",
}


def _swapped(name: str) -> str:
    return ".".join(_EXCHANGED.get(part, part) for part in name.split("."))
