"""`opsonin match` and `opsonin rules …` as users call them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has none

from contract.event import Event
from runtime.store import Epoch, Store

OPSONIN = Path(sys.executable).with_name("opsonin")
RULE = """title: Shell started
id: 929a690e-bef0-4204-a928-ef5e620d6fcc
logsource: {category: process_creation, product: windows}
detection:
  s: {Image|endswith: '\\sh.exe'}
  condition: s
level: low
tags: [attack.execution, attack.t1059]
"""
BROKEN = (
    RULE.replace("endswith", "ends").replace("929a690e", "00000000").replace("Shell", "No shell")
)
SYSMON = {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1}
HIT = {**SYSMON, "Image": "C:\\SH.EXE", "Computer": "pc", "UtcTime": "2026-01-02 03:04:05.000"}
MISS = {**SYSMON, "Image": "C:\\cmd.exe"}


def lines(*events: Any) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "shell_started.yml").write_text(RULE)
    return folder


def run(folder: Path, *words: str | Path, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    variables = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(folder.parent / "cache")}
    return subprocess.run(
        [OPSONIN, *words], input=input, capture_output=True, check=False, env=variables
    )


def test_match_prints_record_and_rule(rules: Path) -> None:
    done = run(rules, "match", "--rules", rules, input=lines(MISS, HIT, HIT))
    found = [json.loads(line) for line in done.stdout.splitlines()]
    id = "929a690e-bef0-4204-a928-ef5e620d6fcc"
    assert (done.returncode, found) == (0, [{"record": 1, "rule": id}, {"record": 2, "rule": id}])


def test_match_counts_and_keeps_compiled_rules(rules: Path) -> None:
    for _ in range(2):
        done = run(rules, "match", "--rules", rules, "--count", input=lines(MISS, HIT))
        said = json.loads(done.stdout)
        assert (said["events"], said["hits"]) == (2, 1)
        assert {"seconds", "load_seconds"} <= said.keys()
    assert len(list((rules.parent / "cache/opsonin").iterdir())) == 1


def test_match_names_lines_and_rules_that_are_none_and_goes_on(rules: Path) -> None:
    (rules / "broken_rule.yml").write_text(BROKEN)
    done = run(rules, "match", "--rules", rules, input=b"nonsense\n" + lines(HIT))
    assert done.returncode == 0
    assert json.loads(done.stdout)["record"] == 1
    assert b"broken_rule.yml:5:7: unknown modifier 'ends'" in done.stderr
    assert b"record 0: not a JSON object" in done.stderr


def test_match_takes_a_stated_log_source(rules: Path) -> None:
    words = (
        "match",
        "--rules",
        rules,
        "--count",
        "--logsource",
        "category=process_creation,product=windows",
    )
    assert json.loads(run(rules, *words, input=lines({"Image": "\\sh.exe"})).stdout)["hits"] == 1
    other = run(
        rules,
        "match",
        "--rules",
        rules,
        "--count",
        "--logsource",
        "product=linux",
        input=lines(HIT),
    )
    assert json.loads(other.stdout)["hits"] == 0


@pytest.mark.parametrize(
    "words", [("--logsource", "nonsense"), ("--pipeline", "nothing"), ("--rules", "/nowhere")]
)
def test_wrong_use_gives_exit_code_2_with_a_reason(rules: Path, words: tuple[str, str]) -> None:
    done = run(rules, "match", "--rules", rules, *words, input=b"")
    assert done.returncode == 2
    assert done.stderr


def test_pipelines_are_found_by_name(rules: Path) -> None:
    words = ("match", "--rules", rules, "--count", "--pipeline", "sysmon")
    assert json.loads(run(rules, *words, input=lines(HIT)).stdout)["hits"] == 1


def test_check_gives_place_and_exit_code(rules: Path) -> None:
    assert run(rules, "rules", "check", rules).returncode == 0
    (rules / "broken_rule.yml").write_text(BROKEN)
    done = run(rules, "rules", "check", rules)
    assert done.returncode == 1
    assert b"broken_rule.yml:5:7: error: unknown modifier 'ends'" in done.stdout


def test_check_as_json_and_sarif(rules: Path) -> None:
    (rules / "broken_rule.yml").write_text(BROKEN)
    (found,) = [
        json.loads(line)
        for line in run(rules, "rules", "check", "--json", rules).stdout.splitlines()
    ]
    assert (found["line"], found["column"], found["severity"]) == (5, 7, "error")
    sarif = json.loads(run(rules, "rules", "check", "--format", "sarif", rules).stdout)
    (run_,) = sarif["runs"]
    (result,) = run_["results"]
    assert run_["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 5,
        "startColumn": 7,
    }


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


FROM_ONE = {"type": "integer", "minimum": 1}
URI = {"type": "string", "pattern": r"^(file:///)?[A-Za-z0-9._~!$&'()*+,;=:@%/-]+$"}
SARIF = closed(
    ["version", "runs"],
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs={
        "type": "array",
        "items": closed(
            ["tool"],
            tool=closed(
                ["driver"],
                driver=closed(
                    ["name"],
                    name={"type": "string"},
                    version={"type": "string"},
                    rules={
                        "type": "array",
                        "uniqueItems": True,
                        "items": closed(["id"], id={"type": "string"}),
                    },
                ),
            ),
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            results={
                "type": "array",
                "items": closed(
                    ["message"],
                    ruleId={"type": "string"},
                    ruleIndex={"type": "integer", "minimum": 0},
                    level={"enum": ["none", "note", "warning", "error"]},
                    message=closed(["text"], text={"type": "string", "minLength": 1}),
                    properties={"type": "object"},
                    locations={
                        "type": "array",
                        "items": closed(
                            [],
                            physicalLocation=closed(
                                ["artifactLocation"],
                                artifactLocation=closed(["uri"], uri=URI),
                                region=closed([], startLine=FROM_ONE, startColumn=FROM_ONE),
                            ),
                        ),
                    },
                ),
            },
        ),
    },
)
"""What SARIF 2.1.0 (OASIS, errata 01) lets such a log say: the objects that we write, closed, with what they must have."""


def test_sarif_says_what_the_standard_lets_it_say(rules: Path) -> None:
    (rules / "broken rule é.yml").write_text(BROKEN)
    (rules / "no_yaml_at_all.yml").write_text("a: [b")
    (rules / "two_of_one.yml").write_text(BROKEN + "---\n" + BROKEN)
    for words in ((rules,), (rules.parent / "nothing here",), ("--severity", "note")):
        done = run(rules, "rules", "check", "--format", "sarif", *words)
        if done.stdout:
            log = json.loads(done.stdout)
            Draft202012Validator(SARIF).validate(log)
    log = json.loads(run(rules, "rules", "check", "--format", "sarif", rules).stdout)
    uris = {
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for one in log["runs"][0]["results"]
    }
    assert any(uri.endswith("/broken%20rule%20%C3%A9.yml") for uri in uris)


def test_tests_beside_rules_are_run(rules: Path) -> None:
    beside = rules / "shell_started.test.yml"
    beside.write_text(json.dumps({"match": [HIT], "no_match": [MISS]}))
    good = run(rules, "rules", "test", rules)
    assert (good.returncode, good.stdout.startswith(b"ok ")) == (0, True)
    beside.write_text(json.dumps({"match": [MISS]}))
    bad = run(rules, "rules", "test", rules)
    assert bad.returncode == 1
    assert b"event 1 of match is not matched" in bad.stdout


def test_rule_without_a_test_fails_where_tests_are_required(rules: Path) -> None:
    assert run(rules, "rules", "test", rules).returncode == 0
    assert run(rules, "rules", "test", "--require-tests", rules).returncode == 1


def test_changed_asks_git(rules: Path) -> None:
    (rules / "shell_started.test.yml").write_text(json.dumps({"match": [HIT]}))
    assert run(rules, "rules", "test", "--changed", rules).returncode == 2
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(rules)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "t"]):
        subprocess.run([*git, *words], check=True)
    assert b"0 tests" in run(rules, "rules", "test", "--changed", rules).stderr
    (rules / "shell_started.test.yml").write_text(json.dumps({"match": [HIT], "no_match": []}))
    assert b"1 tests" in run(rules, "rules", "test", "--changed", rules).stderr


def test_regression_data_are_followed_from_the_rule(rules: Path) -> None:
    (rules / "shell_started.yml").write_text(RULE + "regression_tests_path: data/info.yml\n")
    data = rules.parent / "data"
    data.mkdir()
    id = "929a690e-bef0-4204-a928-ef5e620d6fcc"
    test = {"name": "t", "path": "data/a.evtx", "match_count": 1}
    (data / "info.yml").write_text(
        json.dumps({"rule_metadata": [{"id": id}], "regression_tests_info": [test]})
    )
    (data / "a.json").write_text(json.dumps(HIT))
    assert b"1 tests, 0 failed" in run(rules, "rules", "test", rules).stderr
    (data / "a.json").write_text(json.dumps(MISS))
    assert run(rules, "rules", "test", rules).returncode == 1


def test_explain_shows_the_tree_and_the_exit_code_says_whether_it_holds(
    rules: Path, tmp_path: Path
) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps(HIT))
    done = run(rules, "rules", "explain", rules / "shell_started.yml", event)
    assert done.returncode == 0
    assert "✓ Image ends with" in done.stdout.decode()
    event.write_text(json.dumps(MISS))
    done = run(rules, "rules", "explain", "--rules", rules, "Shell started", event)
    assert done.returncode == 1
    assert "✗ Image ends with '\\\\sh.exe' — has 'C:\\\\cmd.exe'" in done.stdout.decode()


CORRELATION = """title: Shells in a row
id: 11111111-0000-4000-8000-000000000009
level: high
correlation:
  type: event_count
  rules: [929a690e-bef0-4204-a928-ef5e620d6fcc]
  group-by: [Computer]
  timespan: 1m
  condition: {gte: 2}
