"""What every source keeps: records in, records out, counted; bounds; a clean end."""

import asyncio
import base64
import contextlib
import gzip
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from elasticsearch import Elasticsearch, helpers
from pydantic import ValidationError

from contract.errors import SettingsError
from contract.meter import MemoryMeter
from contract.plugins import load
from contract.ports import Batch, Source, SourceType
from ingest.sources import http
from ingest.sources.http import HttpSettings, HttpSource
from ingest.sources.syslog_tcp import SyslogTcp, SyslogTcpSettings
from ingest.sources.syslog_udp import SyslogUdp, SyslogUdpSettings
from ingest.sources.unix_datagram import UnixDatagram, UnixDatagramSettings
from ingest.sources.unix_stream import UnixStream, UnixStreamSettings
from ingest.streams.http_token import is_carried
from tests.conftest import PATIENCE_S, until


def now_us() -> int:
    return 1_781_524_800_000_000


async def collect(source: Source, count: int, act: Callable[[], Awaitable[Any]]) -> list[Batch]:
    """Pull until `count` records came, while `act` sends; then close."""
    batches: list[Batch] = []

    async def pull() -> None:
        async for batch in source.batches(None):
            batches.append(batch)
            if sum(len(one.records) for one in batches) >= count:
                await source.close()

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(pull())
        await asyncio.sleep(0.01)
        await act()
    return batches


def records(batches: list[Batch]) -> list[bytes]:
    return [record for batch in batches for record in batch.records]


def test_every_source_file_keeps_its_contract() -> None:
    found = load("ingest.sources", "SOURCE", SourceType)
    assert {"file", "http", "syslog_tcp", "syslog_udp", "unix_stream"} <= set(found)
    for kind in found.values():
        assert kind.settings.model_config.get("extra") == "forbid"
        assert kind.settings.model_config.get("frozen")


async def _udp() -> None:
    meter = MemoryMeter()
    source = SyslogUdp("gw", SyslogUdpSettings(port=0), meter, now_us)

    async def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in (b"<1>a\n", b"<2>b\0", b"", b"<3>multi\nline"):
                sender.sendto(data, ("127.0.0.1", source.port))

    batches = await collect(source, 3, send)
    assert records(batches) == [b"<1>a", b"<2>b", b"<3>multi\nline"]
    assert {batch.sender for batch in batches} == {"127.0.0.1"}
    assert meter.total("records_read") == 3
    assert meter.total("bytes_read") == 5 + 5 + 13


def test_udp_gives_one_record_a_datagram() -> None:
    asyncio.run(_udp())


async def _udp_overflow() -> None:
    meter = MemoryMeter()
    settings = SyslogUdpSettings(port=0, receive_buffer_bytes=4096, batch_records=10)
    source = SyslogUdp("gw", settings, meter, now_us)
    sent = 500
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(sent):
            sender.sendto(b"<1>%d" % number, ("127.0.0.1", source.port))
    await source.close()
    found = records([batch async for batch in source.batches(None)])
    assert found == [b"<1>%d" % number for number in range(len(found))]
    assert 0 < len(found) < sent
    assert meter.total("records_read") + meter.total("dropped_kernel") == sent


def test_what_the_kernel_drops_is_counted_exactly() -> None:
    asyncio.run(_udp_overflow())


async def _udp_in_batches() -> list[int]:
    source = SyslogUdp("gw", SyslogUdpSettings(port=0), MemoryMeter(), now_us)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(20):
            sender.sendto(b"x" * 300, ("127.0.0.1", source.port))
    await source.close()
    return [len(batch.records) async for batch in source.batches(None)]


def test_udp_holds_no_more_bytes_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.streams.datagrams.MAX_BATCH_BYTES", 1_000)
    assert asyncio.run(_udp_in_batches()) == [4] * 5


