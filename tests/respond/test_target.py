import pytest

from contract.records import Entity, Target
from respond.target import network, network_of, of_entity


@pytest.mark.parametrize(
    ("entity", "kind", "value"),
    [
        (Entity(type="ip", value="203.0.113.9"), "ipv4_net", "203.0.113.9"),
        (Entity(type="ip", value="2001:DB8:0::1"), "ipv6_net", "2001:db8::1"),
        (Entity(type="ip", value="::ffff:203.0.113.9"), "ipv4_net", "203.0.113.9"),
        (Entity(type="user", value="web-1\\ann"), "user", "web-1\\ann"),
        (Entity(type="host", value="web-1"), "host", "web-1"),
    ],
)
def test_an_entity_becomes_a_canonical_target(entity: Entity, kind: str, value: str) -> None:
    assert of_entity(entity) == Target.model_validate({"type": kind, "value": value})


def test_addresses_widen_to_the_length_asked() -> None:
    assert of_entity(Entity(type="ip", value="203.0.113.9"), 24).value == "203.0.113.0/24"
    assert of_entity(Entity(type="ip", value="2001:db8::9"), 32, 64).value == "2001:db8::/64"


@pytest.mark.parametrize(
    "value", ["10.1.2.3", "192.168.1.9", "100.64.0.1", "fd00::9", "64:ff9b::c000:201", "2001::1"]
)
def test_what_is_everyones_is_never_widened(value: str) -> None:
    assert of_entity(Entity(type="ip", value=value), 24, 64).value == value


@pytest.mark.parametrize(
    "entity",
    [
        Entity(type="ip", value="fe80::1%eth0"),
        Entity(type="ip", value="no address"),
        Entity(type="flow", value="1:abc"),
        Entity(type="user", value=""),
    ],
)
def test_what_no_action_can_be_about_is_an_error(entity: Entity) -> None:
    with pytest.raises(ValueError, match=r"zone|address|no action"):
        of_entity(entity)


def test_mapped_networks_are_the_ipv4_network() -> None:
    assert str(network("::ffff:192.0.2.0/120")) == "192.0.2.0/24"


def test_a_target_of_another_kind_has_no_network() -> None:
    assert network_of(Target(type="user", value="192.0.2.1")) is None
