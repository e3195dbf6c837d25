"""Chains as text, pictures and exports, with values as attackers write them."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from console.chain_graph import MAX_MERMAID
from console.chain_view import FORMATS, render
from contract.records import Alert, Chain, Level, Link, Rule
from correlate.chain.entities import entities_of, entity
from correlate.chain.why import exceptions, expected, holders, left_out, without
from correlate.link import link
from tests.correlate.at_once import at_once

_SVG = "{http://www.w3.org/2000/svg}"
START = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMAS = Path(__file__).parents[2] / "../shared/specs/attack_flow/stix"
NASTY = 'x"];<script>alert(1)</script>|`\\ \x1b[31m\u202e#"--> y\n# Forged\u2028- line'


def alert(
    id: str, name: str, at: float, fields: dict[str, Any], stage: tuple[str, str] | None = None,
    level: Level = "high",
) -> Alert:  # fmt: skip
    time = START + timedelta(seconds=at)
    return Alert(
        id=id, revision=1, rule=Rule(id=f"rule-{id}", name=name, level=level), time=time, last=time,
        events=(f"e-{id}",), event_count=1, entities=entities_of(fields), fields=fields,
        tactics=stage[:1] if stage else (), techniques=stage[1:] if stage else (),
    )  # fmt: skip


def peers(source: str, target: str) -> dict[str, Any]:
    return {"source.ip": source, "destination.ip": target}


ALERTS = [
    alert("a", NASTY, 0, peers("203.0.113.7", "10.0.0.5"), ("reconnaissance", "T1595.001")),
    alert("b", "Exploit", 20, peers("203.0.113.7", "10.0.0.5"), ("initial-access", "T1190")),
    alert("c", "Moves on", 90, peers("10.0.0.5", "10.0.0.6"), ("lateral-movement", "T1021.004")),
    alert("d", "Odd", 95, {"host.name": "web", "source.ip": "10.0.0.5"}),
]


def linked(alerts: list[Alert]) -> Chain:
    logic = link().open("default", {})
    chains = [one for item in alerts for one in at_once(logic, item) if isinstance(one, Chain)]
    return chains[-1]


CHAIN = linked(ALERTS)
BY_ID = {one.id: one for one in ALERTS}


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_tells_every_alert_and_no_control_character(form: str) -> None:
    said = render(CHAIN, BY_ID, form)
    assert said.endswith("\n")
    assert "Exploit" in said or "T1190" in said
    assert "\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_stands_without_the_alerts_themselves(form: str) -> None:
    assert render(CHAIN, {}, form)


def test_text_tells_links_losses_and_what_comes_next() -> None:
    said = render(CHAIN, BY_ID, "text")
    assert "203.0.113.7 is the source of both" in said
    assert "without it: falls into" in said
    assert "Expected next" in said
    assert "collection" in said


def test_svg_is_well_formed_and_holds_no_script() -> None:
    tree = ET.fromstring(render(CHAIN, BY_ID, "svg"))  # noqa: S314 - our own output
    names = {one.tag.rpartition("}")[2] for one in tree.iter()}
    assert "script" not in names
    assert len(tree.findall(".//{http://www.w3.org/2000/svg}rect")) == len(CHAIN.alerts)


def test_dot_keeps_quotes_inside_labels() -> None:
    said = render(CHAIN, BY_ID, "dot")
    assert 'x\\"];' in said
    assert said.count(" -> ") >= len(CHAIN.alerts) - 1


def test_mermaid_leaves_no_syntax_in_labels() -> None:
    line = next(
        one for one in render(CHAIN, BY_ID, "mermaid").splitlines() if one.startswith("  n0[")
    )
    inner = line.partition('["')[2].rpartition('"]')[0].replace("<br/>", "")
    assert not set(inner) & set('"<>[]{}|`')


def test_markdown_escapes_markup() -> None:
    assert "<script>" not in render(CHAIN, BY_ID, "markdown").partition("```mermaid")[0]
    assert "\\<script>" in render(CHAIN, BY_ID, "markdown")


@pytest.mark.parametrize("form", ["text", "markdown", "dot", "mermaid"])
def test_no_value_begins_a_line_of_its_own(form: str) -> None:
    nasty = alert("e", "Odd", 99, {"host.name": "web", "source.ip": "10.0.0.5", "url.full": NASTY})
    links = [one.model_copy(update={"evidence": NASTY}) for one in CHAIN.links]
    chain = linked([*ALERTS, nasty]).model_copy(update={"links": tuple(links)})
    left = left_out(CHAIN, BY_ID, [alert("z", NASTY, 30, peers("198.51.100.9", "10.0.0.5"))])
    assert NASTY.partition("\n")[0] in {one.value.partition("\n")[0] for one in chain.entities}
    for line in render(chain, BY_ID, form, left).split("\n"):
        assert not line.startswith(("# Forged", "- line"))
        assert all(c.isprintable() for c in line)


def test_markdown_fences_backticks_of_an_entity() -> None:
    fields = {"host.name": "web", "source.ip": "10.0.0.5", "url.full": "http://a/``<img src=x>`"}
    said = render(linked([*ALERTS, alert("e", "Odd", 99, fields)]), BY_ID, "markdown")
    assert "- url ``` http://a/``<img src=x>` ``` (object)" in said.splitlines()


def test_times_bear_their_day_where_a_chain_lasts_for_several() -> None:
    assert "└ [address] 00:00:20 Exploit" in render(CHAIN, BY_ID, "text")
    longer = CHAIN.model_copy(update={"last": START + timedelta(days=1)})
    assert "└ [address] 01-01 00:00:20 Exploit" in render(longer, BY_ID, "text")


def test_a_step_whose_technique_an_earlier_one_showed_stands_in_its_tactic_s_column() -> None:
    again = alert("e", "Again", 99, peers("203.0.113.7", "10.0.0.5"), ("initial-access", "T1190"))
    said = ET.fromstring(render(linked([*ALERTS, again]), {**BY_ID, "e": again}, "svg"))  # noqa: S314 - our own output
    columns = {
        (one.findtext(f"{_SVG}title") or "").partition(":")[0]: one.find(f"{_SVG}rect").attrib["x"]  # type: ignore[union-attr]
        for one in said.iter(f"{_SVG}g")
        if one.find(f"{_SVG}rect") is not None
    }
    assert columns["Again"] == columns["Exploit"] != columns["Odd"]


def test_no_arrow_crosses_a_step() -> None:
    """A row holds one step, a gap between columns none: arrows keep to their own rows and to gaps."""
    tree = ET.fromstring(render(CHAIN, BY_ID, "svg"))  # noqa: S314 - our own output
    boxes = [
        tuple(int(one.attrib[name]) for name in ("x", "y", "width", "height"))
        for one in tree.iter(f"{_SVG}rect")
    ]
    paths = [one.attrib["d"] for one in tree.iter(f"{_SVG}path") if "data-edge" in one.attrib]
    assert len(paths) == len([one for one in CHAIN.links if one.edge != "repeat"])
    for path in paths:
        x, y, turn, to_y, to_x = map(int, re.findall(r"\d+", path))
        for left, top, wide, high in boxes:
            assert not (left < turn < left + wide)
            for row, ends in ((y, (x, turn)), (to_y, (turn, to_x))):
                if top < row < top + high:
                    assert max(ends) <= left or min(ends) >= left + wide


def test_a_long_chain_s_mermaid_text_stays_within_what_a_page_draws() -> None:
    many = [
        alert(f"m{number:03}", NASTY * 4, number, peers("203.0.113.7", f"10.0.0.{number % 250}"), ("reconnaissance", "T1595.001"))
        for number in range(400)
    ]  # fmt: skip
    ids = tuple(one.id for one in many)
    links = tuple(
        Link(from_=one, to=two, edge="address", weight=0.8, evidence="x") for one, two in pairwise(ids)
    )  # fmt: skip
    chain = CHAIN.model_copy(update={"alerts": ids, "links": links})
    said = render(chain, {one.id: one for one in many}, "mermaid")
    drawn = said.count(":::high")
    assert len(said) < MAX_MERMAID + 1_000
    assert 20 < drawn < 400
    assert f'more["and {400 - drawn} later steps"]' in said
    assert "later steps" not in render(CHAIN, BY_ID, "mermaid")


def test_evidence_of_a_chain_on_one_host_does_not_repeat_its_name() -> None:
    alerts = [
        alert(id, id, at, {"host.name": "web", "process.entity_id": "p1"}, ("execution", "T1059"))
        for at, id in enumerate("xy")
    ]
    named = {one.id: one for one in alerts}
    chain = linked(alerts)
    assert "process web|p1 is in both" in chain.links[0].evidence
    for form in ("text", "markdown"):
        assert "process p1 is in both" in render(chain, named, form)
    more = chain.model_copy(update={"entities": (*chain.entities, entity("host", "db", "target"))})
    assert "process web|p1 is in both" in render(more, named, "text")


def test_what_comes_next_is_unknown_without_a_technique() -> None:
    bare = CHAIN.model_copy(update={"stages": ()})
    assert "unknown, since no alert names a technique" in render(bare, BY_ID, "text")


def test_navigator_layer_marks_each_technique_under_its_tactic() -> None:
    layer = json.loads(render(CHAIN, BY_ID, "navigator"))
    assert layer["domain"] == "enterprise-attack"
    assert layer["versions"]["layer"] == "4.5"
    assert layer["layout"]["expandedSubtechniques"] == "annotated", "else T1595.001 is hidden"
    assert layer["gradient"]["maxValue"] > layer["gradient"]["minValue"]
    assert {(one["techniqueID"], one["tactic"]) for one in layer["techniques"]} == {
        ("T1595.001", "reconnaissance"),
        ("T1190", "initial-access"),
        ("T1021.004", "lateral-movement"),
    }


def test_attack_flow_is_the_same_bundle_each_time_and_follows_the_links() -> None:
    said = render(CHAIN, BY_ID, "attack-flow")
    assert said == render(CHAIN, BY_ID, "attack-flow")
    objects = json.loads(said)["objects"]
    actions = {one["id"]: one for one in objects if one["type"] == "attack-action"}
    (flow,) = [one for one in objects if one["type"] == "attack-flow"]
    assert {actions[one]["technique_id"] for one in flow["start_refs"]} == {"T1595.001"}
    between = {one["id"]: one for one in objects if one["type"] == "attack-condition"}
    assert any("is the source of both" in one["description"] for one in between.values())
    leads = {ref for one in actions.values() for ref in one.get("effect_refs", ())}
    assert leads == set(between), "nothing follows but for a reason"
    assert all(ref in actions for one in between.values() for ref in one["on_true_refs"])
    assert {one["name"] for one in objects if one["type"] == "attack-asset"} == {
        "10.0.0.5",
        "10.0.0.6",
        "web",
    }


def test_medium_links_meet_in_an_and_before_what_they_join_together() -> None:
    links = [
        Link(from_="a", to="b", edge="file", weight=0.6, evidence="file x was touched by both"),
        Link(from_="a", to="b", edge="domain", weight=0.5, evidence="name y is in both"),
    ]
    two = CHAIN.model_copy(
        update={"alerts": ("a", "b"), "links": tuple(links), "stages": CHAIN.stages[:2]}
    )
    objects = {one["id"]: one for one in json.loads(render(two, BY_ID, "attack-flow"))["objects"]}
    (operator,) = [one for one in objects.values() if one["type"] == "attack-operator"]
    conditions = [one for one in objects.values() if one["type"] == "attack-condition"]
    assert [one["on_true_refs"] for one in conditions] == [[operator["id"]]] * 2
    assert operator["operator"] == "AND"
    assert [objects[one]["technique_id"] for one in operator["effect_refs"]] == ["T1190"]
    assert "[file + domain]" in render(two, BY_ID, "text")


def test_tree_is_one_from_the_earliest_alert_on_though_two_earlier_ones_lead_to_a_later() -> None:
    links = [
        Link(from_="a", to="c", edge="process", weight=1.0, evidence="one"),
        Link(from_="b", to="c", edge="session", weight=0.9, evidence="two"),
    ]
    three = CHAIN.model_copy(update={"alerts": ("a", "b", "c"), "links": tuple(links)})
    said = render(three, BY_ID, "text")
    tree = said[said.index("Tree") : said.index("Links,")].splitlines()[1:4]
    assert [len(line) - len(line.lstrip()) for line in tree] == [2, 4, 6]
    assert "[session] 00:00:20 Exploit" in tree[2]


@pytest.mark.shared
def test_attack_flow_is_valid_by_the_public_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    if not SCHEMAS.is_dir():
        pytest.skip("the public schema is not beside the checkout")
    resources = []
    for path in SCHEMAS.rglob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        if "$schema" in schema:
            # The files name their dialect by an address that the library does not know.
            schema = {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"}
            resource = referencing.Resource.from_contents(schema)
            resources.append((schema.get("$id", path.name), resource))
            inner = path.relative_to(SCHEMAS).as_posix().removeprefix("oasis-open/")
            resources += [(f"{base}/{inner}", resource) for base in _BASES]
    registry = referencing.Registry().with_resources(resources)
    main = json.loads((SCHEMAS / "attack-flow-schema-2.0.0.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(main, registry=registry)
    objects = json.loads(render(CHAIN, BY_ID, "attack-flow"))["objects"]
    own = [one for one in objects if one["type"].startswith("attack-")]
    assert len(own) > len(CHAIN.alerts)
    for one in own:
        assert list(validator.iter_errors(one)) == []
    broken = {**own[0], "scope": "no such scope"}
    assert list(validator.iter_errors(broken))


_BASES = (
    "http://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/stix2.1/schemas",
    "https://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/stix2.1/schemas",
    "https://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/master/schemas",
    "http://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/master/schemas",
)


# ------------------------------------------------------------------ why


def test_without_its_only_link_an_alert_stands_alone() -> None:
    first = next(one for one in CHAIN.links if one.to == "b")
    parts = without(CHAIN, first)
    assert sorted(alert for part in parts for alert in part) == sorted(CHAIN.alerts)
    assert len(parts) > 1


def test_stage_that_came_before_its_tactic_is_an_exception() -> None:
    late_scan = [
        alert("a", "Exploit", 0, peers("203.0.113.7", "10.0.0.5"), ("initial-access", "T1190")),
        alert("b", "Scan", 50, peers("203.0.113.7", "10.0.0.5"), ("reconnaissance", "T1595")),
    ]
    ((stage, earlier),) = exceptions(linked(late_scan))
    assert (stage.tactic, earlier.tactic) == ("initial-access", "reconnaissance")
    assert exceptions(CHAIN) == []


def test_what_usually_follows_is_expected_and_what_was_shown_is_not() -> None:
    coming = expected(CHAIN)
    assert coming[:2] == ["collection", "execution"] or coming[:2] == ["execution", "collection"]
    assert "initial-access" not in coming


def test_alert_on_the_same_target_from_elsewhere_is_left_out_with_a_reason() -> None:
    other = alert("z", "Other", 30, peers("198.51.100.9", "10.0.0.5"))
    far = alert("y", "Far", 30, peers("198.51.100.9", "10.0.0.99"))
    (one,) = left_out(CHAIN, BY_ID, [other, far])
    assert one.alert.id == "z"
    assert "10.0.0.5" in one.reason
    assert "Other" in render(CHAIN, BY_ID, "text", [one])


def test_a_left_out_alert_names_the_chain_that_holds_it() -> None:
    said = [
        alert(id, "Blind", at, {"host.name": "web"})
        for id, at in (("z1", 30), ("z2", 40), ("z3", 50))
    ]
    other = CHAIN.model_copy(update={"id": "0ther", "alerts": ("z2", "z9")})
    left = left_out(CHAIN, BY_ID, said, None, partial(holders, [CHAIN, other]))
    assert {one.alert.id: one.holder for one in left} == {"z1": "", "z2": "0ther", "z3": ""}
    for form in ("text", "markdown"):
        lines = [one for one in render(CHAIN, BY_ID, form, left).splitlines() if "Blind" in one]
        assert [one.endswith("; held by chain 0ther") for one in lines].count(True) == 1
        assert len(lines) == 3, "each is of another rule"


def test_left_out_alerts_say_what_kept_each_out_and_are_told_once_with_their_number() -> None:
    said = [
        alert("z1", "Other", 30, {"host.name": "web", "process.entity_id": "p9"}),
        alert("z2", "Late", 13 * 3_600, peers("203.0.113.7", "10.0.0.77")),
        alert("z3", "Blind", 40, {"host.name": "web"}),
        alert("z4", "Blind", 50, {"host.name": "web"}).model_copy(update={"rule": Rule(id="rule-z3", name="Blind", level="high")}),
    ]  # fmt: skip
    reasons = {one.alert.id: one.reason for one in left_out(CHAIN, BY_ID, said)}
    assert reasons["z1"] == "shares only host web, which supports a join and makes none"
    assert (
        reasons["z2"]
        == "shares ip 203.0.113.7, but too long before or after, or in the wrong order"
    )
    assert reasons["z3"] == reasons["z4"]
    assert "could join as an unusual coincidence" in reasons["z3"]
    (line,) = [
        one
        for one in render(CHAIN, BY_ID, "text", left_out(CHAIN, BY_ID, said)).splitlines()
        if "Blind" in one
    ]
    assert "(and 1 more)" in line
