"""The last hand: types, names among addresses, related fields, community id."""

from typing import Any

from ingest.formats.finish import finish


def finished(icmp: tuple[int, int] | None = None, **fields: Any) -> dict[str, Any]:
    record = {name.replace("__", "."): value for name, value in fields.items()}
    finish(record, icmp)
    return record


def test_related_fields_hold_each_value_once_and_no_unspecified_address() -> None:
    record = finished(source__ip="192.0.2.1", destination__ip="192.0.2.1", source__nat__ip="::")
    assert record["related.ip"] == ["192.0.2.1"]


def test_a_name_among_addresses_becomes_the_domain() -> None:
    record = finished(source__ip="example.com")
    assert record == {"source.domain": "example.com", "related.hosts": ["example.com"]}


def test_an_address_takes_its_canonical_form() -> None:
    assert finished(source__ip="2001:DB8::0:1")["source.ip"] == "2001:db8::1"


def test_misfits_move_to_labels_and_nothing_is_lost() -> None:
    record = finished(source__port=70000, source__nat__ip="x", event__sequence=-1)
    assert record == {
        "labels.source_port": "70000", "labels.source_nat_ip": "x", "labels.event_sequence": "-1",
    }  # fmt: skip


def test_community_id_is_that_of_the_specification() -> None:
    record = finished(
        source__ip="128.232.110.120", source__port=34855, destination__ip="66.35.250.204", destination__port=80,
        network__iana_number="6",
    )  # fmt: skip
    assert record["network.community_id"] == "1:LQU9qZlK+B5F3KDmev6m5PMibrg="


def test_both_directions_of_a_ping_have_one_community_id() -> None:
    there = finished(
        (8, 0), source__ip="192.0.2.1", destination__ip="192.0.2.2", network__iana_number="1"
    )
    back = finished(
        (0, 0), source__ip="192.0.2.2", destination__ip="192.0.2.1", network__iana_number="1"
    )
    assert there["network.community_id"] == back["network.community_id"]


def test_hardware_addresses_are_written_as_ecs_says() -> None:
    assert finished(source__mac="00:00:5e:00:53:af")["source.mac"] == "00-00-5E-00-53-AF"