async def _udp_bounded(**settings: Any) -> tuple[list[bytes], MemoryMeter]:
    meter = MemoryMeter()
    source = SyslogUdp("gw", SyslogUdpSettings(port=0, **settings), meter, now_us)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(20):
            sender.sendto(b"<1>%d" % number, ("127.0.0.1", source.port))
    await source.close()
    return records([batch async for batch in source.batches(None)]), meter


def test_udp_holds_a_sender_to_its_rate_and_unknown_ones_off() -> None:
    found, meter = asyncio.run(_udp_bounded(max_per_sender_per_s=5))
    assert len(found) == 5
    assert meter.total("dropped_rate") == 15
    found, meter = asyncio.run(_udp_bounded(senders=("192.0.2.0/24",)))
    assert found == []
    assert meter.total("dropped_sender") == 20


async def _tcp(
    send: Callable[[asyncio.StreamWriter], None], count: int, **settings: Any
) -> tuple[list[Batch], MemoryMeter]:
    meter = MemoryMeter()
    source = SyslogTcp("gw", SyslogTcpSettings(port=0, **settings), meter, now_us)

    async def act() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", source.port)
        send(writer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    return await collect(source, count, act), meter


def test_tcp_reads_both_framings_and_the_last_line_without_newline() -> None:
    batches, meter = asyncio.run(_tcp(lambda writer: writer.write(b"<1>a\n4 <2>b<3>c\n<4>d"), 4))
    assert records(batches) == [b"<1>a", b"<2>b", b"<3>c", b"<4>d"]
    assert batches[0].sender == "127.0.0.1"
    assert meter.total("records_read") == 4


def test_tcp_back_pressure_holds_memory_and_loses_nothing() -> None:
    lines = b"".join(b"<1>%06d %s\n" % (number, b"x" * 90) for number in range(20_000))
    batches, _ = asyncio.run(_tcp(lambda writer: writer.write(lines), 20_000, buffer_bytes=4096))
    assert [int(record[3:9]) for record in records(batches)] == list(range(20_000))


def test_tcp_cuts_an_overlong_line_and_counts_it() -> None:
    batches, meter = asyncio.run(
        _tcp(
            lambda writer: writer.write(b"<1>a\n" + b"x" * 10_000_000 + b"\n<2>b\n"),
            3,
            max_record_bytes=1000,
        )
    )
    assert [len(record) for record in records(batches)] == [4, 1001, 4]
    assert meter.total("dropped_bound") == 1


def test_tcp_believes_the_proxies_that_it_is_told_of() -> None:
    line = b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n<1>a\n"
    batches, _ = asyncio.run(_tcp(lambda writer: writer.write(line), 1, proxies=("127.0.0.0/8",)))
    assert (records(batches), batches[0].sender) == ([b"<1>a"], "203.0.113.9")
    batches, _ = asyncio.run(_tcp(lambda writer: writer.write(line), 2))
    assert (records(batches)[1], batches[0].sender) == (b"<1>a", "127.0.0.1")


def test_tcp_makes_a_sender_that_is_too_fast_wait_and_loses_nothing() -> None:
    lines = b"".join(b"<1>%d\n" % number for number in range(60))
    batches, meter = asyncio.run(
        _tcp(lambda writer: writer.write(lines), 60, max_per_sender_per_s=50)
    )
    assert len(records(batches)) == 60
    assert meter.total("paused_rate") == 1


async def _strangers() -> MemoryMeter:
    meter = MemoryMeter()
    settings = SyslogTcpSettings.model_validate({"port": 0, "senders": ["192.0.2.0/24"]})
    source = SyslogTcp("gw", settings, meter, now_us)

    async def act() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        await source.close()

    assert await collect(source, 1, act) == []
    return meter


def test_tcp_hears_only_the_senders_named() -> None:
    assert refusals(asyncio.run(_strangers())) == {"sender": 1}


def refusals(meter: MemoryMeter) -> dict[str, float]:
    """Return how many connections were refused, by reason."""
    return {
        dict(labels)["reason"]: value
        for (name, labels), value in meter.values.items()
        if name == "dropped_connections"
    }


async def _silent_proxy() -> MemoryMeter:
    meter = MemoryMeter()
    settings = SyslogTcpSettings.model_validate({"port": 0, "proxies": ["127.0.0.1/32"]})
    source = SyslogTcp("gw", settings, meter, now_us)

    async def act() -> None:
        _, silent = await asyncio.open_connection("127.0.0.1", source.port)
        silent.write(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c")  # and the addresses never come
        reader, wrong = await asyncio.open_connection("127.0.0.1", source.port)
        wrong.write(b"<1>no header\n")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        await source.close()
        silent.close()
        wrong.close()

    assert await collect(source, 1, act) == []
    return meter


def test_a_proxy_without_its_header_is_not_waited_for_when_the_source_closes() -> None:
    assert refusals(asyncio.run(_silent_proxy())) == {"proxy_header": 1}


async def _too_many(**bound: Any) -> None:
    meter = MemoryMeter()
    source = SyslogTcp("gw", SyslogTcpSettings(port=0, **bound), meter, now_us)

    async def act() -> None:
        _, first = await asyncio.open_connection("127.0.0.1", source.port)
        await asyncio.sleep(0.05)
        reader, second = await asyncio.open_connection("127.0.0.1", source.port)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        second.close()
        first.write(b"<1>a\n")
        first.close()
        await first.wait_closed()

    assert records(await collect(source, 1, act)) == [b"<1>a"]
    assert refusals(meter) == {"connections": 1}


@pytest.mark.parametrize("bound", ["max_connections", "max_connections_per_sender"])
def test_tcp_refuses_connections_beyond_the_bound(bound: str) -> None:
    asyncio.run(_too_many(**{bound: 1}))


async def _one_after_another() -> None:
    settings, meter = SyslogTcpSettings(port=0, max_connections_per_sender=1), MemoryMeter()
    source = SyslogTcp("gw", settings, meter, now_us)

    async def act() -> None:
        for count in range(1, 4):
            _, writer = await asyncio.open_connection("127.0.0.1", source.port)
            writer.write(b"<1>a\n")
            writer.close()
            await writer.wait_closed()
            while meter.total("records_read") < count:  # noqa: ASYNC110 - a count cannot wake us
                await asyncio.sleep(0.01)
            await until(lambda: not meter.total("connections"))

    assert len(records(await collect(source, 3, act))) == 3


def test_tcp_lets_a_sender_in_again_when_it_has_left() -> None:
    asyncio.run(_one_after_another())


def test_http_does_not_wait_for_a_body_that_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_S", 0.1)
    monkeypatch.setattr(http, "FAREWELL_S", 0.1)

    async def run() -> bytes:
        source = HttpSource("web", HttpSettings(port=0), MemoryMeter(), now_us)
        batches = source.batches(None)
        pulled = asyncio.ensure_future(anext(batches, None))
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
        line = await reader.readline()
        writer.close()
        await source.close()
        await pulled
        return line

    assert asyncio.run(run()).startswith(b"HTTP/1.1 408 ")


async def _unix(path: Path) -> None:
    source = UnixStream("ids", UnixStreamSettings(path=path, mode="600"), MemoryMeter(), now_us)
    assert os.stat(path).st_mode & 0o777 == 0o600  # noqa: PTH116 - in a test the loop may wait

    async def act() -> None:
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"a":1}\n5 text\n{"b":')
        await writer.drain()
        writer.write(b"2}\n")
        await writer.drain()
        writer.close()

    assert records(await collect(source, 3, act)) == [b'{"a":1}', b"5 text", b'{"b":2}']


def test_unix_stream_reads_lines_and_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "eve.sock"
    asyncio.run(_unix(path))
    assert not path.exists()


def test_unix_stream_replaces_a_dead_socket_but_no_file(tmp_path: Path) -> None:
    path = tmp_path / "eve.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    asyncio.run(_unix(path))
    path.write_text("precious")
    with pytest.raises(SettingsError, match="cannot listen"):
        UnixStream("ids", UnixStreamSettings(path=path), MemoryMeter(), now_us)
    assert path.read_text() == "precious"


async def _unix_datagrams(path: Path) -> MemoryMeter:
    meter = MemoryMeter()
    settings = UnixDatagramSettings(path=path, max_record_bytes=100)
    source = UnixDatagram("log", settings, meter, now_us)

    async def act() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(path))
            for data in (b"<13>a\n", b"", b"<13>two\nlines\0", b"x" * 500):
                sender.send(data)

    found = records(await collect(source, 3, act))
    assert found == [b"<13>a", b"<13>two\nlines", b"x" * 101]
    return meter


def test_unix_datagrams_are_records_and_the_socket_is_cleaned_up(tmp_path: Path) -> None:
    path = tmp_path / "log"
    meter = asyncio.run(_unix_datagrams(path))
    assert not path.exists()
    assert (meter.total("dropped_bound"), meter.total("empty_datagrams")) == (1, 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    asyncio.run(_unix_datagrams(path))


def test_an_address_in_use_is_a_settings_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"gw: cannot listen on 127.0.0.1 port {port}"):
            SyslogTcp("gw", SyslogTcpSettings(port=port), MemoryMeter(), now_us)
        with pytest.raises(SettingsError, match="cannot listen"):
            HttpSource("gw", HttpSettings(port=port), MemoryMeter(), now_us)


ZSTD = bytes.fromhex("28b52ffd2007390000 7b2261223a317d".replace(" ", ""))
"""`{"a":1}` as one frame with one raw block (RFC 8878, 3.1.1)."""

Post = Callable[..., Awaitable[tuple[int, Any]]]


@contextlib.asynccontextmanager
async def serving(
    settings: HttpSettings, meter: MemoryMeter
) -> AsyncIterator[tuple[Post, list[Batch]]]:
    source = HttpSource("web", settings, meter, now_us)
    batches: list[Batch] = []

    async def pull() -> None:
        async for batch in source.batches(None):
            batches.append(batch)
            source.confirm(batch.position)

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(pull())
        await asyncio.sleep(0.05)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{source.port}") as session:

            async def post(data: bytes, path: str = "/", **headers: str) -> tuple[int, Any]:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                async with session.post(path, data=data, headers=named) as answer:
                    return answer.status, (await answer.text())

            yield post, batches
        await source.close()


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b'{"a":1}', {}, [b'{"a":1}']),
        (b'[{"a":1}, {"b": [2]} ]', {}, [b'{"a":1}', b'{"b": [2]}']),
        (b'{"a":1}\n{"b":2}\n\n', {}, [b'{"a":1}', b'{"b":2}']),
        (b'{\n "a": 1\n}', {"Content_Type": "application/json"}, [b'{\n "a": 1\n}']),
        (b"<1>a\n<2>b", {"Content_Type": "text/plain"}, [b"<1>a", b"<2>b"]),
        (gzip.compress(b'{"a":1}'), {"Content_Encoding": "gzip"}, [b'{"a":1}']),
        (
            gzip.compress(b'[{"a":1},') + gzip.compress(b'{"b":2}]'),
            {"Content_Encoding": "gzip"},
            [b'{"a":1}', b'{"b":2}'],
        ),
        (ZSTD, {"Content_Encoding": "zstd"}, [b'{"a":1}']),
        (ZSTD * 2, {"Content_Encoding": "zstd", "Content_Type": "text/plain"}, [b'{"a":1}{"a":1}']),
        (b"[" * 100_000, {}, [b"[" * 100_000]),
        (b'[{"a":', {}, [b'[{"a":']),
        (b"", {}, []),
    ],
)
def test_http_cuts_bodies_into_records(
    body: bytes, headers: dict[str, str], expected: list[bytes]
) -> None:
    async def run() -> None:
        async with serving(HttpSettings(port=0), MemoryMeter()) as (post, batches):
            status, text = await post(body, **headers)
            assert (status, json.loads(text)) == (200, {"taken": len(expected)})
            assert records(batches) == expected

    asyncio.run(run())


