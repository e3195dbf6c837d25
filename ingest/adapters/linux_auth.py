"""Linux authentication logs: sshd, sudo, su, login, PAM, cron, systemd-logind, and the account tools.

The messages are a table, `ingest.tables.linux_auth`; what it does not know is still an event with its
host, program and text. Text without any header is read when a pattern fits, and refused otherwise.
A repeated line (`message repeated 5 times: [ … ]`) is as many events as it stands for, so that counting
rules count right.
"""

from __future__ import annotations

import re
from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats import syslog
from ingest.formats.address import canonical_ip
from ingest.formats.keyvalue import spaced
from ingest.formats.number import whole
from ingest.formats.text import decode
from ingest.tables.linux_auth import FIELDS, OTHERS, PROGRAMS, SSH, SSH_PROGRAMS, Line

MAX_REPEATS: Final = 1_000
"""Events made of one repeated line; `linux.auth.repeated` keeps the number."""
MAX_REPEATED_BYTES: Final = 262_144
"""Of one repeated line, times the events made of it: a long line makes fewer. A thousand events of a common line fit."""
MAX_MESSAGE: Final = 16_384
"""Longer messages are kept but not matched."""

_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*?)\]$", re.DOTALL).match
_LEVEL = re.compile(r"(error|fatal|debug\d|info|warning): ").match
_PAM = re.compile(r"(pam_\w+)\(([^:)]*)(?::([^)]*))?\): ").match
_OLD_PAM = re.compile(r"([^(]+)\((pam_\w+)\)$").match
_DOMAIN = re.compile(r"([^@\s]{1,256})@([A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+)$").match
_UTMP = re.compile(r"(\S{1,256}) \[priv\]\[(\d{1,9})\]: (USER|DEAD)_PROCESS: \d+ (\S+)$").match
_TITLE = re.compile(r"(?:-- \S{1,256}|(polkitd)\([^)\s]{1,64}\))\[(\d{1,10})\]: ").match
"""Titles that are no tags: login's of old Red Hat (` -- root[2421]: ROOT LOGIN ON tty2`), `polkitd(authority=local)[7]: `."""
_SOLARIS = re.compile(r"\[ID \d+ \w+\.\w+\] ").match


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one line.

    Raises:
        ParseError: neither a header nor a known message.
    """
    text = decode(raw)
    header = syslog.read(text, context.received_us, context.zone)
    message = header.message.strip()
    if found := _SOLARIS(message):
        message = message[found.end() :]
    if not header.app and (found := _TITLE(message)):
        header.app, header.pid, message = found[1] or "login", found[2], message[found.end() :]
    times = 1
    if found := _REPEATED(message):
        times, message = int(found[1]), found[2].strip()
    fields: Fields = {
        "event.kind": "event",
        "event.module": "system",
        "event.dataset": "system.auth",
        "message": message,
    }
    _place_header(fields, header)
    program = fields.get("process.name", "")
    known = len(message) <= MAX_MESSAGE and _read(fields, message, program)
    if "user.name" in fields and fields.get("process.name") in SSH_PROGRAMS:
        fields["source.user.name"] = fields["user.name"]  # the name that the peer gave
    if not known:
        if not program or not message:
            raise ParseError("expected a syslog header or a known authentication message")
        fields["event.type"] = ["info"]
    if times == 1:
        return [fields]
    fields["linux.auth.repeated"] = times
    most = min(MAX_REPEATS, MAX_REPEATED_BYTES // len(raw))
    return [dict(fields) for _ in range(max(1, min(times, most)))]


def _place_header(fields: Fields, header: syslog.Header) -> None:
    if header.time_us is not None:
        fields["@timestamp"] = iso(header.time_us)
    syslog.add_fields(fields, header)
    if header.host:
        fields["host.name"] = fields["host.hostname"] = header.host
        fields["related.hosts"] = [header.host]
    app = header.app
    if found := _OLD_PAM(app):
        app = found[1]
        fields["linux.auth.pam.module"] = found[2]
    if app:
        fields["process.name"] = app.removesuffix(
            "]"
        )  # `gdm-password][1234]:`, a title cut by its writer
    if header.pid.isdecimal():
        fields["process.pid"] = int(header.pid)


def _read(fields: Fields, message: str, program: str) -> bool:
    """Read the message by the patterns that its program may write; tell whether one fitted."""
    if found := _PAM(message):
        fields["linux.auth.pam.module"], fields["linux.auth.pam.service"] = found[1], found[2]
        if not program and found[2] in SSH_PROGRAMS:
            fields["process.name"] = found[2]
        if _match(fields, message[found.end() :], OTHERS["pam"]):
            return True
        fields["event.type"] = ["info"]
        return bool(program)
    names = (PROGRAMS.get(program), "pam" if "linux.auth.pam.module" in fields else None)
    if any(name and _match(fields, message, OTHERS[name]) for name in names):
        return True
    if (utmp := _UTMP(message)) and program in SSH_PROGRAMS:
        return _read_utmp(fields, utmp)
    if program in SSH_PROGRAMS or not program:
        return _read_ssh(fields, message, program) or (
            not program and _read_dropbear(fields, message)
        )
    return False


def _read_utmp(fields: Fields, utmp: re.Match[str]) -> bool:
    """Read what macOS logs of a session's begin and end, under its process's title."""
    began = utmp[3] == "USER"
    fields |= {
        "event.action": "session_opened" if began else "session_closed",
        "event.category": ["session"],
        "event.type": ["start" if began else "end"],
        "event.outcome": "success",
        "user.name": utmp[1],
        "related.user": [utmp[1]],
        "linux.auth.tty": utmp[4],
    }
    fields.setdefault("process.pid", int(utmp[2]))
    return True


def _read_dropbear(fields: Fields, message: str) -> bool:
    if not _match(fields, message, OTHERS["dropbear"]):
        return False
    fields["process.name"] = "dropbear"
    return True


def _read_ssh(fields: Fields, message: str, program: str) -> bool:
    if found := _LEVEL(message):
        fields["log.level"] = found[1]
        message = message[found.end() :]
    lines = SSH.get(message.partition(" ")[0])
    if lines is None or not _match(fields, message, lines):
        return False
    if not program:  # only sshd says so
        fields["process.name"] = "sshd"
    return True


def _match(fields: Fields, message: str, lines: tuple[Line, ...]) -> bool:
    for line in lines:
        found = line.pattern.match(message)
        if found is not None:
            fields["event.action"] = line.action
            fields["event.category"] = list(line.categories)
            fields["event.type"] = list(line.types)
            if line.outcome:
                fields["event.outcome"] = line.outcome
            _place(fields, found)
            return True
    return False


def _place(fields: Fields, found: re.Match[str]) -> None:
    """Place what the groups of a pattern hold."""
    for name, value in found.groupdict().items():
        if not value:
            continue
        field = FIELDS.get(name)
        if field is not None:
            fields.setdefault(field, value)
        elif name == "from":
            _source(fields, value)
        elif name == "superuser":
            fields["user.name"] = "root"
        elif name == "pam":
            _place_pam(fields, value)
        else:
            number = whole(value)
            fields["source.port" if name == "port" else "destination.port"] = (
                value if number is None else number
            )
    _settle_user(fields)
    if found_domain := _DOMAIN(fields.get("user.name", "")):
        # A directory's user logs on by principal name; its domain has a field of its own.
        fields["user.name"], fields["user.domain"] = found_domain[1], found_domain[2]
    names = [
        fields[name]
        for name in ("user.name", "user.effective.name", "user.target.name")
        if name in fields
    ]
    if names:
        fields["related.user"] = list(dict.fromkeys(names))


def _settle_user(fields: Fields) -> None:
    """Name the user at the root, where the message names one only as target or as the session's."""
    if "user.target.name" in fields and "user.name" not in fields:
        # ECS: the one user of an event is at the root
        fields["user.name"] = fields["user.target.name"]
        if "user.target.id" in fields:
            fields.setdefault("user.id", fields["user.target.id"])
    if "user.effective.id" in fields and "user.name" not in fields:
        # PAM names the session's user with its id, and an opener without a name: the daemon.
        fields["user.name"] = fields["user.effective.name"]
        fields["user.id"] = fields["user.effective.id"]


def _place_pam(fields: Fields, text: str) -> None:
    """Place `logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root`."""
    pairs = spaced(text)
    user = pairs.get("user") or pairs.get("ruser") or pairs.get("logname")
    if user:
        fields["user.name"] = user
    if pairs.get("tty"):
        fields["linux.auth.tty"] = pairs["tty"]
    if pairs.get("rhost"):
        _source(fields, pairs["rhost"])


def _source(fields: Fields, text: str) -> None:
    """Place an address or a name that sshd wrote for the peer."""
    fields["source.address"] = text
    ip = canonical_ip(text)
    if ip is None:
        fields["source.domain"] = text
        fields["related.hosts"] = [*fields.get("related.hosts", []), text]
    elif ip != "UNKNOWN":
        fields["source.address"] = fields["source.ip"] = ip
        fields["related.ip"] = [ip]


_HOLES = {"port": ("port ",), "count": ("[",), "name": ("user ",)}

ADAPTER = Adapter("linux.auth", parse, holes=_HOLES)
