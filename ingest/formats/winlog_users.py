"""Readers of Windows event data that name accounts: who acted, who logged on, who is a member.

As in `ingest.formats.winlog_values`: each takes a field or its prefix and gives a function that is called
with the fields to add to and the datum.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from contract.event import Fields
from ingest.formats.account import split_account

Read: TypeAlias = Callable[[Fields, str], None]
NOBODY: Final = frozenset(("S-1-0-0", "NULL SID"))
"""The null SID: nobody, not a user."""


def account(prefix: str) -> Read:
    r"""`DOMAIN\\user` or a bare name."""
    user, domain = prefix + ".name", prefix + ".domain"

    def read(fields: Fields, text: str) -> None:
        name, place = split_account(text)
        fields[user] = name
        if place:
            fields[domain] = place

    return read


def principal(prefix: str) -> Read:
    """A Kerberos principal, `name` or `name@REALM`; who asks is also the target of the ticket."""

    def read(fields: Fields, text: str) -> None:
        name, place = split_account(text)
        fields[prefix + ".name"] = fields[prefix + ".target.name"] = name
        if place:
            fields.setdefault(prefix + ".domain", place)

    return read


def logon_user(prefix: str) -> Read:
    """Who logged on: the user of the event, and the target of the logon."""

    def read(fields: Fields, text: str) -> None:
        fields[prefix + ".name"] = fields[prefix + ".target.name"] = text

    return read


def logon_domain(prefix: str) -> Read:
    """The domain of who logged on."""

    def read(fields: Fields, text: str) -> None:
        fields[prefix + ".domain"] = fields[prefix + ".target.domain"] = text

    return read


def effective_user(prefix: str) -> Read:
    """Whose rights are used, which is also the target of the logon."""

    def read(fields: Fields, text: str) -> None:
        fields[prefix + ".effective.name"] = fields[prefix + ".target.name"] = text

    return read


def sid(field: str) -> Read:
    """A security identifier that stands for somebody."""

    def read(fields: Fields, text: str) -> None:
        if text not in NOBODY:
            fields[field] = text

    return read


def distinguished(prefix: str) -> Read:
    r"""`CN=Name\, Given,CN=Users,DC=corp,DC=example` of a group's member."""

    def read(fields: Fields, text: str) -> None:
        parts = re.split(r"(?<!\\),", text)
        head, _, name = parts[0].partition("=")
        if head.strip().upper() not in ("CN", "UID") or not name:
            fields[prefix + ".name"] = text
            return
        fields[prefix + ".name"] = re.sub(r"\\(.)", r"\1", name)
        labels = [part.partition("=")[2] for part in parts if part.lstrip()[:3].upper() == "DC="]
        if labels:
            fields[prefix + ".domain"] = ".".join(labels)

    return read
