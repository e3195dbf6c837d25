"""Makes Kibana's saved objects of objects.yaml: NDJSON for Stack Management > Saved Objects > Import.

    python deploy/kibana/saved_objects.py [--console https://console.example] > opsonin.ndjson
    python deploy/kibana/saved_objects.py --to https://kibana.example --user elastic --password-file FILE

Written for Kibana 8.19 and 9: each object states the lowest migration version of its form, since a newer one than Kibana's own is
refused. What Kibana keeps as JSON within strings (panels, options, formats) is encoded here, with keys in order, so that the same
description gives the same bytes. Source: Kibana's saved-object types index-pattern, search, lens, dashboard and tag, read 2026-11.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from lens import Body, kql, reference, visualization
from send import Kibana, RefusedError, send

HERE = Path(__file__).parent
DESCRIPTION = HERE / "objects.yaml"
_CORE = "8.8.0"
_FORMS = {"index-pattern": "8.0.0", "search": "8.0.0", "tag": "8.0.0", "dashboard": "8.9.0"}
_SEARCH_VIEW = "kibanaSavedObjectMeta.searchSourceJSON.index"


def objects(description: Mapping[str, Any], console: str) -> Iterator[Body]:
    """Yield every saved object of a description.

    Args:
        description: as in objects.yaml.
        console: base URL of Opsonin's console, for the links; empty: none.
    """
    tag = description["tag"]
    names = {name: tag[name] for name in ("name", "description", "color")}
    yield _object("tag", tag["id"], names, [])
    formats = {
        field: {"id": "url", "params": {"urlTemplate": f"{console.rstrip('/')}/{path}", "labelTemplate": "{{value}}"}}
        for field, path in description["links"].items()
        if console
    }  # fmt: skip
    for id, view in description["views"].items():
        yield _object("index-pattern", id, _view(view, formats), [])
    for id, search in description["searches"].items():
        references = [reference("index-pattern", search["view"], _SEARCH_VIEW), _tag(tag["id"])]
        yield _object("search", id, _search(search), references)
    for id, dashboard in description["dashboards"].items():
        attributes, references = _dashboard(dashboard)
        yield _object("dashboard", id, attributes, [*references, _tag(tag["id"])])


def lines(description: Mapping[str, Any], console: str) -> str:
    """Return the file to import."""
    return "".join(
        json.dumps(one, sort_keys=True, ensure_ascii=False) + "\n"
        for one in objects(description, console)
    )


def _object(type: str, id: str, attributes: Body, references: list[Body]) -> Body:
    return {
        "type": type,
        "id": id,
        "attributes": attributes,
        "references": references,
        "managed": False,
        "coreMigrationVersion": _CORE,
        "typeMigrationVersion": _FORMS[type],
    }


def _tag(id: str) -> Body:
    return reference("tag", id, f"tag-ref-{id}")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _view(view: Mapping[str, str], formats: Body) -> Body:
    return {
        "title": view["title"],
        "name": view["name"],
        "timeFieldName": "@timestamp",
        "allowHidden": False,
        "fields": "[]",
        "fieldAttrs": "{}",
        "fieldFormatMap": _text(formats),
        "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
    }


def _search(search: Mapping[str, Any]) -> Body:
    source = {
        "query": kql(search["query"]),
        "filter": [],
        "highlightAll": True,
        "version": True,
        "indexRefName": _SEARCH_VIEW,
    }
    return {
        "title": search["title"],
        "description": "",
        "columns": search["columns"],
        "sort": [["@timestamp", "desc"]],
        "grid": {},
        "hideChart": False,
        "isTextBasedQuery": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
    }


def _dashboard(dashboard: Mapping[str, Any]) -> tuple[Body, list[Body]]:
    panels, references = [], []
    for number, described in enumerate(dashboard["panels"], 1):
        panel, found = _panel(f"p{number}", described)
        panels.append(panel)
        references += found
    options = {
        "useMargins": True,
        "syncColors": False,
        "syncCursor": True,
        "syncTooltips": False,
        "hidePanelTitles": False,
    }
    attributes = {
        "title": dashboard["title"],
        "description": dashboard["description"],
        "timeRestore": True,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60_000},
        "optionsJSON": _text(options),
        "panelsJSON": _text(panels),
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": _text({"query": kql(""), "filter": []}),
        },
        "version": 1,
    }
    return attributes, references


def _panel(index: str, described: Mapping[str, Any]) -> tuple[Body, list[Body]]:
    """Return a panel, and what the dashboard must reference for it: by-value panels' references stand there again."""
    x, y, width, height = described["at"]
    panel: Body = {
        "panelIndex": index,
        "title": described["title"],
        "gridData": {"i": index, "x": x, "y": y, "w": width, "h": height},
    }
    if "search" in described:
        name = f"panel_{index}"
        panel |= {"type": "search", "panelRefName": name, "embeddableConfig": {"enhancements": {}}}
        return panel, [reference("search", described["search"], f"{index}:{name}")]
    attributes = visualization(described)
    config = {"enhancements": {}, "attributes": attributes}
    panel |= {"type": "lens", "embeddableConfig": config}
    return panel, [
        reference(one["type"], one["id"], f"{index}:{one['name']}")
        for one in attributes["references"]
    ]


def main() -> None:
    """Write the file to standard output, or give it to a Kibana."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--console", default="", help="base URL of the console; ids then lead there"
    )
    parser.add_argument("--to", default="", help="base URL of a Kibana; imports instead of writing")
    parser.add_argument("--user", default="", help="of Kibana")
    parser.add_argument("--password-file", type=Path, help="of that user")
    parser.add_argument("--ca", type=Path, help="authority of Kibana's certificate")
    given = parser.parse_args()
    for option, url in (("--console", given.console), ("--to", given.to)):
        if url and not url.startswith(("http://", "https://")):
            parser.error(f"{option}: expected http:// or https://")
    if bool(given.user) != bool(given.password_file):
        parser.error("--user and --password-file go together")
    text = lines(yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8")), given.console)
    if not given.to:
        sys.stdout.write(text)
        return
    try:
        count = send(text, Kibana(given.to, given.user, given.password_file, given.ca))
    except (RefusedError, OSError) as error:
        sys.exit(f"not imported: {error}")
    print(f"{count} objects imported", file=sys.stderr)


if __name__ == "__main__":
    main()
