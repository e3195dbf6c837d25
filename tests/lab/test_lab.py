"""The lab itself: what it makes, what it refuses, what its sensors really say."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attack
import collector
import pytest
import record
from network import Lab
from state import NAMESPACES, LabError, State
from topology import ADMIN, ATTACKER, HERE, TARGET

from tests.conftest import PATIENCE_S

rooted = [pytest.mark.root, pytest.mark.nftables]
sensing = [*rooted, pytest.mark.suricata]


def marked(*marks: pytest.MarkDecorator) -> Callable[[Any], Any]:
    def apply(test: Any) -> Any:
        for mark in marks:
            test = mark(test)
        return test

    return apply


def host_network() -> list[str]:
    commands = ("ip -br link", "ip -br address", "ip route show table all", "nft list ruleset")
    return [subprocess.check_output(command.split(), text=True) for command in commands]


def await_alert(lab: Lab, signature: int, source: str) -> dict[str, Any]:
    """Return the sensor's alert; the wait ends with it, or with a failure."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for line in lab.suricata.eve.read_text(encoding="utf-8").splitlines():
            if f'"signature_id":{signature},' in line and f'"src_ip":"{source}"' in line:
                found: dict[str, Any] = json.loads(line)
                return found
        time.sleep(0.05)
    raise AssertionError(f"no alert {signature} from {source}")


def await_line(path: Path, *words: str) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for line in text.splitlines():
            if all(word in line for word in words):
                return line
        time.sleep(0.05)
    raise AssertionError(f"{path} has no line with {words}")


def await_answer(lab: Lab, host: str, source: str) -> None:
    """Wait until the website answers; a busy machine may not do so within the two seconds of one question."""
    deadline = time.monotonic() + PATIENCE_S
    while ask_website(lab, host, source) != "200":
        assert time.monotonic() < deadline


def ask_website(lab: Lab, host: str, source: str) -> str:
    script = f"import attack; print(attack.get({source!r}, {TARGET!r}, '/', {{}}))"
    line = ("env", f"PYTHONPATH={HERE}", sys.executable, "-c", script)
    return lab.topology.run(host, *line).strip()


# ------------------------------------------------------------------ making and removing


@marked(*rooted)
def test_host_network_is_the_same_before_during_and_after(bare: Lab) -> None:
    before = host_network()
    bare.up(sensor=False)
    assert host_network() == before
    bare.down()
    assert host_network() == before


@marked(*rooted)
def test_down_twice_leaves_nothing_behind(bare: Lab) -> None:
    bare.up(sensor=False)
    names = [NAMESPACES / name for name in bare.state.namespaces]
    assert len(names) == 4
    assert all(path.exists() for path in names)
    processes = list(bare.state.processes)
    bare.down()
    Lab(bare.state.prefix).down()
    assert not any(path.exists() for path in names)
    assert not any(process.is_running() for process in processes)


@marked(*rooted)
def test_up_refuses_a_namespace_that_it_did_not_make_and_leaves_it(bare: Lab) -> None:
    foreign = f"{bare.state.prefix}-target"
    subprocess.run(["ip", "netns", "add", foreign], check=True)
    try:
        with pytest.raises(LabError, match="did not make it"):
            bare.up(sensor=False)
        mine = [path.name for path in NAMESPACES.glob(f"{bare.state.prefix}-*")]
        assert mine == [foreign]
    finally:
        subprocess.run(["ip", "netns", "delete", foreign], check=True)


@marked(*rooted)
def test_down_leaves_a_namespace_that_another_made_anew_under_the_name(bare: Lab) -> None:
    bare.topology.up()
    name = bare.topology.name("admin")
    subprocess.run(["ip", "netns", "delete", name], check=True)
    # Some other namespace in between, lest the kernel hands out the same inode again.
    subprocess.run(["ip", "netns", "add", f"{name}x"], check=True)
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with pytest.raises(LabError, match="not this lab's"):
            bare.topology.run("admin", "true")
        bare.down()
        assert (NAMESPACES / name).exists()
    finally:
        for each in (name, f"{name}x"):
            subprocess.run(["ip", "netns", "delete", each], check=True)


@marked(*rooted)
def test_up_twice_is_refused(bare: Lab) -> None:
    bare.topology.up()
    with pytest.raises(LabError, match="is up"):
        Lab(bare.state.prefix).up()