def test_http_asks_for_the_token(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")

    async def run() -> None:
        meter = MemoryMeter()
        async with serving(HttpSettings(port=0, token_file=secret), meter) as (post, batches):
            assert (await post(b"{}"))[0] == 401
            assert (await post(b"{}", Authorization="Bearer wrong"))[0] == 401
            assert (await post(b"{}", Authorization="Bearer s3cret"))[0] == 200
            assert len(batches) == 1
        assert meter.total("http_refused") == 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("given", "is_heard"),
    [
        ("Bearer s3cret", True),
        ("Splunk s3cret", True),
        ("ApiKey s3cret", True),
        ("Basic " + base64.b64encode(b"beats:s3cret").decode(), True),
        ("ApiKey " + base64.b64encode(b"id:s3cret").decode(), True),
        ("ApiKey " + base64.b64encode(b"s3cret").decode(), True),
        ("Basic " + base64.b64encode(b"s3cret:wrong").decode(), False),
        ("Basic s3cret", False),
        ("Basic ", False),
        ("s3cret", False),
        ("Bearer " + "x" * 100_000, False),
    ],
)
def test_a_token_is_carried_in_each_way_that_shippers_have(given: str, is_heard: bool) -> None:
    assert is_carried(b"s3cret", given, is_authorization=True) is is_heard


