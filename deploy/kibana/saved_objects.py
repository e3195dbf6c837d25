"""Makes Kibana's saved objects of objects.yaml: NDJSON for Stack Management > Saved Objects > Import.

    python deploy/kibana/saved_objects.py [--console https://console.example] > opsonin.ndjson

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
from typing import Any, TypeAlias

import yaml

HERE = Path(__file__).parent
DESCRIPTION = HERE / "objects.yaml"
_CORE = "8.8.0"
_FORMS = {"index-pattern": "8.0.0", "search": "8.0.0", "tag": "8.0.0", "dashboard": "8.9.0"}
_LAYER = "layer"
_LAYER_VIEW = f"indexpattern-datasource-layer-{_LAYER}"
_SEARCH_VIEW = "kibanaSavedObjectMeta.searchSourceJSON.index"
_ROWS = 20
_SPLITS = 8

Body: TypeAlias = dict[str, Any]


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
        references = [_reference("index-pattern", search["view"], _SEARCH_VIEW), _tag(tag["id"])]
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


def _reference(type: str, id: str, name: str) -> Body:
    return {"type": type, "id": id, "name": name}


def _tag(id: str) -> Body:
    return _reference("tag", id, f"tag-ref-{id}")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _kql(query: str) -> Body:
    return {"query": query, "language": "kuery"}


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
        "query": _kql(search["query"]),
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
            "searchSourceJSON": _text({"query": _kql(""), "filter": []}),
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
        return panel, [_reference("search", described["search"], f"{index}:{name}")]
    attributes = _lens(described)
    config = {"enhancements": {}, "attributes": attributes}
    panel |= {"type": "lens", "embeddableConfig": config}
    return panel, [
        _reference(one["type"], one["id"], f"{index}:{one['name']}")
        for one in attributes["references"]
    ]


def _lens(described: Mapping[str, Any]) -> Body:
    columns, groups, values = _columns(described)
    kind, visualization = _drawn(described["as"], groups, values)
    layer = {"columnOrder": list(columns), "columns": columns, "incompleteColumns": {}}
    return {
        "title": described["title"],
        "description": "",
        "type": "lens",
        "visualizationType": kind,
        "references": [_reference("index-pattern", described["view"], _LAYER_VIEW)],
        "state": {
            "datasourceStates": {"formBased": {"layers": {_LAYER: layer}}},
            "visualization": visualization,
            "query": _kql(described.get("query", "")),
            "filters": [],
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }


def _columns(described: Mapping[str, Any]) -> tuple[dict[str, Body], list[str], list[str]]:
    """Return all columns in Kibana's order (groups first), and the names of groups and of values."""
    said = described.get("values") or [described["value"]]
    values = {f"v{number}": _value(one) for number, one in enumerate(said, 1)}
    order = next(name for name, one in values.items() if one["operationType"] != "last_value")
    groups: dict[str, Body] = {}
    if "split" in described:
        groups["split"] = _terms(described["split"], order, _SPLITS)
    if described["as"] == "timeline":
        groups["time"] = _timeline()
    if "filters" in described:
        groups["filters"] = _filters(described["filters"])
    for number, field in enumerate(described.get("by", ()), 1):
        groups[f"g{number}"] = _terms(field, order, _ROWS)
    return {**groups, **values}, list(groups), list(values)


def _value(said: str) -> Body:
    """Return a value column: `count`, or an operation and a field."""
    operation, _, field = said.partition(" ")
    column: Body = {"isBucketed": False, "scale": "ratio", "dataType": "number"}
    if operation == "count":
        return column | {
            "label": "Count",
            "operationType": "count",
            "sourceField": "___records___",
            "params": {"emptyAsNull": True},
        }
    column |= {"label": field, "customLabel": True, "sourceField": field}
    is_time = field in {"@timestamp", "opsonin.expires"}
    if operation == "last" and not is_time:
        last = {"sortField": "@timestamp", "showArrayValues": True}
        exists = _kql(f"{field}: *")
        return column | {"operationType": "last_value", "dataType": "string", "scale": "ordinal", "params": last, "filter": exists}  # fmt: skip
    operation = "max" if operation == "last" else operation
    return column | {
        "operationType": operation,
        "dataType": "date" if is_time else "number",
        "params": {"emptyAsNull": True},
    }


def _terms(field: str, order: str, size: int) -> Body:
    return {
        "label": field,
        "customLabel": True,
        "dataType": "ip" if field.endswith(".ip") else "string",
        "operationType": "terms",
        "scale": "ordinal",
        "sourceField": field,
        "isBucketed": True,
        "params": {
            "size": size,
            "orderBy": {"type": "column", "columnId": order},
            "orderDirection": "desc",
            "otherBucket": False,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
        },
    }


def _timeline() -> Body:
    return {
        "label": "@timestamp",
        "dataType": "date",
        "operationType": "date_histogram",
        "scale": "interval",
        "sourceField": "@timestamp",
        "isBucketed": True,
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def _filters(filters: Mapping[str, str]) -> Body:
    return {
        "label": "Filters",
        "dataType": "string",
        "operationType": "filters",
        "scale": "ordinal",
        "isBucketed": True,
        "params": {
            "filters": [{"label": label, "input": _kql(query)} for label, query in filters.items()]
        },
    }


def _drawn(kind: str, groups: list[str], values: list[str]) -> tuple[str, Body]:
    """Return Lens's name of a visualization and its state."""
    layer = {"layerId": _LAYER, "layerType": "data"}
    if kind == "metric":
        return "lnsMetric", layer | {"metricAccessor": values[0]}
    if kind == "table":
        return "lnsDatatable", layer | {
            "columns": [{"columnId": name} for name in (*groups, *values)]
        }
    if kind == "donut":
        slices = {
            "primaryGroups": groups,
            "metrics": values,
            "numberDisplay": "percent",
            "categoryDisplay": "default",
            "legendDisplay": "default",
        }
        return "lnsPie", {"shape": "donut", "layers": [layer | slices]}
    is_time = kind == "timeline"
    series = "bar_stacked" if is_time else "bar_horizontal"
    axes: Body = {"seriesType": series, "accessors": values, "xAccessor": "time" if is_time else groups[0]}  # fmt: skip
    if "split" in groups:
        axes["splitAccessor"] = "split"
    return "lnsXY", {
        "legend": {"isVisible": is_time, "position": "right"},
        "valueLabels": "hide",
        "preferredSeriesType": series,
        "layers": [layer | axes],
    }


def main() -> None:
    """Write the file to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--console", default="", help="base URL of the console; ids then lead there"
    )
    console = parser.parse_args().console
    if console and not console.startswith(("http://", "https://")):
        parser.error("--console: expected http:// or https://")
    sys.stdout.write(lines(yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8")), console))


if __name__ == "__main__":
    main()
