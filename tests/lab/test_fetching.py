"""What servers for tests need before they start: things fetched in spite of a registry that fails, and ports nobody takes."""

from __future__ import annotations

from pathlib import Path

import fetching
import pytest
from ports import free_ports
from state import LabError


def failing(folder: Path, times: int) -> list[str]:
    """Return a command that fails so often, and then no more."""
    tries = folder / "tries"
    script = f'echo x >> {tries}; echo "no route" >&2; [ $(wc -l < {tries}) -gt {times} ]'
    return ["sh", "-c", script]


def test_what_fails_at_first_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PAUSES_S", (0, 0))
    fetching.fetch(failing(tmp_path, 2))
    assert (tmp_path / "tries").read_text() == "x\n" * 3


def test_what_fails_each_time_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PAUSES_S", (0, 0))
    with pytest.raises(LabError, match="sh failed 3 times: no route"):
        fetching.fetch(failing(tmp_path, 9))


def test_ports_differ_and_are_no_client_s() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(found) < lowest or lowest < 11_240
