"""A panel's description as Kibana's Lens keeps it: one layer, its columns, how they are drawn.

Source: Kibana's saved-object type lens (formBased data source), read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

_LAYER = "layer"
_LAYER_VIEW = f"indexpattern-datasource-layer-{_LAYER}"
_ROWS = 20
_SPLITS = 8

Body: TypeAlias = dict[str, Any]


def kql(query: str) -> Body:
    """Return a query as Kibana keeps it."""
    return {"query": query, "language": "kuery"}


def reference(type: str, id: str, name: str) -> Body:
    """Return a reference to another object, under the name that it is used by."""
    return {"type": type, "id": id, "name": name}


def visualization(described: Mapping[str, Any]) -> Body:
    """Return the attributes of a Lens visualization of a panel's description."""
    columns, groups, values = _columns(described)
    kind, visualization = _drawn(described["as"], groups, values)
    layer = {"columnOrder": list(columns), "columns": columns, "incompleteColumns": {}}
    return {
        "title": described["title"],
        "description": "",
        "type": "lens",
        "visualizationType": kind,
        "references": [reference("index-pattern", described["view"], _LAYER_VIEW)],
        "state": {
            "datasourceStates": {"formBased": {"layers": {_LAYER: layer}}},
            "visualization": visualization,
            "query": kql(described.get("query", "")),
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
        exists = kql(f"{field}: *")
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
            "filters": [{"label": label, "input": kql(query)} for label, query in filters.items()]
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
