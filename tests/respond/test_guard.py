from typing import Any

import pytest

from contract.records import Target
from respond.guard import ALWAYS, Guard, GuardSettings
from respond.target import canonical, network, of_network


def guard(detected: dict[str, list[str]] | None = None, **settings: Any) -> Guard:
    return Guard(GuardSettings.model_validate(settings), detected)


def target(value: str, kind: str = "") -> Target:
    kind = kind or ("ipv6_net" if ":" in value else "ipv4_net")
    return Target.model_validate({"type": kind, "value": value})


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in ALWAYS}))
def test_special_networks_are_always_refused(kind: str) -> None:
    settings: dict[str, Any] = {"min_prefix_v4": 1, "min_prefix_v6": 1}
    for name, net in ALWAYS:
        if name == kind:
            refusal = guard(**settings).refusal(of_network(net))
            assert refusal == f"{canonical(net)} is {kind}"
            first = network(str(net.network_address))
            assert kind in str(guard(**settings).refusal(of_network(first)))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("192.0.2.1", "192.0.2.1 is the gateway"),
        ("192.0.2.0/24", "192.0.2.0/24 holds 192.0.2.1, the gateway"),
        ("198.51.100.9", "198.51.100.9 lies in 198.51.100.0/28, on the never-touch list"),
        ("203.0.113.200", "203.0.113.200 lies in 203.0.113.0/24, the admin network"),
        ("2001:db8::53", "2001:db8::53 is the resolver"),
        ("::ffff:192.0.2.1", "the target is malformed: '::ffff:192.0.2.1' is no ipv6_net"),
        ("192.0.2.9/24", "malformed"),
        ("nonsense", "malformed"),
    ],
)
def test_what_is_listed_or_detected_is_refused_in_words(value: str, said: str) -> None:
    rails = guard(
        {"gateway": ["192.0.2.1"], "resolver": ["2001:db8::53"]},
        never_touch=["198.51.100.0/28"],
        admin_networks=["203.0.113.0/24"],
    )
    assert said in str(rails.refusal(target(value)))


def test_others_pass() -> None:
    rails = guard({"gateway": ["192.0.2.1"]})
    for value in ("192.0.2.2", "8.8.8.0/24", "2001:db8::/64"):
        assert rails.refusal(target(value)) is None
    assert rails.refusal(target("ann", "user")) is None


def test_networks_wider_than_the_setting_are_refused() -> None:
    assert "wider than /24" in str(guard().refusal(target("8.8.0.0/23")))
    assert "wider than /64" in str(guard().refusal(target("2001:db8::/63")))
    assert guard(min_prefix_v4=16).refusal(target("8.8.0.0/16")) is None


def test_names_are_refused_in_any_case() -> None:
    rails = guard(never_names=["Administrator", "dc01"])
    assert rails.refusal(target("ADMINISTRATOR", "user")) is not None
    assert rails.refusal(target("dc01", "host")) is not None
    assert rails.refusal(target("dc01", "file")) is None


def test_points_get_every_network_of_the_list() -> None:
    rails = guard({"gateway": ["192.0.2.1"]}, never_touch=["198.51.100.0/28"])
    assert [str(net) for net in rails.never_touch] == ["192.0.2.1/32", "198.51.100.0/28"]


@pytest.mark.parametrize(
    "settings",
    [
        {"never_touch": ["192.0.2.9/24"]},
        {"admin_networks": ["fe80::1%eth0"]},
        {"min_prefix_v4": 0},
        {"rate_window": "0s"},
        {"shares": {"10.0.0.0/8": 1.5}},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        GuardSettings.model_validate(settings)


def test_caps_count_what_is_given() -> None:
    rails = guard(rate=2, live=2, shares={"10.0.0.0/24": 0.01})
    live = [target("10.0.0.1"), target("10.0.0.2")]
    assert rails.caps(target("10.0.0.3"), [], 1) == []
    assert len(rails.caps(target("192.0.2.1"), [], 2)) == 1
    assert len(rails.caps(target("192.0.2.1"), live, 0)) == 1
    assert len(rails.caps(target("10.0.0.3"), live, 2)) == 3
    assert rails.caps(target("ann", "user"), [], 0) == []


def test_a_share_counts_every_address_of_a_network() -> None:
    rails = guard(shares={"10.0.0.0/16": 0.01})
    assert rails.caps(target("10.0.1.0/24"), [], 0) == []  # 256 of 655
    assert rails.caps(target("10.0.1.0/24"), [target("10.0.2.0/24")], 0) == []
    assert rails.caps(target("10.0.3.0/24"), [target("10.0.1.0/24"), target("10.0.2.0/24")], 0)
