"""The command line as users call it: the real program, real files, real exit codes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OPSONIN = Path(sys.executable).with_name("opsonin")
EXAMPLE = ROOT / "examples" / "webshop"
INPUTS = (
    f"suricata.eve={EXAMPLE}/eve.json",
    f"linux.netfilter={EXAMPLE}/netfilter.log",
    f"linux.auth={EXAMPLE}/auth.log",
    f"keylime.verifier={EXAMPLE}/keylime.json",
)


def opsonin(
    *words: str, input: bytes = b"", env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    variables = {"PATH": os.environ["PATH"], **(env or {})}
    return subprocess.run(
        [OPSONIN, *words], input=input, capture_output=True, check=False, env=variables, cwd=cwd
    )


def records(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def replay(*words: str, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    return records(opsonin("replay", *words, env=env))


@pytest.fixture(scope="module")
def final() -> list[dict[str, Any]]:
    return replay("--final", *INPUTS)


def ids(found: list[dict[str, Any]]) -> dict[str, set[str]]:
    kinds = ("alert", "chain", "decision")
    return {kind: {one["id"] for one in found if one["kind"] == kind} for kind in kinds}


def test_a_replay_tells_the_recorded_intrusion_as_one_chain_with_a_decision(
    final: list[dict[str, Any]],
) -> None:
    chain = max((one for one in final if one["kind"] == "chain"), key=lambda one: one["score"])
    assert len(chain["alerts"]) >= 5
    assert {link["edge"] for link in chain["links"]} >= {"address", "attestation"}
    assert all(link["evidence"] for link in chain["links"])
    denied = {one["target"]["value"] for one in final if one["kind"] == "decision"}
    assert "198.51.100.10" in denied
    assert "192.0.2.10" not in denied, "the administrator"


@pytest.mark.parametrize(
    "env", [{}, {"TZ": "Asia/Kathmandu"}, {"LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "0"}]
)
def test_a_second_replay_in_any_zone_or_locale_gives_the_same(
    final: list[dict[str, Any]], env: dict[str, str]
) -> None:
    assert replay("--final", *INPUTS, env=env) == final


def test_a_shuffled_file_within_the_allowed_lateness_gives_the_same_ids(
    final: list[dict[str, Any]], tmp_path: Path
) -> None:
    shuffled = []
    rng = random.Random(7)  # noqa: S311 - repeatable, no secret
    for argument in INPUTS:
        adapter, _, path = argument.partition("=")
        lines = Path(path).read_bytes().splitlines(keepends=True)
        for start in range(0, len(lines), 8):
            part = lines[start : start + 8]
            rng.shuffle(part)
            lines[start : start + 8] = part
        (tmp_path / adapter).write_bytes(b"".join(lines))
        shuffled.append(f"{adapter}={tmp_path / adapter}")
    assert ids(replay("--final", *shuffled)) == ids(final)


def test_without_final_each_revision_is_printed_as_it_comes(final: list[dict[str, Any]]) -> None:
    found = replay("--emit", "chain", *INPUTS)
    assert len(found) > len(ids(final)["chain"])
    for id in {one["id"] for one in found}:
        revisions = [one["revision"] for one in found if one["id"] == id]
        assert revisions == sorted(set(revisions))


def test_parse_counts_records_over_the_whole_input() -> None:
    line = (EXAMPLE / "eve.json").read_bytes().splitlines()[0]
    found = records(
        opsonin("parse", "--adapter", "suricata.eve", input=line + b"\n\n{bad\n" + line)
    )
    assert [one["record"] for one in found] == [0, 2, 3]
    assert found[0]["event"]["event.module"] == "suricata"
    assert found[1]["dead_letter"]["reason"]


def test_parse_takes_a_file_whole_and_a_capture_packet_by_packet() -> None:
    data = Path(__file__).parents[1] / "data/adapter"
    log = data / "tcg_eventlog/agile.raw"
    whole = records(opsonin("parse", "--adapter", "tcg.eventlog", "--whole", str(log)))
    assert {one["record"] for one in whole} == {0}
    assert whole[-1]["event"]["opsonin.attestation.evidence"] == "tcg_eventlog"
    capture = data / "openbsd_pf/capture.raw"
    packets = records(opsonin("parse", "--adapter", "openbsd.pf", str(capture)))
    assert [one["record"] for one in packets] == [0, 1, 2, 3]


def test_parse_takes_records_separated_by_nul() -> None:
    pretty = json.dumps(
        json.loads((EXAMPLE / "eve.json").read_bytes().splitlines()[0]), indent=1
    ).encode()
    found = records(
        opsonin("parse", "--adapter", "suricata.eve", "-0", input=pretty + b"\0" + pretty)
    )
    assert [one["record"] for one in found] == [0, 1]
    assert "event" in found[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("parse", "--adapter", "nope"), "no adapter is named 'nope'; there are"),
        (("replay", "suricata.eve=/nowhere/eve.json"), "/nowhere/eve.json: cannot be read"),
        (("replay", "--emit", "story"), "expected kinds of"),
        (("replay", "--rules", "/nowhere"), "/nowhere: no such file or folder of rules"),
        (("run", "--config", "/nowhere.toml"), "/nowhere.toml: cannot be read"),
        (("frobnicate",), "No such command"),
        (("policy", "list", "--config", "/nowhere.toml"), "cannot be read"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line_and_exit_code_2(words: tuple[str, ...], says: str) -> None:
    done = opsonin(*words)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_broken_rule_keeps_the_engine_from_starting_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/bad.yml").write_text(
        "title: bad\nlogsource: {product: suricata}\ndetection:\n  s: {a: 1}\n  condition: t\n"
    )
    (tmp_path / "o.toml").write_text('[engine]\nrules = ["rules"]\n')
    done = opsonin("run", "--config", str(tmp_path / "o.toml"))
    assert done.returncode == 2
    assert "rules/bad.yml:5:" in done.stderr.decode()
    left = {one.name for one in (tmp_path / "var").iterdir()}
    assert left <= {"cache"}, "nothing was opened"


def test_a_closed_pipe_ends_a_command_quietly() -> None:
    command = f"{OPSONIN} parse --adapter suricata.eve {EXAMPLE}/eve.json | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr == b""


def test_a_listing_without_a_store_says_what_to_do(tmp_path: Path) -> None:
    done = opsonin("policy", "list", env={"OPSONIN_ENGINE__DATA_DIR": str(tmp_path / "none")})
    assert done.returncode == 1
    assert "start `opsonin run` first" in done.stderr.decode()


def test_every_command_explains_itself_with_an_example() -> None:
    listed = opsonin("--help").stdout.decode()
    commands = [
        line.split()[0] for line in listed.partition("Commands:")[2].splitlines() if line.strip()
    ]
    assert "replay" in commands
    for command in commands:
        done = opsonin(command, "--help")
        assert done.returncode == 0, command
        assert b"xample" in done.stdout, f"{command} --help shows no example"


def test_a_broken_playbook_or_correlation_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/p.yml").write_text(
        "name: p\nwhen: {score: 5}\naction: banish\ntarget: {type: ip}\nduration: 1h\nimpact: low\n"
    )
    (tmp_path / "rules/c.yml").write_text(
        "title: c\ncorrelation:\n  type: event_count\n  rules: [nobody]\n  timespan: 5m\n  condition: {gte: 3}\n"
    )
    (tmp_path / "o.toml").write_text('[engine]\nrules = ["rules"]\n')
    done = opsonin("run", "--config", str(tmp_path / "o.toml"))
    assert done.returncode == 2
    words = done.stderr.decode()
    assert "rules/p.yml:3:" in words
    assert "rules/c.yml:4:" in words
    assert "nobody" in words
