"""What one event tells of causes that stand between two hosts, or between a maker and what it made."""

from __future__ import annotations

from typing import Any

import pytest

from correlate.chain import canonical
from correlate.chain.causes import MAX_TASK, causes_of, task_commands

TICKET = "{0b6ee2c4-1f27-4c5f-9a51-0a8e8f3f0001}"
NONE = "{00000000-0000-0000-0000-000000000000}"


def causes(**fields: Any) -> set[tuple[str, str, str]]:
    flat = {name.replace("__", "."): value for name, value in fields.items()}
    return {(one.key, one.cause, one.kind) for one in causes_of(flat, 1)}


def connection(direction: str) -> set[tuple[str, str, str]]:
    return causes(
        host__name="ws5", process__entity_id="p", network__direction=direction, source__ip="10.0.0.5", source__port=50000,
        destination__ip="10.0.0.9", destination__port=445, network__transport="tcp",
    )  # fmt: skip


def test_connection_outwards_was_opened_and_its_near_end_is_kept() -> None:
    kinds = {(key.partition("|")[0], cause, kind) for key, cause, kind in connection("egress")}
    assert kinds == {("flow", "process|ws5|p", "flow"), ("end", "process|ws5|p", "flow")}


def test_connection_inwards_was_accepted_and_has_no_near_end() -> None:
    kinds = {(key.partition("|")[0], cause, kind) for key, cause, kind in connection("ingress")}
    assert kinds == {("flow", "process|ws5|p", "taken")}


def test_remote_logon_leads_to_address_end_and_ticket() -> None:
    found = causes(
        event__code="4624", host__name="srv", source__ip="10.0.0.5", source__port=50000,
        winlog__event_data__TargetLogonId="0x9c41e", winlog__event_data__LogonGuid=TICKET,
    )  # fmt: skip
    session = "session|srv|0x9c41e"
    assert found == {
        (session, "ip|10.0.0.5", "logon"),
        (session, "end|10.0.0.5 port 50000", "logon"),
        (session, f"ticket|{TICKET[1:-1]}", "logon"),
    }


def test_logon_without_port_and_ticket_names_neither() -> None:
    found = causes(
        event__code="4624", host__name="srv", source__ip="10.0.0.5", source__port=0,
        winlog__event_data__TargetLogonId="0x9c41e", winlog__event_data__LogonGuid=NONE,
    )  # fmt: skip
    assert found == {("session|srv|0x9c41e", "ip|10.0.0.5", "logon")}


def test_logon_that_a_process_asked_for_is_known_by_its_ticket() -> None:
    found = causes(
        event__code="4648", host__name="ws5", process__pid=4020,
        winlog__event_data__TargetLogonGuid=TICKET, winlog__event_data__LogonGuid=NONE,
    )  # fmt: skip
    assert found == {(f"ticket|{TICKET[1:-1]}", "process|ws5|pid:4020", "asked")}


def test_service_of_a_session_and_its_process_meet_in_the_command_line() -> None:
    made = causes(
        host__name="srv", service__name="mtwnqx", winlog__event_data__SubjectLogonId="0x9c41e",
        winlog__event_data__ServiceFileName='%COMSPEC% /b /c start "" powershell -enc QQBB',
    )  # fmt: skip
    ran = causes(
        host__name="srv", event__category=["process"], event__type=["start"], process__entity_id="c",
        process__parent__entity_id="s", process__parent__executable="C:\\Windows\\System32\\services.exe",
        process__command_line='C:\\Windows\\system32\\cmd.exe /b /c start "" powershell  -enc QQBB',
    )  # fmt: skip
    assert ("service|srv|mtwnqx", "session|srv|0x9c41e", "session") in made
    commands = {key for key, cause, _ in made if cause == "service|srv|mtwnqx"}
    assert {cause for _, cause, kind in ran if kind == "ran"} <= commands


def test_child_of_any_other_program_is_no_service() -> None:
    ran = causes(
        host__name="srv", event__category=["process"], event__type=["start"], process__entity_id="c",
        process__parent__entity_id="s", process__parent__executable="C:\\a\\shell.exe", process__command_line="cmd.exe",
    )  # fmt: skip
    assert {kind for _, _, kind in ran} == {"parent"}


def test_task_runs_what_its_definition_says_and_no_more_is_read_than_the_bound() -> None:
    action = "<Exec><Command>C:\\a b\\x.exe</Command>\n <Arguments>-k &quot;a&quot; &amp; b</Arguments></Exec>"
    content = {"winlog.event_data.TaskContent": f"<Task><Actions>{action}</Actions></Task>"}
    assert list(task_commands(content)) == ['C:\\a b\\x.exe -k "a" & b']
    assert list(task_commands({"winlog.event_data.TaskContent": " " * MAX_TASK + action})) == []
    assert list(task_commands({})) == []


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ('"%SystemRoot%\\a.exe"  -x', "c:\\windows\\a.exe -x"),
        ("\\SystemRoot\\System32\\a.sys", "c:\\windows\\system32\\a.sys"),
        ("%COMSPEC% /c dir", "c:\\windows\\system32\\cmd.exe /c dir"),
        ("%OTHER%\\a.exe", "%other%\\a.exe"),
        ("", ""),
    ],
)
def test_command_line_has_one_spelling(text: str, known: str) -> None:
    assert canonical.command(text) == known