def test_hec_tells_those_with_a_channel_which_posts_are_durable() -> None:
    async def run() -> None:
        async with serving(HttpSettings(port=0, form="hec"), MemoryMeter()) as (post, batches):
            path, channel = "/services/collector/event", {"X_Splunk_Request_Channel": "c1"}
            assert json.loads((await post(b'{"event":"a"}', path))[1]) == {
                "text": "Success",
                "code": 0,
            }
            assert json.loads((await post(b'{"event":"b"}', path, **channel))[1])["ackId"] == 0
            raw = await post(b"c\nd", "/services/collector/raw?channel=c1")
            assert json.loads(raw[1])["ackId"] == 1
            asked = await post(b'{"acks":[0,1,2]}', "/services/collector/ack", **channel)
            assert json.loads(asked[1]) == {"acks": {"0": True, "1": True, "2": False}}
            assert (await post(b'{"acks":"x"}', "/services/collector/ack"))[0] == 400
            assert records(batches) == [b"a", b"b", b"c", b"d"]

    asyncio.run(run())


def test_elastic_shippers_find_what_they_would_set_up() -> None:
    async def run() -> None:
        source = HttpSource("web", HttpSettings(port=0, form="elastic_bulk"), MemoryMeter(), now_us)

        async def pull() -> None:
            async for batch in source.batches(None):
                source.confirm(batch.position)

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            group.create_task(pull())
            await asyncio.sleep(0.05)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{source.port}") as session:
                for path in ("/", "/_license", "/_xpack", "/_index_template/filebeat-9.0.0"):
                    async with session.get(path) as answer:
                        assert answer.status == 200
                        assert answer.headers["X-Elastic-Product"] == "Elasticsearch"
                async with session.head("/_ilm/policy/filebeat") as answer:
                    assert answer.status == 200
                async with session.put("/_ingest/pipeline/p", data=b"{}") as answer:
                    assert await answer.json() == {"acknowledged": True}
                async with session.get("/_search") as answer:
                    assert answer.status == 404
            await source.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("form", "path", "body", "expected"),
    [
        ("hec", "/services/collector/event", b'{"event":"a"}', ([b"a"], '"Success"')),
        ("elastic_bulk", "/logs-x/_bulk", b'{"create":{}}\n{"a":1}\n', ([b'{"a":1}'], '"errors": false')),
        ("otlp_logs", "/v1/logs", b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}}]}]}]}', ([b"a"], "partialSuccess")),
    ],
)  # fmt: skip
def test_http_speaks_other_collectors_forms(
    tmp_path: Path, form: Any, path: str, body: bytes, expected: tuple[list[bytes], str]
) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret")

    async def run() -> None:
        settings = HttpSettings(port=0, form=form, token_file=secret)
        async with serving(settings, MemoryMeter()) as (post, batches):
            assert (await post(body, path))[0] == 401
            for scheme in ("Splunk", "ApiKey", "Bearer"):
                status, text = await post(body, path, Authorization=f"{scheme} s3cret")
                assert status == 200
                assert expected[1] in text
            assert (await post(body, path, Authorization="Basic s3cret"))[0] == 401
            assert records(batches) == expected[0] * 3

    asyncio.run(run())


