"""The commands: set up, run an engine that copies to Elasticsearch, search in both places."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from tests.conftest import PATIENCE_S
from tests.elastic.conftest import settings_for

OPSONIN = Path(sys.executable).with_name("opsonin")
EXAMPLE = Path(__file__).parents[2] / "examples" / "webshop" / "eve.json"


def opsonin(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(OPSONIN), *words]
    environment = {key: value for key, value in os.environ.items() if "__" not in key}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )  # fmt: skip


def configured(folder: Path, url: str, namespace: str) -> Path:
    path = folder / "opsonin.toml"
    path.write_text(
        '[engine]\ndata_dir = "var"\nstop_at_end = true\n[web]\nport = 0\n'
        f'[elastic]\nurls = ["{url}"]\nnamespace = "{namespace}"\nplain_types = true\nreplicas = 0\n'
        f'[[source]]\nname = "ids"\ntype = "file"\nadapter = "suricata.eve"\npath = "{EXAMPLE}"\nfollow = false\n'
    )
    return path


def test_a_run_is_found_by_the_same_searches_in_store_and_index(
    elastic_url: str, tmp_path: Path
) -> None:
    namespace = settings_for(elastic_url).namespace
    config = ["--config", str(configured(tmp_path, elastic_url, namespace))]
    absent = opsonin("index", "check", *config, folder=tmp_path)
    assert absent.returncode == 1
    assert "absent" in absent.stdout
    setup = opsonin("index", "setup", *config, folder=tmp_path)
    assert setup.returncode == 0, setup.stderr
    assert opsonin("index", "check", *config, folder=tmp_path).returncode == 0
    run = opsonin("run", "--quiet", *config, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    Elasticsearch(elastic_url).indices.refresh(index=f"logs-opsonin.*-{namespace}")
    for words in (
        ["event.kind: alert"],
        ["source.ip: * and not event.kind: alert", "--limit", "7"],
        ["", "--kind", "chain"],
        ["opsonin.alert.level: (high or critical)", "--kind", "alert"],
        ["", "--kind", "decision"],
    ):
        here = opsonin("search", *words, "--json", *config, folder=tmp_path)
        there = opsonin("search", *words, "--json", "--in", "elastic", *config, folder=tmp_path)
        assert here.returncode == there.returncode == 0, here.stderr + there.stderr
        # Only the index says of an alert when it came there.
        assert here.stdout == re.sub(r',"event.ingested":"[^"]*"', "", there.stdout)
        assert all(json.loads(line)["id"] for line in here.stdout.splitlines())
        assert here.stdout, words


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["source.ip: abc"], "source.ip holds addresses"),
        (["a: ("], "query:1:5: expected a value"),
        (["", "--last", "soon"], "expected a number"),
        (["", "--from", "noon"], "holds times"),
        (["", "--in", "elastic"], "elastic.urls is empty"),
    ],
)
def test_a_wrong_search_is_said_with_exit_code_2(
    words: list[str], says: str, tmp_path: Path
) -> None:
    done = opsonin("search", *words, folder=tmp_path)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_the_templates_can_be_looked_at_without_a_server(tmp_path: Path) -> None:
    done = opsonin("index", "setup", "--print", folder=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["kind"] for one in lines] == ["component_template"] * 2 + ["index_template"] * 6
    assert any("wildcard" in line for line in done.stdout.splitlines())


def test_a_server_that_is_away_is_said_with_exit_code_1(tmp_path: Path) -> None:
    config = configured(tmp_path, "http://127.0.0.1:9", "x")
    done = opsonin("index", "check", "--config", str(config), folder=tmp_path)
    assert (done.returncode, "cannot be reached" in done.stderr) == (1, True)