"""


def test_explain_of_a_correlation_shows_its_detections_and_what_it_groups_by(rules: Path) -> None:
    (rules / "row.yml").write_text(CORRELATION)
    event = rules.parent / "event.json"
    event.write_text(json.dumps(HIT))
    words = ("rules", "explain", "--rules", rules)
    for name in ("Shells in a row", rules / "row.yml"):
        done = run(rules, *words, name, event)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"group-by Computer is 'pc'" in done.stdout
    event.write_text(json.dumps({**HIT, "Computer": None}))
    done = run(rules, *words, "Shells in a row", event)
    assert b"group-by Computer is absent: takes no part" in done.stdout
    event.write_text(json.dumps(MISS))
    assert run(rules, *words, "Shells in a row", event).returncode == 1
    assert run(rules, *words, "no such rule", event).returncode == 2


def test_a_case_for_whose_events_no_detection_holds_says_so(rules: Path) -> None:
    (rules / "row.yml").write_text(CORRELATION)
    (rules / "row.test.yml").write_text(
        "cases: [{events: [{fields: {a: 1}}], alerts: [{rule: Shells in a row}]}]"
    )
    done = run(rules, "rules", "test", rules)
    assert done.returncode == 1
    assert b"no detection holds for any of its 1 events" in done.stdout


def test_backtest_counts_the_alerts_of_correlations(rules: Path) -> None:
    (rules / "row.yml").write_text(CORRELATION)
    later = {**HIT, "UtcTime": "2026-01-02 03:04:30.000"}
    done = run(rules, "rules", "backtest", "--rules", rules, "--json", input=lines(HIT, later))
    found = {one["kind"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert found["detection"]["hits"] == 2
    assert (found["correlation"]["hits"], found["correlation"]["days"]) == (1, {"2026-01-02": 1})
    assert b"2 hits of detections, 1 alerts of correlations" in done.stderr


def test_backtest_names_the_first_lines_that_are_no_events_and_counts_all(rules: Path) -> None:
    done = run(rules, "rules", "backtest", "--rules", rules, input=b"x\n" * 100)
    assert done.stderr.count(b"not a JSON object") == 10
    assert b"100 lines that are no events" in done.stderr


def test_backtest_counts_by_day_and_host(rules: Path) -> None:
    words = ("rules", "backtest", "--rules", rules, "--json")
    (found,) = [
        json.loads(one)
        for one in run(rules, *words, input=lines(HIT, MISS, HIT)).stdout.splitlines()
    ]
    assert (found["hits"], found["days"], found["hosts"]) == (2, {"2026-01-02": 2}, {"pc": 2})
    assert run(rules, *words, "--max-hits", "1", input=lines(HIT, HIT)).returncode == 1


def test_backtest_runs_over_the_engine_s_own_events(rules: Path) -> None:
    config = rules.parent / "opsonin.toml"
    config.write_text('[engine]\ndata_dir = "data"\n')
    stored = [
        Event.of(fields, id=f"e{at}", time_us=at % 2, source="s")
        for at, fields in enumerate([HIT, MISS, HIT, HIT])
    ]
    store = Store(rules.parent / "data" / "opsonin.db")
    store.commit(Epoch(events=stored))
    store.close()
    words = ("rules", "backtest", "--rules", rules, "--stored", "--config", config)
    (found,) = run(rules, *words, "--json").stdout.splitlines()
    assert json.loads(found)["hits"] == 3
    assert run(rules, *words, "some.jsonl").returncode == 2


PATTERN = """pattern: own_shape
title: Own shape
steps:
  - {name: one, techniques: [T1190]}
  - {name: two, tactics: [impact]}
