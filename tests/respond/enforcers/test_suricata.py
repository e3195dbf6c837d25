"""The Suricata point: what only it can get wrong, from nonsense on the socket to packets through an inline Suricata."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contract.errors import PointError
from contract.meter import MemoryMeter
from contract.records import Decision
from respond.enforcers.suricata import ENFORCER, SuricataSettings
from respond.suricata.command import CommandSocket
from tests.conftest import PATIENCE_S

Deny = Callable[..., Decision]


def clock() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000_000)  # noqa: TID251


def enforcer(path: Path, **settings: Any) -> Any:
    given = SuricataSettings.model_validate({"socket": path, "patience_s": 60, **settings})
    return ENFORCER.open("ids", given, MemoryMeter(), clock)


# ------------------------------------------------------------------ a socket that is not as it should be


def talk(path: Path, answers: list[bytes], dialogue: Callable[[], Awaitable[Any]]) -> Any:
    """Run a dialogue against a server that gives these bytes, one for each line it gets, then hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers and await reader.readline():
            writer.write(answers.pop(0))
            await writer.drain()
        writer.close()

    async def whole() -> Any:
        server = await asyncio.start_unix_server(serve, path)
        async with server:
            return await dialogue()

    return asyncio.run(whole())


OK = b'{"return": "OK"}\n'


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([], "hung up|reset"),
        ([b'{"return": "NOK", "message": "no such version"}\n'], "protocol 0.2 is not spoken"),
        ([OK, b"not json\n"], "Expecting value"),
        ([OK, b"[]\n"], "expected an answer"),
        ([OK, b'{"message": "x"}\n'], "expected an answer"),
        ([OK, b'{"return": "OK"'], "hung up"),
        ([OK, b"\xff\xfe\n"], "codec"),
    ],
)
def test_what_is_no_answer_is_a_point_error(
    tmp_path: Path, answers: list[bytes], said: str
) -> None:
    path = tmp_path / "socket"

    async def dialogue() -> None:
        one = CommandSocket(path, 2)
        with pytest.raises(PointError, match=said):
            await one.call("uptime")
        await one.close()

    talk(path, list(answers), dialogue)


def test_silence_is_a_point_error(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side gives up
        writer.close()
        served.set()

    async def whole() -> None:
        async with await asyncio.start_unix_server(serve, path):
            with pytest.raises(PointError, match=r"did not answer at .* within 0\.1 s"):
                await CommandSocket(path, 0.1).call("uptime")
            await served.wait()

    asyncio.run(whole())


def test_a_broken_connection_is_made_anew_once(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    calls = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the version and one command, then hang up, as a Suricata that restarts between two calls."""
        for _ in range(2):
            calls.append(json.loads(await reader.readline()))
            writer.write(OK)
            await writer.drain()
        writer.close()

    async def whole() -> None:
        async with await asyncio.start_unix_server(serve, path):
            one = CommandSocket(path, 2)
            for _ in range(3):
                assert (await one.call("uptime")).is_ok
            await one.close()

    asyncio.run(whole())
    assert [call.get("command", "version") for call in calls] == ["version", "uptime"] * 3


def test_an_absent_socket_says_what_to_check(tmp_path: Path, make_decision: Deny) -> None:
    async def whole() -> None:
        point = enforcer(tmp_path / "absent")
        with pytest.raises(PointError, match="unix-command enabled"):
            await point.apply([make_decision(start=datetime.now(UTC))])  # noqa: TID251
        await point.close()

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("203.0.113.0/24", "a network"),
        ("2001:db8::1", "cannot deny IPv6"),
        ("203.0.113.1/24", "host bits set"),
    ],
)
def test_what_host_bits_cannot_express_is_unsupported(
    tmp_path: Path, make_decision: Deny, value: str, said: str
) -> None:
    point = enforcer(tmp_path / "absent")
    (outcome,) = asyncio.run(point.apply([make_decision(value)]))
    assert outcome.result == "unsupported"
    assert said in outcome.detail
    assert "contain" in str(point.refuses(make_decision(action="contain")))


# ------------------------------------------------------------------ a real one


@pytest.fixture
def server(suricata_server: Any) -> Any:
    suricata_server.clear()
    return suricata_server


@pytest.mark.suricata
@pytest.mark.root
def test_without_the_rules_the_point_says_to_load_them(server: Any, make_decision: Deny) -> None:
    async def whole() -> None:
        point = enforcer(server.socket, hostbit="no_such_bit")
        with pytest.raises(PointError, match=r"load respond/suricata/opsonin\.rules"):
            await point.apply([make_decision(start=datetime.now(UTC))])  # noqa: TID251
        await point.close()

    asyncio.run(whole())


@pytest.mark.suricata
@pytest.mark.root
def test_bits_lost_by_a_crash_are_set_again(server: Any, make_decision: Deny) -> None:
    async def whole() -> None:
        desired = [make_decision(start=datetime.now(UTC))]  # noqa: TID251
        point = enforcer(server.socket)
        await point.converge(desired)
        server.kill()
        with pytest.raises(PointError):
            await point.converge(desired)
        server.socket.unlink()
        server.start()
        assert server.held() == set()
        (outcome,) = await point.converge(desired)
        assert outcome.result == "drifted"
        assert server.held() == {"203.0.113.9"}
        await point.close()

    asyncio.run(whole())


@pytest.mark.suricata
@pytest.mark.root
def test_packets_of_a_denied_host_are_dropped_until_its_expiry(
    server: Any, make_decision: Deny
) -> None:
    sender, receiver = _socket_in(server.attacker), _socket_in(server.target)
    receiver.bind(("10.8.1.9", 9))

    def arrives(patience_s: float) -> bool:
        receiver.settimeout(patience_s)
        with contextlib.suppress(TimeoutError, BlockingIOError):
            return bool(receiver.recv(16))
        return False

    def passes() -> bool:
        while arrives(0):
            pass  # late ones of before
        sender.sendto(b"x", ("10.8.1.9", 9))
        return arrives(0.5)

    def passes_in_the_end() -> bool:
        end = time.monotonic() + PATIENCE_S
        while not (found := passes()) and time.monotonic() < end:
            pass
        return found

    async def whole() -> None:
        point = enforcer(server.socket)
        assert passes_in_the_end()
        began = time.monotonic()
        denial = make_decision("10.8.1.2", start=datetime.now(UTC), expires=3)  # noqa: TID251
        (outcome,) = await point.apply([denial])
        assert outcome.result == "applied"
        is_dropped = not passes()
        # A slow machine may be too late to see it.
        assert is_dropped or time.monotonic() - began > 3
        await asyncio.sleep(3.5)
        assert passes_in_the_end()
        await point.close()

    try:
        asyncio.run(whole())
    finally:
        sender.close()
        receiver.close()


def _socket_in(netns: str) -> socket.socket:
    """Return a datagram socket of another network namespace, handed over by a child that was inside."""
    here, there = socket.socketpair()
    code = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        f"p = socket.socket(fileno={there.fileno()}); socket.send_fds(p, [b'x'], [s.fileno()])"
    )
    with here, there:
        subprocess.run(
            ["ip", "netns", "exec", netns, sys.executable, "-c", code],
            check=True, pass_fds=[there.fileno()],
        )  # fmt: skip
        _, (handle, *_), _, _ = socket.recv_fds(here, 16, 1)
    return socket.socket(fileno=handle)
