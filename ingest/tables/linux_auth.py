"""What Linux programs say about logons, sessions, privileges and accounts: patterns by the first word of a message.

Sources: OpenSSH 9.9 `auth.c`, `packet.c`, `sshd.c`; Linux-PAM 1.7 `pam_unix`; sudo 1.9 `eventlog.c`; shadow 4.17;
util-linux 2.40 `su-common.c`, `login.c`; cronie and Debian cron; systemd 257 `logind-session.c`.

A user's name is what a stranger typed and may hold blanks, even ` from 192.0.2.1 port 22`: the greedy
`.*` makes the last ` from ` the one that counts, which sshd itself wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True, frozen=True)
class Line:
    """One kind of message.

    Attributes:
        pattern: its groups are named as in `FIELDS`.
        action: `event.action`.
        categories: `event.category`.
        types: `event.type`.
        outcome: `event.outcome`, empty for none.
    """

    pattern: re.Pattern[str]
    action: str
    categories: tuple[str, ...]
    types: tuple[str, ...]
    outcome: str


FIELDS: Final = {
    "user": "user.name", "uid": "user.id", "by": "user.name", "by_uid": "user.id", "effective": "user.effective.name",
    "effective_uid": "user.effective.id", "target": "user.target.name", "target_uid": "user.target.id", "group": "group.name", "gid": "group.id",
    "method": "linux.auth.ssh.method", "key": "linux.auth.ssh.key", "reason": "event.reason", "tty": "linux.auth.tty",
    "command": "process.command_line", "directory": "process.working_directory", "session": "linux.auth.session",
    "home": "linux.auth.home", "shell": "linux.auth.shell", "offer": "linux.auth.ssh.offer", "service": "linux.auth.pam.service",
    "module": "linux.auth.pam.module", "on_ip": "destination.ip",
}  # fmt: skip
"""Field of a group; `from`, `port`, `on_port` and `pam` are read by the adapter."""

_FROM = r"(?P<from>\S+)(?: port (?P<port>\d+))?"
_FROM_KEY = r"(?P<from>\S+)(?: port (?P<port>\d+)(?: ssh2?)?(?:: (?P<key>.+))?)?"
"""A key stands behind the port alone: an address itself may end in a colon."""
_WHO = r"(?:(?:invalid|illegal|authenticating) )?(?:user (?P<user>.*) )?"
_AUTH, _NET = ("authentication",), ("network",)
_END = ("connection", "end")


def _line(
    pattern: str,
    action: str,
    categories: tuple[str, ...],
    types: tuple[str, ...],
    outcome: str = "",
) -> Line:
    return Line(re.compile(pattern, re.DOTALL), action, categories, types, outcome)


_CLOSED = (
    _line(rf"(?:Connection|Disconnected|Disconnecting|Received) [a-z ]*?(?:by|from) {_WHO}(?P<from>\S+) port (?P<port>\d+)(?:: ?(?P<reason>.*?))?(?: \[preauth\])?$", "ssh_disconnect", _NET, _END),
    _line(rf"(?:Connection|Disconnected|Disconnecting|Received) [a-z ]*?(?:by|from) {_WHO}(?P<from>\S+?)(?:: (?P<reason>.*?))?(?: \[preauth\])?$", "ssh_disconnect", _NET, _END),
    _line(rf"Disconnecting {_WHO}(?P<from>\S+) port (?P<port>\d+): (?P<reason>.*?)(?: \[preauth\])?$", "ssh_disconnect", _NET, _END),
)  # fmt: skip

SSH: Final[dict[str, tuple[Line, ...]]] = {
    "Accepted": (
        _line(rf"Accepted (?P<method>\S+) for (?P<user>.*) from {_FROM_KEY}$", "ssh_login", ("authentication", "session"), ("start",), "success"),
        _line(r"Accepted certificate ID \"(?P<reason>[^\"]*)\" \(serial \d+\) signed by (?P<key>\S+ CA \S+)(?: via .*)?$", "ssh_key_accepted", _AUTH, ("info",), "success"),
        _line(r"Accepted key (?P<key>\S+ \S+) found at (?P<reason>.*)$", "ssh_key_accepted", _AUTH, ("info",), "success"),
        _line(r"Accepted (?P<method>\S+) for (?P<user>.*)$", "ssh_login", ("authentication", "session"), ("start",), "success"),
    ),
    "Failed": (
        _line(rf"Failed (?P<method>\S+) for (?:(?:invalid|illegal) user )?(?P<user>.*) from {_FROM_KEY}$", "ssh_login", _AUTH, ("start",), "failure"),
    ),
    "Postponed": (
        _line(rf"Postponed (?P<method>\S+) for (?:invalid user )?(?P<user>.*) from {_FROM}(?: ssh2)?(?: \[preauth\])?$", "ssh_login_postponed", _AUTH, ("start",), "unknown"),
    ),
    "Invalid": (
        _line(rf"(?:Invalid|Illegal) user (?P<user>.*) from {_FROM}$", "ssh_invalid_user", _AUTH, ("info",), "failure"),
    ),
    "input_userauth_request:": (
        _line(r"input_userauth_request: (?:invalid|illegal) user (?P<user>.*?)(?: \[preauth\])?$", "ssh_invalid_user", _AUTH, ("info",), "failure"),
    ),
    "Connection": (
        _line(r"Connection from (?P<from>\S+) port (?P<port>\d+)(?: on (?P<on_ip>\S+) port (?P<on_port>\d+))?(?: rdomain \S+)?$", "ssh_connect", _NET, ("connection", "start")),
        *_CLOSED,
    ),
    "Disconnected": _CLOSED,
    "Disconnecting": _CLOSED,
    "Disconnecting:": (
        _line(r"Disconnecting: (?P<reason>Too many authentication failures)(?: for (?:invalid user )?(?P<user>.*?))?(?: from (?P<from>\S+) port (?P<port>\d+) ssh2)?(?: \[preauth\])?$", "ssh_login", _AUTH, ("end",), "failure"),
    ),
    "Received": _CLOSED,
    "maximum": (
        _line(rf"(?P<reason>maximum authentication attempts exceeded) for (?:invalid user )?(?P<user>.*) from {_FROM}(?: ssh2)?(?: \[preauth\])?$", "ssh_login", _AUTH, ("end",), "failure"),
    ),
    "Did": (_line(rf"(?P<reason>Did not receive identification string) from {_FROM}$", "ssh_scan", _NET, _END, "failure"),),
    "Bad": (
        _line(rf"(?P<reason>Bad (?:protocol version identification|packet length|remote protocol version).*?)(?: from {_FROM})?(?: \[preauth\])?$", "ssh_bad_protocol", _NET, ("protocol", "end"), "failure"),
    ),
    "Protocol": (_line(rf"(?P<reason>Protocol major versions differ) for {_FROM}:.*$", "ssh_bad_protocol", _NET, ("protocol", "end"), "failure"),),
    "Unable": (
        _line(rf"Unable to negotiate with {_FROM}: (?P<reason>[^.]*)\. Their offer: (?P<offer>.*?)(?: \[preauth\])?$", "ssh_negotiation", _NET, ("protocol", "end"), "failure"),
    ),
    "Timeout": (_line(rf"(?P<reason>Timeout before authentication) for (?:connection from )?{_FROM}(?: to .*)?$", "ssh_timeout", _AUTH, ("end",), "failure"),),
    "Starting": (
        _line(rf"Starting session: (?P<command>.*) for (?P<user>\S+) from {_FROM}(?: id \d+)?$", "ssh_session", ("session",), ("start",), "success"),
    ),
    "Close": (_line(rf"Close session: user (?P<user>.*) from {_FROM} id \d+$", "ssh_session", ("session",), ("end",), "success"),),
    "User": (
        _line(r"User (?P<user>.*) from (?P<from>\S+) not allowed because (?P<reason>.*)$", "ssh_login", _AUTH, ("start",), "failure"),
        _line(r"User child is on pid \d+$", "ssh_session", ("session",), ("info",)),
    ),
    "ROOT": (_line(rf"(?P<superuser>ROOT) LOGIN REFUSED FROM {_FROM}(?: \[preauth\])?$", "ssh_login", _AUTH, ("start",), "failure"),),
    "Magic": (_line(rf"(?P<reason>Magic value check failed).* from {_FROM}$", "ssh_bad_protocol", _NET, ("protocol", "end"), "failure"),),
    "refused": (_line(r"refused connect from (?P<reason>.*) \((?P<from>\S+)\)$", "ssh_connect", _NET, ("connection", "denied"), "failure"),),
    "reverse": (_line(r"(?P<reason>reverse mapping checking getaddrinfo for .*) \[(?P<from>\S+)\] failed.*$", "ssh_reverse_mapping", _NET, ("info",), "failure"),),
    "ssh_dispatch_run_fatal:": (_line(rf"ssh_dispatch_run_fatal: Connection from {_WHO}{_FROM}: (?P<reason>.*?)(?: \[preauth\])?$", "ssh_disconnect", _NET, _END, "failure"),),
    "drop": (_line(r"drop connection #\d+ from \[(?P<from>[^\]]+)\]:(?P<port>\d+) on \[(?P<on_ip>[^\]]+)\]:(?P<on_port>\d+) (?P<reason>.*)$", "ssh_connect", _NET, ("connection", "denied"), "failure"),),
    "banner": (_line(rf"(?P<reason>banner exchange): Connection from {_FROM}: .*$", "ssh_bad_protocol", _NET, ("protocol", "end"), "failure"),),
    "kex_exchange_identification:": (_line(r"kex_exchange_identification: (?P<reason>.*)$", "ssh_negotiation", _NET, ("protocol", "end"), "failure"),),
    "Server": (_line(r"Server listening on (?P<on_ip>\S+) port (?P<on_port>\d+)\.$", "ssh_listen", _NET, ("info",)),),
    "PAM": (
        _line(r"PAM (?:\d+) more authentication failures?; (?P<pam>.*)$", "ssh_login", _AUTH, ("end",), "failure"),
        _line(r"PAM service\((?P<service>[^)]*)\) (?P<reason>ignoring max retries.*)$", "ssh_login", _AUTH, ("end",), "failure"),
    ),
    "PAM:": (
        _line(r"PAM: (?P<reason>.*) for (?:illegal user )?(?P<user>.*) from (?P<from>\S+)$", "ssh_login", _AUTH, ("start",), "failure"),
    ),
    "subsystem": (_line(r"subsystem request for (?P<command>\S+)(?: by user (?P<user>.+))?$", "ssh_subsystem", ("session",), ("info",), "success"),),
    "Address": (
        _line(r"Address (?P<from>\S+) maps to (?P<reason>\S+, but this does not map back to the address).*$", "ssh_reverse_mapping", _NET, ("info",), "failure"),
    ),
    "Authentication": (
        _line(r"Authentication tried for (?P<user>.*) with (?P<reason>correct key but not from a permitted host) \(host=[^,]*, ip=(?P<from>[^),]+).*\)\.?$", "ssh_login", _AUTH, ("start",), "failure"),
        _line(r"Authentication (?P<reason>refused: .*)$", "ssh_login", _AUTH, ("start",), "failure"),
    ),
    "Access": (_line(r"Access denied for user (?P<user>.*) by (?P<reason>.*?)(?: \[preauth\])?$", "ssh_login", _AUTH, ("start",), "failure"),),
    "session": (
        _line(r"session opened for local user (?P<user>.*) from \[(?P<from>[^\]]+)\]$", "session_opened", ("session",), ("start",), "success"),
        _line(r"session closed for local user (?P<user>.*) from \[(?P<from>[^\]]+)\]$", "session_closed", ("session",), ("end",), "success"),
    ),
    "userauth_finish:": (_line(r"userauth_finish: (?P<reason>.*?)(?: \[preauth\])?$", "ssh_disconnect", _NET, _END, "failure"),),
    "Read": (_line(r"(?P<reason>Read from socket failed: .*?)(?: \[preauth\])?$", "ssh_disconnect", _NET, _END, "failure"),),
    "Write": (_line(r"(?P<reason>Write failed: .*?)(?: \[preauth\])?$", "ssh_disconnect", _NET, _END, "failure"),),
    "main:": (_line(r"main: (?P<reason>sshd: .*)$", "ssh_configuration", ("configuration",), ("info",)),),
}  # fmt: skip
"""By first word, after `error: ` and `fatal: ` were cut."""

_ACCOUNT = r"'?(?P<target>[^',\s]+)'?"
OTHERS: Final[dict[str, tuple[Line, ...]]] = {
    "sudo": (
        _line(r"\s*(?P<by>\S+) : (?P<reason>\d+ incorrect password attempts?|(?:user )?NOT in sudoers|command not allowed|a password is required|[a-z][^;=]*) ; (?:TTY=(?P<tty>\S+) ; )?PWD=(?P<directory>.*?) ; USER=(?P<effective>\S+) ;(?: \S+=\S+ ;)* COMMAND=(?P<command>.*)$", "sudo", ("authentication", "process"), ("start",), "failure"),
        _line(r"\s*(?P<by>\S+) : (?:HOST=\S+ ; )?(?:TTY=(?P<tty>\S+) ; )?(?:CHROOT=\S+ ; )?PWD=(?P<directory>.*?) ; USER=(?P<effective>\S+) ;(?: (?!COMMAND)\S+=\S+ ;)* COMMAND=(?P<command>.*)$", "sudo", ("authentication", "process"), ("start",), "success"),
    ),
    "su": (
        _line(r"FAILED SU \(to (?P<effective>\S+)\) (?P<by>\S+) on (?P<tty>\S+)$", "su", _AUTH, ("start",), "failure"),
        _line(r"\(to (?P<effective>\S+)\) (?P<by>\S+) on (?P<tty>\S+)$", "su", _AUTH, ("start",), "success"),
        _line(r"(?:Successful su|SU) for (?P<effective>\S+) by (?P<by>\S+)$", "su", _AUTH, ("start",), "success"),
        _line(r"(?:FAILED|failed) su for (?P<effective>\S+) by (?P<by>\S+)$", "su", _AUTH, ("start",), "failure"),
        _line(r"'su (?P<effective>\S+)' failed for (?P<by>\S+) on (?P<tty>\S+)$", "su", _AUTH, ("start",), "failure"),
        _line(r"'su (?P<effective>\S+)' succeeded for (?P<by>\S+) on (?P<tty>\S+)$", "su", _AUTH, ("start",), "success"),
        _line(r"\+ (?P<tty>\S+) (?P<by>[^:\s]+):(?P<effective>\S+)$", "su", _AUTH, ("start",), "success"),
        _line(r"- (?P<tty>\S+) (?P<by>[^:\s]+):(?P<effective>\S+)$", "su", _AUTH, ("start",), "failure"),
    ),
    "cron": (
        _line(r"\((?P<user>[^)]+)\) CMD \((?P<command>.*)\)$", "cron_command", ("process",), ("start",), "success"),
        _line(r"\((?P<by>[^)]+)\) (?:BEGIN EDIT|END EDIT|LIST|STAT) \((?P<target>[^)]+)\)$", "crontab_read", ("configuration",), ("access",), "success"),
        _line(r"\((?P<by>[^)]+)\) (?:REPLACE|DELETE) \((?P<target>[^)]+)\)$", "crontab_changed", ("configuration",), ("change",), "success"),
        _line(r"\((?P<by>[^)]+)\) AUTH \((?P<reason>[^)]*not allowed[^)]*)\)$", "crontab_changed", ("configuration",), ("change",), "failure"),
        _line(r"\(\*system\*[^)]*\) (?:RELOAD|ORPHAN) \((?P<reason>.*)\)$", "crontab_loaded", ("configuration",), ("info",)),
        _line(r"\((?P<user>[^)]+)\) (?:RELOAD|ORPHAN) \((?P<reason>.*)\)$", "crontab_loaded", ("configuration",), ("info",)),
    ),
    "systemd": (
        _line(r"Started (?:session-\S+ - )?Session (?P<session>\S+) of [Uu]ser (?P<user>\S+?)\.?$", "session_opened", ("session",), ("start",), "success"),
        _line(r"session-(?P<session>\S+)\.scope: (?:Deactivated successfully|Succeeded)\.$", "session_closed", ("session",), ("end",), "success"),
    ),
    "dropbear": (
        _line(r"(?P<reason>Bad (?:PAM )?password attempt) for '(?P<user>.*)' from (?P<from>\S+):(?P<port>\d+)$", "ssh_login", _AUTH, ("start",), "failure"),
        _line(r"(?P<reason>Login attempt for nonexistent user)(?: '(?P<user>.*)')? from (?P<from>\S+):(?P<port>\d+)$", "ssh_login", _AUTH, ("start",), "failure"),
        _line(r"(?P<method>Password|PAM password|Pubkey) auth succeeded for '(?P<user>.*)'(?: with (?:\S+ )?key (?P<key>.*))? from (?P<from>\S+):(?P<port>\d+)$", "ssh_login", ("authentication", "session"), ("start",), "success"),
        _line(r"Exit before auth(?: \(user '(?P<user>.*)', \d+ fails?\))? from <(?P<from>\S+):(?P<port>\d+)>: (?:\(user '[^']*', \d+ fails?\): )?(?P<reason>.*)$", "ssh_disconnect", _NET, _END),
        _line(r"Exit before auth(?: \(user '(?P<user>.*)', \d+ fails?\))?: (?P<reason>.*)$", "ssh_disconnect", _NET, _END),
        _line(r"Exit \((?P<user>.*)\)(?: from <(?P<from>\S+):(?P<port>\d+)>)?: (?P<reason>.*)$", "ssh_disconnect", ("session",), ("end",)),
        _line(r"Child connection from (?P<from>\S+):(?P<port>\d+)$", "ssh_connect", _NET, ("connection", "start")),
    ),
    "daemons": (
        _line(r"connect(?:ion)? from (?P<from>[0-9A-Fa-f.:]+)(?: \((?P<reason>[^)]*)\))?(?: at .*)?$", "connected", _NET, ("connection", "start")),
        _line(r"connect from (?P<reason>\S+) \((?P<from>[^)]+)\)$", "connected", _NET, ("connection", "start")),
        _line(r"refused connect from (?:\S+ \()?(?P<from>[0-9A-Fa-f.:]+)\)?$", "connected", _NET, ("connection", "denied"), "failure"),
        _line(r"(?:ANONYMOUS )?FTP LOGIN FROM (?P<from>[^,\s]+)(?: \[[^\]]*\])?, (?:as )?(?P<user>.*)$", "login", ("authentication", "session"), ("start",), "success"),
        _line(r"(?:FAILED )?LOGIN (?P<reason>FAILURE|REFUSED|FAILED) FROM (?P<from>[^,\s]+)(?:, (?P<user>.*))?$", "login", _AUTH, ("start",), "failure"),
        _line(r"(?P<reason>(?:Kerberos )?authentication failed.*)$", "authentication", _AUTH, ("start",), "failure"),
    ),
    "systemd-logind": (
        _line(r"New session '?(?P<session>[^\s']+)'? of user '?(?P<user>.+?)'?(?: with class .*)?\.$", "session_opened", ("session",), ("start",), "success"),
        _line(r"Removed session (?P<session>\S+)\.$", "session_closed", ("session",), ("end",), "success"),
        _line(r"Session (?P<session>\S+) logged out\..*$", "session_logged_out", ("session",), ("end",), "success"),
    ),
    "login": (
        _line(r"(?:FAILED LOGIN (?:SESSION |\d+ )?|TOO MANY LOGIN TRIES \(\d+\) )FROM (?!\(null\)|/dev/|tty|pts/|console)(?P<from>\S+) FOR (?P<user>[^,]+), (?P<reason>.*)$", "login", _AUTH, ("start",), "failure"),
        _line(r"(?:FAILED LOGIN (?:SESSION |\(\d+\) |\d+ )?|TOO MANY LOGIN TRIES \(\d+\) )(?:on|ON|FROM) '?(?P<tty>[^'\s]+)'?(?: FROM '?(?P<from>[^'\s]+)'?)? (?:FOR|for) '?(?P<user>[^',]+)'?, (?P<reason>.*)$", "login", _AUTH, ("start",), "failure"),
        _line(r"(?P<superuser>ROOT) LOGIN +(?:ON|on) '?(?P<tty>[^'\s]+)'?(?: FROM '?(?P<from>[^'\s]+)'?)?$", "login", ("authentication", "session"), ("start",), "success"),
        _line(r"DIALUP AT (?P<tty>\S+) BY (?P<user>\S+)$", "login", ("authentication", "session"), ("start",), "success"),
        _line(r"LOGIN ON (?P<tty>\S+) BY (?P<user>\S+)(?: FROM (?P<from>\S+))?$", "login", ("authentication", "session"), ("start",), "success"),
    ),
    "accounts": (
        _line(r"new user: name=(?P<target>[^,]+), UID=(?P<target_uid>\d+), GID=(?P<gid>\d+), home=(?P<home>[^,]*), shell=(?P<shell>[^,]*).*$", "user_created", ("iam",), ("user", "creation"), "success"),
        _line(rf"failed adding user {_ACCOUNT}, (?P<reason>.*)$", "user_created", ("iam",), ("user", "creation"), "failure"),
        _line(rf"delete user {_ACCOUNT}$", "user_deleted", ("iam",), ("user", "deletion"), "success"),
        _line(r"new group: name=(?P<group>[^,]+), GID=(?P<gid>\d+)$", "group_created", ("iam",), ("group", "creation"), "success"),
        _line(r"group added to \S+: name=(?P<group>[^,]+)(?:, GID=(?P<gid>\d+))?$", "group_created", ("iam",), ("group", "creation"), "success"),
        _line(r"group '(?P<group>[^']+)' removed.*$", "group_deleted", ("iam",), ("group", "deletion"), "success"),
        _line(r"delete '(?P<target>[^']+)' from (?:shadow )?group '(?P<group>[^']+)'$", "user_removed_from_group", ("iam",), ("group", "change"), "success"),
        _line(rf"(?:un)?lock user {_ACCOUNT} (?P<reason>password)$", "user_changed", ("iam",), ("user", "change"), "success"),
        _line(r"removed (?:shadow )?group '?(?P<group>[^'\s]+)'?.*$", "group_deleted", ("iam",), ("group", "deletion"), "success"),
        _line(rf"add {_ACCOUNT} to (?:shadow )?group '(?P<group>[^']+)'$", "user_added_to_group", ("iam",), ("group", "change"), "success"),
        _line(r"user (?P<target>\S+) (?:added|removed) by (?P<by>\S+) (?:to|from) group (?P<group>\S+)$", "group_changed", ("iam",), ("group", "change"), "success"),
        _line(rf"change user {_ACCOUNT} (?P<reason>.*)$", "user_changed", ("iam",), ("user", "change"), "success"),
        _line(rf"changed (?:user {_ACCOUNT} (?P<reason>.*)|password expiry for (?P<user>\S+))$", "user_changed", ("iam",), ("user", "change"), "success"),
        _line(r"password for '?(?P<target>[^'\s]+)'? changed by '?(?P<by>[^'\s]+)'?$", "password_changed", ("iam",), ("user", "change"), "success"),
    ),
    "pam": (
        _line(r"authentication failure; (?P<pam>.*)$", "authentication", _AUTH, ("start",), "failure"),
        _line(r"authentication success; (?P<pam>.*)$", "authentication", _AUTH, ("start",), "success"),
        _line(r"received for user (?P<user>\S+): (?P<reason>.*)$", "authentication", _AUTH, ("start",), "failure"),
        _line(r"requirement \"(?P<reason>[^\"]*)\" not met by user \"(?P<user>[^\"]*)\"$", "account_access", _AUTH, ("info",), "failure"),
        _line(r"(?P<reason>conversation failed)$", "authentication", _AUTH, ("start",), "failure"),
        _line(r"auth could not identify password for \[(?P<user>[^\]]*)\]$", "authentication", _AUTH, ("start",), "failure"),
        _line(r"access denied for user [`'](?P<user>[^'`]+)' from [`'](?P<from>[^'`]+)'$", "account_access", _AUTH, ("info",), "failure"),
        _line(r"(?P<reason>Refused) user (?P<user>\S+) for service (?P<service>\S+)$", "account_access", _AUTH, ("info",), "failure"),
        _line(r"session opened for user (?P<effective>[^\s(]+)(?:\(uid=(?P<effective_uid>\d+)\))? by (?P<by>[^\s(]*)\(uid=(?P<by_uid>\d+)\)$", "session_opened", ("session",), ("start",), "success"),
        _line(r"session closed for user (?P<user>.+)$", "session_closed", ("session",), ("end",), "success"),
        _line(r"(?P<reason>check pass; user unknown)$", "authentication", _AUTH, ("start",), "failure"),
        _line(r"password changed for (?P<target>.+)$", "password_changed", ("iam",), ("user", "change"), "success"),
        _line(r"user (?P<user>\S+) \((?P<uid>\d+)\) (?P<reason>tally .*)$", "account_locked", _AUTH, ("info",), "failure"),
        _line(r"user '(?P<user>[^']+)' granted access$", "account_access", _AUTH, ("info",), "success"),
        _line(r"user '(?P<user>[^']+)' denied access.*$", "account_access", _AUTH, ("info",), "failure"),
        _line(r"Consecutive login failures for user (?P<user>\S+) account temporarily locked$", "account_locked", _AUTH, ("info",), "failure"),
        _line(r"(?P<reason>Failed to create session: .*)$", "session_opened", ("session",), ("start",), "failure"),
        _line(r"account (?P<user>\S+) has expired.*$", "account_expired", _AUTH, ("info",), "failure"),
    ),
    "pkexec": (
        _line(r"(?P<by>[^:\s]+): Executing command \[USER=(?P<effective>[^\]]*)\] \[TTY=(?P<tty>[^\]]*)\] \[CWD=(?P<directory>[^\]]*)\] \[COMMAND=(?P<command>.*)\]$", "pkexec", ("authentication", "process"), ("start",), "success"),
        _line(r"(?P<by>[^:\s]+): (?P<reason>.*?) \[USER=(?P<effective>[^\]]*)\] \[TTY=(?P<tty>[^\]]*)\] \[CWD=(?P<directory>[^\]]*)\] \[COMMAND=(?P<command>.*)\]$", "pkexec", ("authentication", "process"), ("start",), "failure"),
    ),
    "polkitd": (
        _line(r"Operator of \S+ successfully authenticated as unix-user:(?P<effective>\S+) to gain (?P<reason>.* authorization for action \S+) for .*?(?:\(owned by unix-user:(?P<by>[^)\s]+)\))?$", "polkit_authorization", _AUTH, ("start",), "success"),
        _line(r"Operator of \S+ FAILED to authenticate to gain (?P<reason>authorization for action \S+) for .*?(?:\(owned by unix-user:(?P<by>[^)\s]+)\))?$", "polkit_authorization", _AUTH, ("start",), "failure"),
    ),
    "doas": (
        _line(r"(?P<by>\S+) ran command (?P<command>.*) as (?P<effective>\S+) from (?P<directory>.*)$", "doas", ("authentication", "process"), ("start",), "success"),
        _line(r"(?:failed|command not permitted) (?:command )?for (?P<by>[^:\s]+): (?P<command>.*)$", "doas", ("authentication", "process"), ("start",), "failure"),
        _line(r"failed auth for (?P<by>\S+)$", "doas", _AUTH, ("start",), "failure"),
    ),
    "pvedaemon": (
        _line(r"authentication failure; rhost=(?P<from>\S+) user=(?P<user>.*) msg=(?P<reason>.*)$", "login", _AUTH, ("start",), "failure"),
        _line(r"<\S+> successful auth for user '(?P<user>[^']+)'$", "login", _AUTH, ("start",), "success"),
    ),
}  # fmt: skip
"""By the name in `PROGRAMS`."""

PROGRAMS: Final = {
    **dict.fromkeys(("cron", "CRON", "crond", "/usr/sbin/cron", "anacron"), "cron"),
    **dict.fromkeys(
        ("useradd", "userdel", "usermod", "groupadd", "groupdel", "groupmod", "passwd", "chage", "gpasswd", "chfn", "chsh", "newusers", "chpasswd"),
        "accounts",
    ),
    **{name: name for name in ("sudo", "su", "systemd-logind", "login", "pvedaemon", "pkexec", "polkitd", "doas")},
    **dict.fromkeys(("ftpd", "in.ftpd", "klogind", "telnetd", "in.telnetd", "rshd", "rlogind", "vsftpd", "xinetd"), "daemons"),
    "crontab": "cron", "systemd": "systemd", "dropbear": "dropbear",
    "su-l": "su", "su:": "su", "sudo-i": "sudo", "pveproxy": "pvedaemon", "elogind": "systemd-logind",
}  # fmt: skip
SSH_PROGRAMS: Final = frozenset(
    ("sshd", "sshd-session", "sshd-auth", "ssh", "internal-sftp", "sftp-server")
)