def test_the_official_elasticsearch_client_sends_to_us() -> None:
    def send(port: int) -> tuple[int, Any]:
        with Elasticsearch(f"http://127.0.0.1:{port}", http_compress=True) as client:
            assert client.ping()
            found = ({"_op_type": "create", "_index": "logs", "n": number} for number in range(700))
            return helpers.bulk(client, found)

    async def run() -> None:
        meter = MemoryMeter()
        source = HttpSource("web", HttpSettings(port=0, form="elastic_bulk"), meter, now_us)

        async def pull() -> None:
            async for batch in source.batches(None):
                source.confirm(batch.position)

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            group.create_task(pull())
            assert await asyncio.to_thread(send, source.port) == (700, [])
            await source.close()
        assert meter.total("records_read") == 700

    asyncio.run(run())


def test_http_refuses_what_is_too_large_packed_or_not() -> None:
    async def run() -> None:
        meter = MemoryMeter()
        async with serving(HttpSettings(port=0, max_body_bytes=10_000), meter) as (post, batches):
            assert (await post(b"x" * 10_001))[0] == 413
            assert (await post(gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip"))[0] == 413
            assert (await post(b"no gzip", Content_Encoding="gzip"))[0] == 415
            for damaged in (ZSTD[:-1], ZSTD + b"rest", b"no zstd", ZSTD[:5] + b"\xff" + ZSTD[6:]):
                assert (await post(damaged, Content_Encoding="zstd"))[0] == 415
            assert (await post(gzip.compress(b"cut")[:-9], Content_Encoding="gzip"))[0] == 415
            assert (await post(b"x", Content_Encoding="br"))[0] == 415
            status, said = await post(b"{}", "/other")
            assert (status, json.loads(said)) == (404, {"error": "nothing is here; posts go to /"})
            assert not batches
            assert meter.total("http_refused") == 10

    asyncio.run(run())


def test_http_holds_no_more_bytes_of_all_posts_than_its_bound() -> None:
    async def run() -> None:
        settings, meter = HttpSettings(port=0, max_held_bytes=20_000), MemoryMeter()
        source = HttpSource("web", settings, meter, now_us)
        batches = source.batches(None)
        pulled = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0.05)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{source.port}") as session:
            posted = asyncio.create_task(session.post("/", data=b"x" * 15_000))
            first = await pulled
            for body, packed in ((b"x" * 6_000, {}), (gzip.compress(b"x" * 6_000), {"Content-Encoding": "gzip"})):  # fmt: skip
                async with session.post("/", data=body, headers=packed) as refused:
                    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
            source.confirm(first.position)
            assert (await posted).status == 200
            again = asyncio.create_task(session.post("/", data=b"x" * 25_000))  # larger, but alone
            source.confirm((await anext(batches)).position)
            assert (await again).status == 200
            await source.close()
            assert await anext(batches, None) is None
        assert meter.total("http_refused") == 2

    asyncio.run(run())


def test_http_reads_nothing_of_a_body_that_says_it_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "FAREWELL_S", 0.1)

    async def run() -> bytes:
        settings = HttpSettings(port=0, max_body_bytes=10_000)
        source = HttpSource("web", settings, MemoryMeter(), now_us)
        batches = source.batches(None)
        pulled = asyncio.ensure_future(anext(batches, None))
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10001\r\n\r\n")
        line = await asyncio.wait_for(reader.readline(), PATIENCE_S)
        writer.close()
        await source.close()
        await pulled
        return line

    assert asyncio.run(run()).startswith(b"HTTP/1.1 413 ")


