"""Windows events in the shapes that readers give them, and nested events in general."""

from typing import Any

import pytest

from correlate.sigma.view import dotted, flat
from tests.correlate.sigma.making import hits, loaded, rule

ATTRIBUTES = {
    "Event": {
        "#attributes": {"xmlns": "x"},
        "System": {
            "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon", "Guid": "1"}},
            "EventID": 1,
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Computer": "pc",
            "Correlation": None,
            "Execution": {"#attributes": {"ProcessID": 3, "ThreadID": 4}},
        },
        "EventData": {"Image": "C:\\a.exe", "Threat Name": "t"},
    }
}
AT_SIGNS = {
    "Event": {
        "System": {
            "Provider": {"@Name": "Microsoft-Windows-Sysmon"},
            "EventID": {"#text": "1", "@Qualifiers": "0"},
            "Channel": "Microsoft-Windows-Sysmon/Operational",
        },
        "EventData": {"Data": [{"@Name": "Image", "#text": "C:\\a.exe"}, {"@Name": "User"}]},
    }
}
BESIDE = {
    "Event": {
        "System": {
            "Provider_attributes": {"Name": "Microsoft-Windows-Sysmon"},
            "EventID": 1,
            "EventID_attributes": {"Qualifiers": 0},
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Execution_attributes": {"ProcessID": 3},
        },
        "EventData": {"Data": [{"$": {"Name": "Image"}, "_": "C:\\a.exe"}]},
    }
}
TOP_LEVEL = {
    "System": {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational"},
    "EventData": {"Image": "C:\\a.exe"},
}
NXLOG = {
    "SourceName": "Microsoft-Windows-Sysmon", "EventID": 1, "Hostname": "pc",
    "Channel": "Microsoft-Windows-Sysmon/Operational", "Image": "C:\\a.exe",
}  # fmt: skip
WINLOGBEAT = {
    "winlog": {
        "channel": "Microsoft-Windows-Sysmon/Operational", "event_id": "1", "computer_name": "pc",
        "provider_name": "Microsoft-Windows-Sysmon", "event_data": {"Image": "C:\\a.exe"},
    },
    "event": {"code": "1"},
}  # fmt: skip
ECS = {
    "winlog.channel": "Microsoft-Windows-Sysmon/Operational", "event.code": "1",
    "winlog.event_data.Image": "C:\\a.exe", "winlog.computer_name": "pc",
}  # fmt: skip
SHAPES = {
    "attributes": ATTRIBUTES, "at signs": AT_SIGNS, "attributes beside": BESIDE, "top level": TOP_LEVEL, "nxlog": NXLOG,
    "winlogbeat": WINLOGBEAT, "ecs": ECS,
}  # fmt: skip


@pytest.mark.parametrize("event", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize(
    "source",
    ["product: windows", "category: process_creation, product: windows", "product: windows, service: sysmon",
     "category: process_creation"],
)  # fmt: skip
def test_every_shape_is_routed_and_its_fields_found(event: dict[str, Any], source: str) -> None:
    rules = loaded(
        rule("s: {Image|endswith: '\\a.exe', EventID: 1}", source=source, id="fits"),
        rule(
            "s: {Image|endswith: '\\a.exe'}",
            source="product: windows, service: security",
            id="other",
        ),
    )
    assert hits(rules, event) == [["fits"]]


def test_system_attributes_are_linked_with_an_underscore() -> None:
    seen = flat(ATTRIBUTES)
    assert (seen["Provider_Name"], seen["Execution_ProcessID"]) == ("Microsoft-Windows-Sysmon", 3)


def test_spaces_of_names_are_stripped_beside_the_name_as_it_is() -> None:
    seen = flat(ATTRIBUTES)
    assert seen["ThreatName"] == seen["Threat Name"] == "t"


def test_user_data_are_read_below_their_wrapper() -> None:
    event = {"Event": {"System": {"EventID": 1}, "UserData": {"EventXML": {"Param1": "x"}}}}
    assert flat(event)["Param1"] == "x"


def test_winlogbeat_s_user_data_are_named_as_event_data() -> None:
    rules = loaded(
        rule("s: {Param1: x, Param2: null}", source="product: windows, service: applocker")
    )
    event: dict[str, Any] = {
        "winlog": {
            "channel": "Microsoft-Windows-AppLocker/EXE and DLL",
            "user_data": {"Param1": "X", "xml_name": "EventXML"},
        },
        "event": {"code": "8004"},
    }
    assert hits(rules, event) == [["r"]]
    event["winlog"] |= {"event_data": {"Param1": "its own"}}
    assert hits(rules, event) == [[]]


def test_attributes_beside_their_tag_are_linked_with_an_underscore() -> None:
    made = flat(BESIDE)
    assert (made["Execution_ProcessID"], made["EventID"], made["EventID_Qualifiers"]) == (3, 1, 0)


def test_unnamed_data_become_one_field() -> None:
    event = {"Event": {"System": {"EventID": 1}, "EventData": {"Data": ["a", "b"]}}}
    assert flat(event)["Data"] == ["a", "b"]


def test_flat_event_stays_the_same_object() -> None:
    event = {"a.b": 1, "c": "x"}
    assert flat(event) is event


def test_own_dotted_name_wins_over_nesting() -> None:
    assert dotted({"a.b": 1, "a": {"b": 2}})["a.b"] == 1


def test_objects_of_a_list_make_a_field_multi_valued() -> None:
    assert dotted({"a": [{"b": 1}, {"b": 2}, {"b": 3}]})["a.b"] == [1, 2, 3]


def test_deep_nesting_is_bounded() -> None:
    event: dict[str, Any] = {"x": 1}
    for _ in range(300):
        event = {"a": event}
    assert len(dotted(event)) < 40


def test_audit_log_of_process_creation_is_read_by_its_own_names() -> None:
    rules = loaded(
        rule("s: {Image|endswith: a.exe, ParentImage: p, IntegrityLevel: h}",
             source="category: process_creation, product: windows")
    )  # fmt: skip
    event: dict[str, Any] = {
        "Channel": "Security", "EventID": 4688, "NewProcessName": "C:\\a.exe", "ParentProcessName": "p",
        "MandatoryLabel": "h",
    }  # fmt: skip
    assert hits(rules, event) == [["r"]]


def test_event_of_unknown_origin_is_tried_on_every_rule() -> None:
    rules = loaded(rule("s: {A: x}", source="product: aws, service: cloudtrail"))
    assert hits(rules, {"A": "x"}) == [["r"]]


def test_windows_event_without_channel_is_tried_on_windows_rules_alone() -> None:
    rules = loaded(
        rule("s: {A: x}", source="product: windows, service: security", id="windows"),
        rule("s: {A: x}", source="product: zeek", id="zeek"),
    )
    assert hits(rules, {"A": "x", "EventID": 4625}) == [["windows"]]
