"""Alerts of sensors from their own logs to chains: each is a member of its own right, and its floods are one alert."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract.timestamps import iso

START_US = 1_781_521_200_000_000
FLOOD = 400
ATTACKER, TARGET = "203.0.113.7", "192.0.2.21"


def eve(at: str) -> dict[str, Any]:
    alert = {
        "signature_id": 9000001,
        "signature": "Exploit of a shop",
        "severity": 1,
        "action": "allowed",
    }
    return {
        "timestamp": at, "event_type": "alert", "src_ip": ATTACKER, "src_port": 40000,
        "dest_ip": TARGET, "dest_port": 80, "proto": "TCP", "alert": alert,
    }  # fmt: skip


def wazuh(at: str) -> dict[str, Any]:
    return {
        "timestamp": at, "rule": {"id": "31103", "level": 12, "description": "SQL injection", "groups": ["web", "attack"]},
        "agent": {"id": "001", "name": "web-1", "ip": TARGET}, "decoder": {"name": "web-accesslog"},
        "data": {"srcip": ATTACKER, "protocol": "GET", "url": "/shop"}, "location": "/var/log/nginx/access.log",
    }  # fmt: skip


def notice(at: str) -> dict[str, Any]:
    return {
        "_path": "notice",
        "ts": at,
        "note": "Scan::Port_Scan",
        "msg": "scanned",
        "src": ATTACKER,
        "dst": TARGET,
    }


def aminer(at: str) -> dict[str, Any]:
    return {
        "AnalysisComponent": {"AnalysisComponentName": "New path", "AnalysisComponentType": "NewMatchPathDetector"},
        "LogData": {"RawLogData": [f"GET /{at}"], "Timestamps": [at]}, "AMiner": {"ID": "web-1"},
    }  # fmt: skip


SENSORS: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "suricata.eve": ("Exploit of a shop", eve),
    "wazuh.alerts": ("SQL injection", wazuh),
    "zeek.log": ("Scan::Port_Scan", notice),
    "aminer.anomaly": ("New path", aminer),
}


def test_floods_of_sensors_fold_and_their_alerts_are_joined(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    logs = []
    for name, (_, record) in SENSORS.items():
        log = tmp_path / name
        log.write_text(
            "".join(json.dumps(record(iso(START_US + n * 100_000))) + "\n" for n in range(FLOOD))
        )
        logs.append(f"{name}={log}")
    words = (
        "replay",
        "--rules",
        tmp_path / "rules",
        "--emit",
        "alert,chain,dead_letter",
        "--final",
    )
    opsonin = Path(sys.executable).with_name("opsonin")
    done = subprocess.run([opsonin, *words, *logs], capture_output=True, check=True)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    alerts = {one["rule"]["name"]: one for one in records if one["kind"] == "alert"}
    assert {name: one["event_count"] for name, one in alerts.items()} == {
        name: FLOOD for name, _ in SENSORS.values()
    }
    assert [alerts[name]["rule"]["level"] for name in ("Exploit of a shop", "SQL injection")] == [
        "high"
    ] * 2
    assert len(records) == len(alerts) + 1
    (chain,) = (one for one in records if one["kind"] == "chain")
    assert set(chain["alerts"]) == {one["id"] for one in alerts.values()}
    assert {link["edge"] for link in chain["links"]} == {"address"}
