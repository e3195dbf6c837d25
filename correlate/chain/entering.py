"""Processes that enter others: a thread started in another process, or the rights to write into it and start one.

What an entered process does from then on is the doing of whoever entered it, also where its name makes it a hub: a service
host that a payload runs in is no longer everybody's. Such records are everyday, so two things are asked of them:

- a thread was started in another process (Sysmon 8), or a handle was given the three rights that writing code into a process
  and starting it asks for, and not simply all (Sysmon 10). All rights are what the starter of a process has of it by birth, and what
  session managers, consoles and virus scanners have of everything: that says nothing;
- whoever enters more than a few processes does so by office (virus scanners, agents, consoles), and joins none of them (`entrants`).

Sources: Microsoft, "Process Security and Access Rights" (PROCESS_CREATE_THREAD 0x2, PROCESS_VM_OPERATION 0x8,
PROCESS_VM_WRITE 0x20) and `CreateRemoteThread`, `WriteProcessMemory`, `CreateProcess`; Sysmon's manifest.
"""

from __future__ import annotations

from typing import Final

from contract.event import Fields

WRITES_AND_STARTS: Final = 0x02 | 0x08 | 0x20
EVERYTHING: Final = 0xFF
"""Of the rights that are a process's own, the lower byte: who asks for all of them asks for no particular one."""

RIGHTS: Final = frozenset(
    f"{byte:02x}" for byte in range(EVERYTHING) if byte & WRITES_AND_STARTS == WRITES_AND_STARTS
)
"""How a mask ends, in hexadecimal, that gives the three rights and not all."""

THREAD_STARTED: Final = "8"
ACCESSED: Final = "10"
TARGETS: Final = ("winlog.event_data.TargetProcessGUID", "winlog.event_data.TargetProcessGuid")
TARGET_NUMBER: Final = "winlog.event_data.TargetProcessId"
ACCESS: Final = "winlog.event_data.GrantedAccess"


def enters(fields: Fields) -> bool:
    """Tell whether an event says that one process entered another."""
    code = fields.get("event.code")
    if code == ACCESSED:
        access = fields.get(ACCESS)
        return type(access) is str and access[-2:].lower() in RIGHTS
    return code == THREAD_STARTED and (
        TARGET_NUMBER in fields or any(one in fields for one in TARGETS)
    )
