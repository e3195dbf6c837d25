r"""Windows events of which only the rendered message came: agents that send text, not data.

The message templates of the Security log (English and French, as Windows Server renders them) put data
under headings: `New Logon:`, then `\tAccount Name:\t\tjdoe`. They are read back to Windows' own names.
Syslog relays write control characters as octal (`#015#012#011`).
"""

from __future__ import annotations

import re
from typing import Any, Final

from contract.errors import ParseError
from ingest.formats.winlog_record import WindowsRecord

MAX_LINES: Final = 400
_OCTAL = re.compile(r"#0(1[0-5])")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u00a0": " ", "\u202f": " "})

_TITLES: Final = {
    "an account was successfully logged on": "4624",
    "an account failed to log on": "4625",
    "an account was logged off": "4634",
    "user initiated logoff": "4647",
    "a logon was attempted using explicit credentials": "4648",
    "special privileges assigned to new logon": "4672",
    "a privileged service was called": "4673",
    "a new process has been created": "4688",
    "a process has exited": "4689",
    "a user account was created": "4720",
    "a user account was enabled": "4722",
    "an attempt was made to change an account's password": "4723",
    "an attempt was made to reset an account's password": "4724",
    "a user account was disabled": "4725",
    "a user account was deleted": "4726",
    "a user account was changed": "4738",
    "a user account was locked out": "4740",
    "a user account was unlocked": "4767",
    "a computer account was created": "4741",
    "a computer account was changed": "4742",
    "a computer account was deleted": "4743",
    "a kerberos authentication ticket (tgt) was requested": "4768",
    "a kerberos service ticket was requested": "4769",
    "kerberos pre-authentication failed": "4771",
    "the computer attempted to validate the credentials for an account": "4776",
    "the audit log was cleared": "1102",
    "l'ouverture de session d'un compte s'est correctement déroulée": "4624",
    "échec d'ouverture de session d'un compte": "4625",
    "fermeture de session d'un compte": "4634",
    "tentative d'ouverture de session en utilisant des informations d'identification explicites": "4648",
    "privilèges spéciaux attribués à la nouvelle ouverture de session": "4672",
    "un nouveau processus a été créé": "4688",
    "un processus est terminé": "4689",
    "un compte d'utilisateur a été créé": "4720",
    "un compte d'utilisateur a été verrouillé": "4740",
}

_SUBJECTS: Final = frozenset(("subject", "sujet", "objet"))
_TARGETS: Final = frozenset(
    (
        "new logon", "account for which logon failed", "account whose credentials were used",
        "target account", "new account", "account that was locked out", "account information",
        "target subject", "computer account that was changed", "nouvelle ouverture de session", "compte pour lequel l'ouverture de session a échoué",
        "compte dont les informations d'identification ont été utilisées", "compte cible", "nouveau compte",
    )
)  # fmt: skip
_ACCOUNT: Final = {
    "security id": "UserSid", "account name": "UserName", "account domain": "DomainName",
    "logon id": "LogonId", "user id": "Sid", "supplied realm name": "DomainName",
    "id de sécurité": "UserSid", "nom du compte": "UserName", "domaine du compte": "DomainName",
    "id d'ouverture de session": "LogonId",
}  # fmt: skip
_LABELS: Final = {
    "logon type": "LogonType", "type d'ouverture de session": "LogonType",
    "logon account": "TargetUserName", "source workstation": "Workstation", "error code": "Status",
    "process id": "ProcessId", "process name": "ProcessName", "id du processus": "ProcessId",
    "nom du processus": "ProcessName", "caller process id": "ProcessId",
    "caller process name": "ProcessName", "new process id": "NewProcessId",
    "new process name": "NewProcessName", "creator process id": "ProcessId",
    "creator process name": "ParentProcessName", "process command line": "CommandLine",
    "workstation name": "WorkstationName", "nom de la station de travail": "WorkstationName",
    "source network address": "IpAddress", "adresse du réseau source": "IpAddress",
    "network address": "IpAddress", "client address": "IpAddress", "source port": "IpPort",
    "port source": "IpPort", "client port": "IpPort", "port": "IpPort",
    "logon process": "LogonProcessName", "processus d'ouverture de session": "LogonProcessName",
    "authentication package": "AuthenticationPackageName",
    "package d'authentification": "AuthenticationPackageName", "failure reason": "FailureReason",
    "raison de l'échec": "FailureReason", "status": "Status", "sub status": "SubStatus",
    "state": "Status", "état": "Status", "sous-état": "SubStatus", "service name": "ServiceName",
    "service id": "ServiceSid", "ticket options": "TicketOptions", "result code": "Status",
    "ticket encryption type": "TicketEncryptionType", "pre-authentication type": "PreAuthType",
    "failure code": "FailureCode", "exit status": "Status", "caller computer name": "TargetDomainName",
    "privileges": "PrivilegeList", "privilèges": "PrivilegeList", "target server name": "TargetServerName",
}  # fmt: skip
_USER = re.compile(
    r"\b(?:user|utilisateur|benutzer)\s?=\s?([^\s\\();,]{1,64})\\([^\s\\();,]{1,256})"
)


def of_message(text: str) -> WindowsRecord:
    r"""Return the event of a rendered message.

    Raises:
        ParseError: neither a known message nor one that names a user (`user=DOMAIN\name`).
    """
    message = _OCTAL.sub(_control, text).replace("\r", "")
    first, _, rest = message.partition("\n")
    event_id = _TITLES.get(first.strip().rstrip(". ").lower().translate(_APOSTROPHES))
    if event_id is None:
        match = _USER.search(message[:4096])
        if match is None:
            raise ParseError("no Windows event: neither XML, JSON nor a known message")
        data: dict[str, Any] = {"SubjectDomainName": match[1], "SubjectUserName": match[2]}
        return WindowsRecord({"category": first.partition("(")[0].strip()}, data, message)
    system = {
        "event_id": event_id,
        "provider_name": "Microsoft-Windows-Security-Auditing",
        "channel": "Security",
        "event_type": "AUDIT_FAILURE" if event_id in ("4625", "4771") else "AUDIT_SUCCESS",
    }
    return WindowsRecord(system, _data(rest), message)


def _control(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def _data(text: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    heading = ""
    for line in text.split("\n", MAX_LINES)[:MAX_LINES]:
        label, found, value = line.translate(_APOSTROPHES).partition(":")
        if not found:
            continue
        label, value = label.strip().lower(), value.strip()
        if line[:1] not in ("\t", " ") and not value:
            heading = label
            continue
        account = _ACCOUNT.get(label)
        if account is not None and heading in _SUBJECTS:
            data.setdefault("Subject" + account, value)
        elif account is not None and heading in _TARGETS:
            data.setdefault("Target" + account, value)
        elif label in _LABELS:
            data.setdefault(_LABELS[label], value)
    return data
