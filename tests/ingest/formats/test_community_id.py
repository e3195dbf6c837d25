"""The Community ID against the published baseline and at its edges."""

import json
from pathlib import Path

import pytest

from ingest.formats.community_id import community_id

BASELINE = Path(__file__).parents[4] / "shared/data/ingest/dev/community_id"


@pytest.mark.shared
@pytest.mark.parametrize(("folder", "seed"), [("baseline_deflt", 0), ("baseline_seed1", 1)])
def test_the_published_baseline_holds(folder: str, seed: int) -> None:
    path = BASELINE / folder / "cases.jsonl"
    if not path.exists():
        pytest.skip("the shared community-id set is absent")
    for line in path.read_text().splitlines():
        case = json.loads(line)
        flow = case["input"]
        ports = (flow["sport"], flow["dport"]) if flow.get("sport") is not None else None
        found = community_id(flow["saddr"], flow["daddr"], flow["proto"], ports, seed=seed)
        assert found == case["expected"], case["id"]


def test_both_directions_of_a_flow_have_one_id() -> None:
    there = community_id("192.0.2.1", "198.51.100.2", 6, (1024, 80))
    assert there == community_id("198.51.100.2", "192.0.2.1", 6, (80, 1024))
    assert there is not None
    assert there.startswith("1:")


def test_a_one_way_icmp_message_keeps_its_direction() -> None:
    assert community_id("192.0.2.1", "192.0.2.2", 1, (3, 1)) != community_id(
        "192.0.2.2", "192.0.2.1", 1, (3, 1)
    )
    assert community_id("192.0.2.1", "192.0.2.2", 1, (8, 0)) == community_id(
        "192.0.2.2", "192.0.2.1", 1, (0, 0)
    )


@pytest.mark.parametrize(
    ("source", "protocol", "ports"),
    [("gw", 6, (1, 2)), ("2001:db8::1", 6, (1, 2)), ("192.0.2.1", 6, None), ("192.0.2.1", 6, (-1, 2)), ("192.0.2.1", 17, (1, 70_000))],
)  # fmt: skip
def test_without_a_whole_flow_there_is_none(
    source: str, protocol: int, ports: tuple[int, int] | None
) -> None:
    assert community_id(source, "192.0.2.9", protocol, ports) is None
