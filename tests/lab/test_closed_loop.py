"""From the wire to the firewall: a real attack, the real engine, a real drop, and the way back."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine import LabEngine
from network import Lab
from topology import ADMIN, ATTACKER, HERE, TARGET

from tests.conftest import PATIENCE_S

pytestmark = [pytest.mark.root, pytest.mark.nftables, pytest.mark.suricata]

CUSTOMER = "198.18.0.77"


ONE_CAPABILITY = (
    *("setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all,+net_admin"),
    *("--ambient-caps=-all", "--no-new-privs"),
)
# The option of systemd units, MemoryDenyWriteExecute: prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN), Linux 6.3.
SEALED_MEMORY = (
    sys.executable,
    "-c",
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])",
    sys.executable,
)


@pytest.fixture
def duration() -> str:
    """How long denials last."""
    return "6s"


@pytest.fixture
def stopped(lab: Lab, tmp_path: Path, duration: str) -> Iterator[LabEngine]:
    made = LabEngine(lab, tmp_path, duration=duration)
    try:
        yield made
    finally:
        made.kill()
        lab.topology.run(
            "router", "nft", "-f", "-", stdin="table inet opsonin\ndelete table inet opsonin\n"
        )


@pytest.fixture
def engine(stopped: LabEngine) -> LabEngine:
    stopped.start()
    return stopped


def await_true(what: str, check: Callable[[], Any], engine: LabEngine) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited in vain for: {what}; the engine said:\n{engine.said()}")


def denied(lab: Lab) -> set[str]:
    """Return the addresses that the engine's table on the router denies."""
    if "table inet opsonin" not in lab.topology.run("router", "nft", "list", "tables"):
        return set()
    listed = lab.topology.run("router", "nft", "-j", "list", "set", "inet", "opsonin", "deny4")
    held = next(item["set"] for item in json.loads(listed)["nftables"] if "set" in item)
    return {element["elem"]["val"] for element in held.get("elem", [])}


def ask_website(lab: Lab, host: str, source: str) -> str:
    """Return the status of a GET, or 0 when no packet came through within two seconds."""
    script = f"import attack; print(attack.get({source!r}, {TARGET!r}, '/', {{}}))"
    line = ("env", f"PYTHONPATH={HERE}", sys.executable, "-c", script)
    return lab.topology.run(host, *line).strip()


def await_answer(lab: Lab, host: str, source: str, engine: LabEngine) -> None:
    """Wait until the website answers; a busy machine may not do so within the two seconds of one question."""
    await_true(f"an answer to {source}", lambda: ask_website(lab, host, source) == "200", engine)


# Longer: an attack that is stopped on its way waits some seconds for answers that do not come.
@pytest.mark.parametrize("duration", ["20s"])
def test_an_attack_ends_as_a_drop_and_the_drop_ends_by_itself(lab: Lab, engine: LabEngine) -> None:
    await_answer(lab, "attacker", ATTACKER, engine)
    lab.attack("scan")
    lab.attack("exploit")
    await_true("the attacker in a set", lambda: ATTACKER in denied(lab), engine)

    is_dropped = ask_website(lab, "attacker", ATTACKER) == "0"
    # A slow machine may be too late to see it.
    assert is_dropped or ATTACKER not in denied(lab)
    await_answer(lab, "attacker", CUSTOMER, engine)
    await_answer(lab, "admin", ADMIN, engine)

    await_true("the end of the denial", lambda: ATTACKER not in denied(lab), engine)
    await_answer(lab, "attacker", ATTACKER, engine)

    chains = engine.ask("chains", "list")
    tactics = {stage["tactic"] for chain in chains for stage in chain["stages"]}
    assert {"reconnaissance", "initial-access"} <= tactics
    decisions = [one for one in engine.ask("policy", "list") if one["target"]["value"] == ATTACKER]
    # A chain that grew out of two hands its decision over; what was handed over is withdrawn, not forgotten.
    held = [one for one in decisions if one["state"] != "reverted"]
    assert [one["action"] for one in held] == ["deny"], decisions
    assert held[0]["chain"] in {chain["id"] for chain in chains}
    assert engine.stop() == 0


def test_the_administrator_survives_being_spoofed(lab: Lab, engine: LabEngine) -> None:
    lab.attack("spoof", ADMIN)

    def refused() -> list[dict[str, Any]]:
        found = [one for one in engine.ask("policy", "list") if one["target"]["value"] == ADMIN]
        return [one for one in found if one["state"] == "refused"]

    decisions = await_true("a refusal", refused, engine)
    assert "admin network" in decisions[0]["reason"]
    assert ADMIN not in denied(lab)
    await_answer(lab, "admin", ADMIN, engine)


def test_a_drop_ends_by_itself_also_when_the_engine_is_dead(lab: Lab, engine: LabEngine) -> None:
    lab.attack("spoof", CUSTOMER)
    await_true("the source in a set", lambda: CUSTOMER in denied(lab), engine)
    engine.kill()
    is_dropped = ask_website(lab, "attacker", CUSTOMER) == "0"
    # A slow machine may be too late to see it.
    assert is_dropped or CUSTOMER not in denied(lab)
    await_true("the end of the denial", lambda: CUSTOMER not in denied(lab), engine)
    await_answer(lab, "attacker", CUSTOMER, engine)


def test_one_capability_and_sealed_memory_are_enough_as_the_systemd_unit_says(
    lab: Lab, stopped: LabEngine
) -> None:
    stopped.start((*ONE_CAPABILITY, *SEALED_MEMORY))
    source = "198.18.0.78"
    lab.attack("spoof", source)
    await_true("the source in a set", lambda: source in denied(lab), stopped)
    assert stopped.stop() == 0


@pytest.mark.parametrize("duration", ["1h"])
def test_an_engine_that_starts_again_puts_back_what_was_removed_meanwhile(
    lab: Lab, engine: LabEngine
) -> None:
    source = "198.18.0.79"
    lab.attack("spoof", source)
    await_true("the source in a set", lambda: source in denied(lab), engine)
    # Killed before its epoch is written, it would have nothing to put back.
    await_true("the decision in the store", lambda: engine.ask("policy", "list"), engine)
    engine.kill()
    lab.topology.run("router", "nft", "delete", "table", "inet", "opsonin")
    await_answer(lab, "attacker", source, engine)
    engine.start()
    await_true("the source in a set again", lambda: source in denied(lab), engine)
    assert ask_website(lab, "attacker", source) == "0"
