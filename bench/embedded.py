"""Embedded throughput: Suricata EVE lines in a file, to events stored, with rules loaded, in one process.

    python bench/embedded.py [--events 200000] [--rules 50]

Runs `opsonin run` as users do, with one file source and `engine.stop_at_end`, on a store in a temporary folder. Once with 50 detection
rules, once with the shipped library (detections, correlations, chain patterns, playbooks) beside them. Counted is the time from the first event's epoch to the last, taken from the process itself (start-up and rule loading are
not events). Prints one JSON object as its last line.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def eve_lines(count: int, seed: int) -> list[str]:
    """Return EVE lines as a mid-sized network's Suricata writes them: flows, DNS, HTTP, TLS, one alert in 200."""
    rng = random.Random(seed)  # noqa: S311 - a workload, not a secret
    lines = []
    for number in range(count):
        at = (FIRST + timedelta(microseconds=number * 900)).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
        event = {
            "timestamp": at,
            "flow_id": rng.getrandbits(53),
            "in_iface": "eth1",
            "src_ip": f"10.1.{rng.randrange(16)}.{rng.randrange(1, 255)}",
            "src_port": rng.randrange(32768, 61000),
            "dest_ip": f"203.0.113.{rng.randrange(1, 255)}",
            "dest_port": rng.choice((53, 80, 443, 22)),
            "proto": "TCP",
        }
        lines.append(json.dumps(event | _detail(rng, number)))
    return lines


def _detail(rng: random.Random, number: int) -> dict[str, object]:
    name = f"host{rng.randrange(5000)}.example"
    if number % 200 == 0:
        signature = {
            "signature_id": 9000000 + rng.randrange(20),
            "rev": 1,
            "signature": "LAB exploit attempt",
        }
        return {
            "event_type": "alert",
            "alert": {
                "action": "allowed",
                "gid": 1,
                "category": "Attempted Administrator Privilege Gain",
                "severity": 1,
                **signature,
            },
        }
    kind = rng.choice(("flow", "dns", "http", "tls"))
    details: dict[str, dict[str, object]] = {
        "flow": {"pkts_toserver": 9, "pkts_toclient": 8, "bytes_toserver": 1200, "bytes_toclient": 9000, "state": "closed"},
        "dns": {"type": "query", "id": rng.randrange(65536), "rrname": name, "rrtype": "A"},
        "http": {"hostname": name, "url": f"/page/{rng.randrange(9999)}", "http_user_agent": "Mozilla/5.0", "http_method": "GET", "status": 200, "length": 512},
        "tls": {"subject": f"CN={name}", "sni": name, "version": "TLS 1.3", "ja3": {"hash": f"{rng.getrandbits(128):032x}"}},
    }  # fmt: skip
    return {"event_type": kind, kind: details[kind]}


def rule(number: int) -> str:
    """Return a Sigma rule of a usual shape that the workload almost never satisfies."""
    return (
        f"title: Bench {number}\nid: 00000000-0000-4000-8000-{number:012d}\nstatus: test\nlevel: low\n"
        "logsource: {product: suricata}\n"
        f"detection:\n  s:\n    url.original|contains: ['/evil{number}/', 'cmd{number}=']\n"
        f"  t:\n    dns.question.name|endswith: '.bad{number}.example'\n  condition: s or t\n"
    )


def main() -> None:
    """Run the bench."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--events", type=int, default=200_000)
    options.add_argument(
        "--rules", type=int, default=50, help="made-up rules, beside those that ship"
    )
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "eve.json").write_text("\n".join(eve_lines(given.events, given.seed)) + "\n")
        (place / "rules").mkdir()
        for number in range(given.rules):
            (place / "rules" / f"bench{number}.yml").write_text(rule(number))
        alone = measure(place, '"rules"')
        with_shipped = measure(place, f'"{ROOT / "rules"}", "rules"')
        beside = {
            f"shipped_{name}": with_shipped[name]
            for name in ("events_per_s", "rules", "correlations", "alerts", "rss_mb")
        }
        print(json.dumps(alone | beside))


def measure(place: Path, rules: str) -> dict[str, float]:
    """Run the engine over the prepared folder with these rule folders, on a fresh store."""
    shutil.rmtree(place / "var", ignore_errors=True)
    config = place / "bench.toml"
    config.write_text(
        f'[engine]\nstop_at_end = true\nrules = [{rules}]\n[web]\n[log]\nlevel = "info"\nformat = "json"\n'
        f'[[source]]\nname = "eve"\ntype = "file"\nadapter = "suricata.eve"\npath = "{place}/eve.json"\nfollow = false\n'
    )
    command = [
        str(Path(sys.executable).with_name("opsonin")),
        "run",
        "--quiet",
        "--config",
        str(config),
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env={"OPSONIN_WEB__PORT": "0", "PATH": ""},
    )
    wall = time.monotonic() - began
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime
    if done.returncode:
        sys.exit(done.stderr)
    log = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    times = {one["event"]: datetime.fromisoformat(one["timestamp"]) for one in log}
    seconds = (times["engine.stopped"] - times["engine.started"]).total_seconds()
    stored = json.loads(
        subprocess.run(
            [*command[:1], "status", "--json", "--config", str(config)],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    )["stored"]
    loaded = next(one for one in log if one["event"] == "rules.loaded")
    return {
        "events_per_s": round(stored["event"] / seconds),
        "events": stored["event"],
        "alerts": stored.get("alert", 0),
        "dead_letters": stored["dead_letter"],
        "rules": loaded["detections"],
        "correlations": loaded["correlations"],
        "seconds": round(seconds, 2),
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "rss_mb": round(usage.ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
