"""Record one intrusion in the lab as an example: what the sensors wrote, untouched, and one composed Keylime notification.

The lab has no TPM, so the notification is composed after the form of Keylime 7's revocation notifier (webhook:
`msg` is JSON in a string, `context` in it again); everything else is what Suricata, ulogd2 and sshd wrote.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from network import Lab
from services import USER
from state import LabError
from topology import ADMIN, ATTACKER, HERE, TARGET

AGENT = "7c1d9a52-0f5e-4b1c-9a57-3d1f0c2b8e10"
CUSTOMER = "198.18.0.25"
PAUSE_S = 2.0
ADAPTERS = {
    "eve.json": "suricata.eve",
    "netfilter.log": "linux.netfilter",
    "auth.log": "linux.auth",
    "keylime.json": "keylime.verifier",
}
MAX_BYTES = 1_500_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record(lab: Lab, out: Path) -> None:
    """Make the lab, do the intrusion, write the example's files into `out`, remove the lab.

    Raises:
        LabError: a program is absent, or the recording is not what was expected.
    """
    missing = lab.services.missing()
    if missing:
        raise LabError(f"not installed: {', '.join(missing)}; a recording needs all")
    lab.up()
    try:
        steps = list(_intrusion(lab))
        lab.suricata.stop()  # its open flows are written now
        out.mkdir(parents=True, exist_ok=True)
        sources = {
            "eve.json": lab.suricata.eve,
            "netfilter.log": lab.services.netfilter_log,
            "auth.log": lab.services.auth_log,
        }
        for name, source in sources.items():
            shutil.copyfile(source, out / name)
            (out / name).chmod(0o644)
    finally:
        lab.down()
    (out / "keylime.json").write_text(json.dumps(notification(_now())) + "\n", encoding="utf-8")
    listing = "".join(f"{name} {adapter}\n" for name, adapter in ADAPTERS.items())
    (out / "adapters").write_text(listing, encoding="utf-8")
    _check(out)
    (out / "README.md").write_text(_readme(out, steps), encoding="utf-8")


def _intrusion(lab: Lab) -> Iterator[tuple[datetime, str]]:
    """Do each step; yield when it began and what it is."""
    yield (
        _now(),
        f"the administrator (`{ADMIN}`) logs in with a key; a customer (`{CUSTOMER}`) shops",
    )
    _administer(lab)
    _shop(lab)
    time.sleep(PAUSE_S)
    yield (
        _now(),
        f"`{ATTACKER}` scans the 100 most common TCP ports and reads the page's title (nmap)",
    )
    lab.attack("scan")
    time.sleep(PAUSE_S)
    yield _now(), "the same address sends a Log4Shell lookup and a path traversal to the web server"
    lab.attack("exploit")
    _shop(lab)
    time.sleep(PAUSE_S)
    yield (
        _now(),
        f"it tries thirteen passwords for four users over ssh; the last, of `{USER}`, fits",
    )
    lab.attack("brute")
    yield (
        _now(),
        "the target's next attestation fails: a file that no list allows was run (composed)",
    )


def _administer(lab: Lab) -> None:
    key = str(lab.services.folder / "sshd" / "adminkey")
    options = ("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR")
    line = ("ssh", "-F", "/dev/null", *options, "-i", key, f"{USER}@{TARGET}", "uptime")
    lab.topology.run("admin", *line)


def _shop(lab: Lab) -> None:
    script = (
        f"import attack\nfor page in ('/', '/catalogue'):\n"
        f"    attack.get({CUSTOMER!r}, {TARGET!r}, page, {{'User-Agent': 'Mozilla/5.0'}})\n"
    )
    lab.topology.run("attacker", "env", f"PYTHONPATH={HERE}", sys.executable, "-c", script)


def notification(moment: datetime) -> dict[str, str]:
    """Return the webhook body that a Keylime verifier would send for the target at this moment."""
    context = {"message": "File not found in allowlist: /usr/local/bin/.cache-update"}
    message = {
        "type": "revocation",
        "ip": TARGET,
        "agent_id": AGENT,
        "port": 9002,
        "tpm_policy": json.dumps({"mask": "0x10400"}),
        "meta_data": json.dumps({"host": "target", "zone": "computing-environment", "level": 3}),
        "event_time": moment.strftime("%a %b %d %H:%M:%S %Y"),
        "event_id": "ima.validation.ima-ng.not_in_allowlist",
        "severity_label": "emergency",
        "context": json.dumps(context),
    }
    return {"msg": json.dumps(message), "signature": ""}


def _now() -> datetime:
    return _EPOCH + timedelta(microseconds=time.time_ns() // 1000)


def _check(out: Path) -> None:
    """Refuse a recording in which a step left no trace, or that is too large for a repository."""
    expected = {
        "eve.json": ("9000001", "9000002", "9000010", "9000011", "9000020", '"flow"', '"http"'),
        "netfilter.log": ("base-accept IN=", "base-drop IN="),
        "auth.log": ("Failed password for root", f"Accepted password for {USER}", "publickey"),
    }
    for name, words in expected.items():
        text = (out / name).read_text(encoding="utf-8")
        absent = [word for word in words if word not in text]
        if absent:
            raise LabError(f"{out / name} holds no {', '.join(absent)}; recorded nothing usable")
    total = sum(path.stat().st_size for path in out.iterdir())
    if total > MAX_BYTES:
        raise LabError(f"{total} bytes recorded; expected at most {MAX_BYTES}")


def _readme(out: Path, steps: list[tuple[datetime, str]]) -> str:
    versions = {
        "Suricata": _version("suricata", "-V"),
        "nmap": _version("nmap", "--version"),
        "OpenSSH": _version("ssh", "-V"),
        "nftables": _version("nft", "--version"),
    }
    kinds: dict[str, int] = {}
    for line in (out / "eve.json").read_text(encoding="utf-8").splitlines():
        kind = json.loads(line)["event_type"]
        kinds[kind] = kinds.get(kind, 0) + 1
    counted = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    lines = {
        name: len((out / name).read_bytes().splitlines()) for name in ("netfilter.log", "auth.log")
    }
    began = "\n".join(f"| {moment.strftime('%H:%M:%S')} | {what} |" for moment, what in steps)
    return _TEXT.format(
        name=out.name,
        day=steps[0][0].date(),
        began=began,
        counted=counted,
        netfilter=lines["netfilter.log"],
        auth=lines["auth.log"],
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
        attacker=ATTACKER,
        target=TARGET,
        admin=ADMIN,
        customer=CUSTOMER,
    )


def _version(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+[\w.]*", done.stdout + done.stderr)
    return found[0] if found else "?"


_TEXT = """\
# An intrusion, as four sensors saw it