edges: [{from: one, to: two, any: [address]}]
"""


def test_patterns_and_playbooks_are_listed_and_checked(rules: Path) -> None:
    own = rules / "own.yml"
    own.write_text(PATTERN)
    listed = run(rules, "rules", "list", "--json", "--technique", "T1190", rules).stdout
    assert [(one["id"], one["kind"]) for one in map(json.loads, listed.splitlines())] == [
        ("own_shape", "pattern")
    ]
    assert run(rules, "rules", "check", own).returncode == 0
    faults = {
        "address": ("adress", "own.yml:1:1: error: no edge is named 'adress'"),
        "techniques": ("technics", "own.yml:4:17: error: 'technics' is not known here"),
        "T1190": ("T11", "own.yml:4:5: error: 'steps': 'T11' is no technique"),
        "Own shape": ("[a]", "own.yml:2:1: error: 'title': expected a text, came ['a']"),
        "steps": ("stages", "'steps' is absent"),
    }
    for right, (wrong, words) in faults.items():
        own.write_text(PATTERN.replace(right, wrong))
        done = run(rules, "rules", "check", own)
        assert done.returncode == 1
        assert words in done.stdout.decode()
    own.write_text("when: {score: much}\nname: own\n")
    assert run(rules, "rules", "check", own).returncode == 1


def test_list_and_coverage(rules: Path) -> None:
    (row,) = [
        json.loads(one) for one in run(rules, "rules", "list", "--json", rules).stdout.splitlines()
    ]
    assert (row["level"], row["logsource"], row["techniques"]) == (
        "low",
        "windows/process_creation",
        ["T1059"],
    )
    assert run(rules, "rules", "list", "--json", "--technique", "T1003", rules).stdout == b""
    layer = json.loads(run(rules, "rules", "coverage", rules).stdout)
    assert layer["techniques"][0]["techniqueID"] == "T1059"


@pytest.mark.parametrize("words", [("match",), *(("rules", name) for name in (
    "check", "test", "list", "explain", "backtest", "coverage"))])  # fmt: skip
def test_help_has_an_example(rules: Path, words: tuple[str, ...]) -> None:
    done = run(rules, *words, "--help")
    assert done.returncode == 0
    assert b"Example: opsonin" in done.stdout
