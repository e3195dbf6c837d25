"""Kibana's saved objects: whole, of fields that the templates have, with queries that parse, under ids that stay.

No Kibana is at hand to import them; what is checked is what refuses or breaks an import.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from runtime.elastic.fields import find
from runtime.query.parse import parse
from runtime.query.request import request
from runtime.query.resolve import leaves, resolve

SCRIPT = Path(__file__).parents[2] / "deploy" / "kibana" / "saved_objects.py"
sys.path.append(str(SCRIPT.parent))

import saved_objects  # noqa: E402 - after the path to it
from send import Kibana, RefusedError, send  # noqa: E402

CONSOLE = "https://console.example"
COLUMNS = 48
IDS = """
opsonin-tag opsonin-all opsonin-event opsonin-alert opsonin-chain opsonin-decision opsonin-outcome opsonin-dead-letter
opsonin-search-alerts opsonin-search-chains opsonin-search-decisions opsonin-search-outcomes opsonin-search-dead-letters
opsonin-search-attestation opsonin-overview opsonin-chain-triage opsonin-enforcement opsonin-trust opsonin-ingest-health
""".split()  # noqa: SIM905 - a table
NEWEST = {"index-pattern": "8.0.0", "search": "8.0.0", "tag": "8.0.0", "dashboard": "8.9.0"}
"""Newest form of each type that Kibana 8.19 and 9.0 both take."""


DESCRIPTION = yaml.safe_load(SCRIPT.with_name("objects.yaml").read_text(encoding="utf-8"))
OBJECTS: dict[str, dict[str, Any]] = {
    one["id"]: one
    for one in map(json.loads, saved_objects.lines(DESCRIPTION, CONSOLE).splitlines())
}


def of_type(type: str) -> list[dict[str, Any]]:
    return [one for one in OBJECTS.values() if one["type"] == type]


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(dashboard["attributes"]["panelsJSON"])
    return found


def visualizations() -> Iterator[tuple[str, dict[str, Any]]]:
    for dashboard in of_type("dashboard"):
        for panel in panels(dashboard):
            if panel["type"] == "lens":
                name = f"{dashboard['id']}: {panel['title']}"
                yield name, panel["embeddableConfig"]["attributes"]


VISUALIZATIONS = dict(visualizations())


def layer(attributes: dict[str, Any]) -> dict[str, Any]:
    (found,) = attributes["state"]["datasourceStates"]["formBased"]["layers"].values()
    assert isinstance(found, dict)
    return found


def queries(value: Any) -> Iterator[str]:
    """Yield every KQL text anywhere in an object, JSON within strings included."""
    if isinstance(value, dict):
        if value.get("language") == "kuery":
            yield value["query"]
        for one in value.values():
            yield from queries(one)
    elif isinstance(value, list):
        for one in value:
            yield from queries(one)
    elif isinstance(value, str) and value.startswith(('{"', "[{")):
        yield from queries(json.loads(value))


def test_ids_are_these_and_stay() -> None:
    assert list(OBJECTS) == IDS, "an id that changes breaks bookmarks; a new one is added here"


def test_every_reference_is_in_the_file_under_a_name_of_its_own() -> None:
    for one in OBJECTS.values():
        names = [reference["name"] for reference in one["references"]]
        assert len(names) == len(set(names)), one["id"]
        for reference in one["references"]:
            assert OBJECTS[reference["id"]]["type"] == reference["type"]


def test_no_form_is_newer_than_the_oldest_kibana_takes() -> None:
    for one in OBJECTS.values():
        assert one["typeMigrationVersion"] == NEWEST[one["type"]]
        assert one["coreMigrationVersion"] == "8.8.0"
        assert re.fullmatch(r"[a-z][a-z0-9-]+", one["id"])


def test_every_query_parses_and_asks_for_fields_that_the_templates_have() -> None:
    texts = {text for one in OBJECTS.values() for text in queries(one)}
    assert len(texts) > 20
    for text in texts:
        request(text, "event", 0)
        assert all(find(leaf.field) for leaf in leaves(parse(text))), text
        assert not any(one.at_runtime for one in resolve(parse(text)).known.values())


def test_every_column_of_a_search_is_a_field() -> None:
    for search in of_type("search"):
        names = [
            *search["attributes"]["columns"],
            *(one[0] for one in search["attributes"]["sort"]),
        ]
        assert all(find(name) for name in names), search["id"]
        source = json.loads(search["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        assert source["indexRefName"] in {one["name"] for one in search["references"]}


def test_links_lead_from_fields_to_the_console_by_their_own_value() -> None:
    for view in of_type("index-pattern"):
        formats = json.loads(view["attributes"]["fieldFormatMap"])
        assert formats
        for field, form in formats.items():
            assert find(field)
            url = form["params"]["urlTemplate"]
            assert url.startswith(f"{CONSOLE}/")
            assert re.findall(r"{{(.*?)}}", url) == ["value"]


def test_without_a_console_there_are_no_links() -> None:
    bare = map(json.loads, saved_objects.lines(DESCRIPTION, "").splitlines())
    assert {
        one["attributes"]["fieldFormatMap"] for one in bare if one["type"] == "index-pattern"
    } == {"{}"}


def test_views_cover_the_indices_of_the_templates() -> None:
    titles = {one["attributes"]["title"] for one in of_type("index-pattern")}
    kinds = ("event", "alert", "chain", "decision", "outcome", "dead_letter")
    assert titles == {"logs-opsonin.*", *(f"logs-opsonin.{kind}-*" for kind in kinds)}
    assert all(one["attributes"]["timeFieldName"] == "@timestamp" for one in of_type("index-pattern"))  # fmt: skip


@pytest.mark.parametrize("name", VISUALIZATIONS)
def test_a_visualization_is_of_its_own_columns_and_of_fields_that_can_be_counted(name: str) -> None:
    attributes = VISUALIZATIONS[name]
    found = layer(attributes)
    assert found["columnOrder"] == list(found["columns"])
    for column in found["columns"].values():
        field = column.get("sourceField", "___records___")
        if field != "___records___":
            known = find(field)
            assert known, field
            assert column["operationType"] != "terms" or "text" not in known.type
            if column["operationType"] in {"average", "median"}:
                assert known.type in {"long", "float"}
        order = column.get("params", {}).get("orderBy")
        assert not order or order["columnId"] in found["columns"]
        assert column["label"]
    mentioned = set(re.findall(r'"(v\d|g\d|split|time|filters)"', json.dumps(attributes["state"]["visualization"])))  # fmt: skip
    assert mentioned == set(found["columns"])
    buckets = [one["isBucketed"] for one in found["columns"].values()]
    assert buckets == sorted(buckets, reverse=True), "groups come before values"


def test_panels_lie_on_the_grid_without_overlap_and_hoist_their_references() -> None:
    for dashboard in of_type("dashboard"):
        names = {one["name"] for one in dashboard["references"]}
        taken: set[tuple[int, int]] = set()
        for panel in panels(dashboard):
            grid = panel["gridData"]
            assert grid["i"] == panel["panelIndex"]
            assert grid["x"] + grid["w"] <= COLUMNS
            cells = {
                (x, y)
                for x in range(grid["x"], grid["x"] + grid["w"])
                for y in range(grid["y"], grid["y"] + grid["h"])
            }
            assert not cells & taken, f"{dashboard['id']}: {panel['title']}"
            taken |= cells
            wanted = [panel["panelRefName"]] if panel["type"] == "search" else [one["name"] for one in panel["embeddableConfig"]["attributes"]["references"]]  # fmt: skip
            assert {f"{panel['panelIndex']}:{name}" for name in wanted} <= names


def test_the_script_writes_the_same_bytes_each_time_and_refuses_a_strange_address() -> None:
    words = [sys.executable, str(SCRIPT)]
    first, second = (
        subprocess.run([*words, "--console", CONSOLE], capture_output=True, check=True).stdout
        for _ in range(2)
    )
    assert first == second == saved_objects.lines(DESCRIPTION, CONSOLE).encode()
    refused = subprocess.run(
        [*words, "--console", "javascript:x"], capture_output=True, check=False
    )
    assert refused.returncode == 2


class _Taken(BaseHTTPRequestHandler):
    """Answers as Kibana's import does, and keeps what it was asked."""

    answer: ClassVar[tuple[int, dict[str, Any]]]
    asked: ClassVar[list[tuple[str, Message, bytes]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, self.headers, body))
        status, answer = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def kibana() -> Iterator[str]:
    _Taken.asked = []
    with HTTPServer(("127.0.0.1", 0), _Taken) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_objects_are_imported_as_a_form_with_a_file(kibana: str, tmp_path: Path) -> None:
    _Taken.answer = 200, {"success": True, "successCount": len(IDS)}
    password = tmp_path / "password"
    password.write_text("secret\n")
    words = ["--console", CONSOLE, "--to", f"{kibana}/s/soc", "--user", "elastic", "--password-file", str(password)]  # fmt: skip
    done = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"19 objects imported" in done.stderr
    ((path, headers, body),) = _Taken.asked
    assert path == "/s/soc/api/saved_objects/_import?overwrite=true"
    assert headers["kbn-xsrf"]
    assert headers["Authorization"] == "Basic ZWxhc3RpYzpzZWNyZXQ="
    head = b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n"
    parts = message_from_bytes(head + body).get_payload()
    assert isinstance(parts, list)
    (part,) = parts
    assert isinstance(part, Message)
    assert part.get_filename() == "opsonin.ndjson"
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode().strip() == saved_objects.lines(DESCRIPTION, CONSOLE).strip()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {"message": "Unauthorized"}), "401"),
        ((200, {"success": False, "errors": [{"type": "lens", "id": "x", "error": {"type": "conflict"}}]}), "lens x: .*conflict"),
    ],
)  # fmt: skip
def test_what_kibana_refuses_is_told(
    kibana: str, answer: tuple[int, dict[str, Any]], said: str
) -> None:
    _Taken.answer = answer
    with pytest.raises(RefusedError, match=said):
        send("{}\n", Kibana(kibana))


def test_a_kibana_that_is_not_there_is_told() -> None:
    with pytest.raises(RefusedError, match="refused"):
        send("{}\n", Kibana("http://127.0.0.1:9"))
