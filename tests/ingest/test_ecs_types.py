"""Types of ECS fields against the published list, and what each check accepts."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest.ecs_types import (
    MISFIT,
    ROOTS,
    Check,
    as_boolean,
    as_date,
    as_float,
    as_ip,
    as_long,
    as_port,
    check_of,
)

ECS_FIELDS = Path(__file__).parents[3] / "shared/data/ingest/dev/schemas/ecs_9.4.0/ecs_flat.yml"
BY_TYPE: dict[str, Check] = {
    "ip": as_ip, "long": as_long, "integer": as_long, "float": as_float, "double": as_float, "scaled_float": as_float,
    "boolean": as_boolean, "date": as_date,
}  # fmt: skip


@pytest.mark.shared
def test_every_field_of_ecs_has_the_check_of_its_type() -> None:
    if not ECS_FIELDS.exists():
        pytest.skip("the published ECS field list is absent")
    fields = yaml.load(ECS_FIELDS.read_text(), yaml.CSafeLoader)
    wrong = []
    for name, field in fields.items():
        expected = BY_TYPE.get(field["type"])
        if expected is as_long and name.endswith(".port"):
            expected = as_port
        if name != "@timestamp" and check_of(name) is not expected:
            wrong.append((name, field["type"], check_of(name)))
    assert not wrong
    assert {name.partition(".")[0] for name in fields} - {"@timestamp"} <= ROOTS


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (as_ip, "192.0.2.1", "192.0.2.1"),
        (as_ip, "2001:DB8:0:0::1", "2001:db8::1"),
        (as_ip, "[2001:db8::1]", "2001:db8::1"),
        (as_ip, "fe80::1%eth0", "fe80::1"),
        (as_ip, "::ffff:192.0.2.1", "192.0.2.1"),
        (as_ip, "192.0.2.256", MISFIT),
        (as_ip, "192.0.2.1\0", MISFIT),
        (as_ip, "gw", MISFIT),
        (as_ip, 5, MISFIT),
        (as_ip, ["192.0.2.1", "2001:db8::1"], ["192.0.2.1", "2001:db8::1"]),
        (as_ip, ["192.0.2.1", "x"], MISFIT),
        (as_ip, [{}], MISFIT),
        (as_port, 65535, 65535),
        (as_port, "443", 443),
        (as_port, 65536, MISFIT),
        (as_port, -1, MISFIT),
        (as_long, "12", 12),
        (as_long, "0x1f", 31),
        (as_long, 3.0, 3),
        (as_long, 3.5, MISFIT),
        (as_long, True, MISFIT),
        (as_long, 2**63, MISFIT),
        (as_long, "-", MISFIT),
        (as_float, "1.5", 1.5),
        (as_float, float("inf"), MISFIT),
        (as_float, float("nan"), MISFIT),
        (as_float, "nan", MISFIT),
        (as_float, [], MISFIT),
        (as_boolean, "true", True),
        (as_boolean, 0, MISFIT),
        (as_date, "2026-06-15T14:00:00+0200", "2026-06-15T12:00:00.000000Z"),
        (as_date, "yesterday", MISFIT),
        (as_date, 5, MISFIT),
    ],
)
def test_checks_accept_what_the_type_holds(check: Check, value: Any, expected: Any) -> None:
    found = check(value)
    assert found is expected if expected is MISFIT else found == expected


def test_names_outside_ecs_and_open_ended_ones_are_not_checked() -> None:
    for name in (
        "suricata.eve.flow.bytes",
        "labels.source_ip",
        "log.syslog.structured_data.x.port",
        "message",
        "ip",
        "",
    ):
        assert check_of(name) is None
