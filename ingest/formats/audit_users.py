"""Whom an audit event is of.

`uid` is who the process runs as. In records of PAM and shadow-utils the process is root's sshd or passwd and
`acct` names the account, so there the account is `user` (a login) or `user.target` (a change), and no number of
another account stands beside its name.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from contract.event import Fields
from ingest.formats.audit import meant
from ingest.tables.audit import TYPES

UNSET: Final = frozenset(("4294967295", "-1", "unset"))
"""Login ids and sessions of what nobody logged in for."""


def add_users(fields: Fields, main: str, merged: dict[str, str]) -> None:
    """Add the event's user, who it was done to, and the group, by the record's main type."""
    role = TYPES.get(main, ("", "", "", ""))[3]
    account = meant(merged.get("acct")) or _word(merged.get("ID"))
    number = meant(merged.get("id"))
    if role == "user" and (account or number):
        if account:
            fields["user.name"] = account
        if number and number not in UNSET:
            fields["user.id"] = number
        elif account == "root" and merged.get("uid") == "0":
            fields["user.id"] = "0"
        return
    fields.update(_acting(merged))
    if role == "target":
        _named(fields, "user.target", account, number)
    for part in ("id", "name"):
        if role != "group" and f"user.group.{part}" in fields:
            fields["group." + part] = fields[f"user.group.{part}"]
    group = meant(merged.get("grp"))
    if role == "group":
        _named(fields, "group", group or account, number)
    elif group:
        fields["group.name"] = group
        fields.pop("group.id", None)  # that was the acting user's


def _word(enriched: str | None) -> str | None:
    """Return the name that auditd's enriched log gives a number, unless it knew none."""
    word = meant(enriched)
    return None if word is None or word.isdecimal() or word in UNSET else word


def _named(fields: Fields, prefix: str, name: str | None, number: str | None) -> None:
    if name:
        fields[prefix + ".name"] = name
    if number and number.isdecimal() and number not in UNSET:
        fields[prefix + ".id"] = number


_IDENTITIES: Final = (
    ("uid", "UID", "user"),
    ("euid", "EUID", "user.effective"),
    ("gid", "GID", "user.group"),
)


_ACTING: Final = (*(name for names in _IDENTITIES for name in names[:2]), "user")


def _acting(merged: dict[str, str]) -> Fields:
    """Who the process runs as; ausearch -i and the enriched log give names beside numbers, or instead."""
    return _identified(*map(merged.get, _ACTING))


@lru_cache(4096)
def _identified(*said: str | None) -> Fields:
    fields: Fields = {}
    for place, (name, _, prefix) in enumerate(_IDENTITIES):
        value, word = meant(said[2 * place]), meant(said[2 * place + 1])
        if value is None or value in UNSET:
            continue
        fields[prefix + (".id" if value.isdecimal() else ".name")] = value
        if word is None and name == "uid":
            word = meant(said[-1])
        if word is not None and not word.isdecimal() and word != "unset":
            fields[prefix + ".name"] = word
    same = "id" if "user.effective.id" in fields else "name"
    if fields.get("user.effective." + same) == fields.get("user." + same):
        # ECS: effective differs from the user, or is not worth saying.
        fields.pop("user.effective.id", None)
        fields.pop("user.effective.name", None)
    return fields