def test_http_answers_only_when_the_records_are_durable() -> None:
    async def run() -> None:
        source = HttpSource("web", HttpSettings(port=0, max_waiting=1), MemoryMeter(), now_us)
        batches = source.batches(None)
        pulled = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0.05)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{source.port}") as session:
            posted = asyncio.create_task(session.post("/", data=b"{}"))
            first = await pulled
            waiting = asyncio.create_task(session.post("/", data=b"{}"))
            second = await anext(batches)
            async with session.post("/", data=b"{}") as refused:
                assert refused.status == 429
            assert not posted.done()
            source.confirm(first.position)
            async with await posted as answer:
                assert answer.status == 200
            assert not waiting.done()
            closing = asyncio.gather(source.close(), anext(batches, None))
            await asyncio.sleep(0.05)
            source.confirm(second.position)
            async with await waiting as answer:
                assert answer.status == 200
            await closing

    asyncio.run(run())


def test_http_hears_only_the_senders_named_and_none_too_fast() -> None:
    async def run() -> None:
        meter = MemoryMeter()
        strangers = HttpSettings.model_validate({"port": 0, "senders": ["192.0.2.0/24"]})
        async with serving(strangers, meter) as (post, batches):
            assert (await post(b"{}"))[0] == 403
            assert not batches
        async with serving(HttpSettings(port=0, max_per_sender_per_s=10), meter) as (post, batches):
            body = b"[" + b"{}," * 29 + b"{}]"
            assert [(await post(body))[0] for _ in range(3)] == [200, 429, 429]
            assert len(records(batches)) == 30

    asyncio.run(run())