Recorded on {day} in the network-namespace lab (`deploy/lab/`, documentation addresses only). Times are UTC.

| began | what happened |
|---|---|
{began}

| address | who |
|---|---|
| `{attacker}` | attacker |
| `{target}` | target: web server, sshd |
| `{admin}` | administrator; must never be blocked |
| `{customer}` | customer |

| file | adapter | what it is |
|---|---|---|
| `eve.json` | `suricata.eve` | Suricata on the router's outer interface, with the lab's own six rules: {counted} |
| `netfilter.log` | `linux.netfilter` | {netfilter} lines of the router's nftables log, by NFLOG, ulogd2 and syslog |
| `auth.log` | `linux.auth` | {auth} lines of the target's sshd, by syslog |
| `keylime.json` | `keylime.verifier` | one webhook body of a Keylime verifier: **composed**, in Keylime's form; the lab has no TPM |

`adapters` names the adapter of each file, for `opsonin run --play` and `opsonin play`.

All but `keylime.json` is what the programs wrote, unedited: {versions}.

Replay it on its own clock, or send it to a running engine's sockets:

    cd examples/{name}
    opsonin replay --final suricata.eve=eve.json linux.netfilter=netfilter.log linux.auth=auth.log keylime.verifier=keylime.json
    opsonin play --config ../run.toml .

Record it again (root; Suricata, nftables, nmap, openssh-server, ulogd2, ethtool):

    python deploy/lab/lab.py record --out examples/{name}
"""


if __name__ == "__main__":
    sys.exit("record.py is part of lab.py: lab.py record")