@marked(*rooted)
def test_two_labs_stand_side_by_side(bare: Lab) -> None:
    other = Lab(f"{bare.state.prefix}b")
    try:
        bare.up(sensor=False)
        other.up(sensor=False)
        await_answer(bare, "admin", ADMIN)
        await_answer(other, "admin", ADMIN)
    finally:
        other.down()
        subprocess.run(["rm", "-r", str(other.state.folder)], check=True)


@marked(*rooted)
@pytest.mark.parametrize("name", ["", "9lab", "a/b", "lab-x", "A", "x" * 17])
def test_a_prefix_that_is_no_plain_name_is_refused(able: None, name: str) -> None:
    with pytest.raises(LabError, match="prefix"):
        Lab(name)


@marked(*rooted)
@pytest.mark.parametrize(
    "words",
    [
        ["attack.py", "scan", ATTACKER, TARGET],
        ["attack.py", "spoof", ADMIN, TARGET],
        ["confined.py", "--host", "x", "--folder", "/run/x", "--log", "/run/x/log", "true"],
    ],
)
def test_scripts_refuse_to_run_in_the_hosts_network(able: None, words: list[str]) -> None:
    line = [sys.executable, str(HERE / words[0]), *words[1:]]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "refused" in done.stderr


def test_a_damaged_state_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("state.ROOT", tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(LabError, match=r"state\.json is damaged"):
        State.load("x")


# ------------------------------------------------------------------ what the sensors say


@marked(*sensing)
def test_a_scan_is_seen_by_sensor_and_firewall(lab: Lab) -> None:
    lab.attack("scan")
    alert = await_alert(lab, 9000010, ATTACKER)
    assert alert["alert"]["metadata"]["mitre_technique_id"] == ["T1595"]
    assert alert["community_id"].startswith("1:")
    line = await_line(lab.services.netfilter_log, "base-drop", f"SRC={ATTACKER}", "DPT=443", "SYN")
    assert " router ulogd[" in line


@marked(*sensing)
def test_an_exploit_is_seen_by_the_sensor(lab: Lab) -> None:
    lab.attack("exploit")
    alert = await_alert(lab, 9000001, ATTACKER)
    assert alert["http"]["http_user_agent"] == attack.PAYLOAD
    assert alert["alert"]["metadata"]["mitre_technique_id"] == ["T1190"]
    assert await_alert(lab, 9000002, ATTACKER)["http"]["url"].endswith("/etc/passwd")


@marked(*sensing)
def test_a_spoofed_address_is_seen_as_the_address_that_it_names(lab: Lab) -> None:
    lab.attack("spoof", ADMIN)
    assert await_alert(lab, 9000010, ADMIN)["in_iface"] == "wan0"
    assert await_alert(lab, 9000003, ADMIN)["proto"] == "UDP"
    await_answer(lab, "admin", ADMIN)


@marked(*sensing)
def test_a_refused_password_is_in_the_log_of_the_real_sshd(lab: Lab) -> None:
    script = f"import attack; print(attack.login({ATTACKER!r}, {TARGET!r}, 'root', ['nothing']))"
    line = ("env", f"PYTHONPATH={HERE}", sys.executable, "-c", script)
    assert lab.topology.run("attacker", *line).strip() == "255"
    await_line(lab.services.auth_log, " target sshd[", "Failed password for root", ATTACKER)


# ------------------------------------------------------------------ parts


def test_log_lines_have_time_host_and_tag_and_stay_one_line() -> None:
    line = collector.line(
        b"<86>Nov 22 06:28:18 sshd[7]: a\nb\0", "target", 1_700_000_000_123_456_789
    )
    assert line == b"2023-11-14T22:13:20.123456+00:00 target sshd[7]: a#012b\n"


def test_a_datagram_without_header_is_kept_whole() -> None:
    line = collector.line(b"plain", "router", 0)
    assert line == b"1970-01-01T00:00:00.000000+00:00 router plain\n"


def test_checksum_is_that_of_rfc_1071() -> None:
    assert attack.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_the_composed_notification_has_keylimes_three_layers() -> None:
    body = record.notification(datetime(2026, 11, 22, 1, 14, 4, tzinfo=UTC))
    message = json.loads(body["msg"])
    assert message["event_time"] == "Sun Nov 22 01:14:04 2026"
    assert message["ip"] == TARGET
    assert json.loads(message["context"])["message"].startswith("File not found in allowlist")