def test_http_hands_over_what_a_shipper_wrapped_and_the_adapter_named() -> None:
    async def run() -> None:
        async with serving(HttpSettings(port=0, unwrap="log.line"), MemoryMeter()) as (
            post,
            batches,
        ):
            body = b'[{"log":{"line":"<1>a"}},{"log.line":"<1>b"},{"other":1}]'
            assert (await post(body, Opsonin_Adapter="linux.auth"))[0] == 200
            assert records(batches) == [b"<1>a", b"<1>b", b'{"other":1}']
            assert batches[0].adapter == "linux.auth"

    asyncio.run(run())


@pytest.mark.parametrize(
    "wrong",
    [{"host": "0.0.0.0"}, {"host": "gw"}, {"path": "x"}, {"unknown": 1}, {"port": 70_000}],  # noqa: S104 - refused
)
def test_http_settings_refuse_what_is_open_or_unknown(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpSettings(**wrong)


def test_http_refuses_an_empty_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" \n")
    with pytest.raises(SettingsError, match="token is empty"):
        HttpSource(
            "web", HttpSettings(port=0, token_file=tmp_path / "token"), MemoryMeter(), now_us
        )
    settings = HttpSettings(port=0, token_env="OPSONIN_TEST_NO_SUCH")  # noqa: S106 - a name
    with pytest.raises(SettingsError, match="token is empty"):
        HttpSource("web", settings, MemoryMeter(), now_us)


def test_a_reset_connection_is_survived() -> None:
    def reset(writer: asyncio.StreamWriter) -> None:
        writer.write(b"<1>a\n")
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    batches, _ = asyncio.run(_tcp(reset, 1))
    assert records(batches) == [b"<1>a"]
