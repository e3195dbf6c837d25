"""The role `views`: live counts and the feed, hosted by Faust; low-rate, and only for people to look at.

Faust repeats after a kill, and its tables and the group's positions may disagree (measured, see the decision on hosts). So
the view's one value holds the offsets that it has taken; on assignment the reader goes on there, before anything flows
(later, Faust passes over what it reads again), and what comes again is passed over. One Faust process at a time has the view;
another takes over. Faust has a thread and an event loop of its own here: what it leaves behind when it crashes goes with them.

Source: faust-streaming 0.15.3 (read 2026-11). Traps: a table is written inside stream iteration only; the consumer is
`read_uncommitted`, so records of aborted transactions are seen and known by id when they come again.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Container
from typing import Any, Final

import faust
import msgspec
import structlog

from contract.errors import BrokerError, ParseError
from contract.ports import Meter
from contract.topics import ALERTS, CHAINS, POLICY
from ingest.streams.kafka_client import arguments
from runtime.kafka.loop import RETRY_FIRST_S, RETRY_LAST_S
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import name_of
from runtime.kafka.view import View
from runtime.kafka.wire import decode
from runtime.settings import Settings

log = structlog.get_logger()

ROLE: Final = "views"
_KEY: Final = b"view"
_STOP_S: Final = 20
_LOOK_S: Final = 0.2
_SWEEPS: Final = 20
_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode


class Views:
    """Runs the Faust application.

    Args:
        settings: checked.
        meter: is told the counts.
    """

    def __init__(self, settings: Settings, meter: Meter) -> None:
        self._settings = settings
        self._kafka = settings.kafka
        self._meter = meter
        self._stopping = threading.Event()
        self._is_loaded = False
        self.view = View()
        self.ready = threading.Event()
        self.last_error = ""

    async def run(self) -> None:
        """Run until stopped. Where Faust ends by itself (brokers away at its start, a crash within), begin anew after a while."""
        # Faust makes its own folder, and none above it.
        self._settings.engine.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            await asyncio.to_thread(self._lives)
        finally:
            self.stop()  # also where this is cancelled: the thread goes on

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def _lives(self) -> None:
        """Run one application after the other, each in an event loop of its own, so that nothing of it can stay behind."""
        retry_s = RETRY_FIRST_S
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                asyncio.run(self._live())
            except Exception as error:  # noqa: BLE001  Faust passes on whatever its parts raise
                self.last_error = repr(error)
                self._meter.add("loop_restarts_total", role=ROLE)
                if time.monotonic() - began > RETRY_LAST_S:
                    retry_s = RETRY_FIRST_S
                log.warning("views.restarted", error=self.last_error, retry_s=retry_s)
                self._stopping.wait(retry_s)
                retry_s = min(RETRY_LAST_S, 2 * retry_s)

    async def _live(self) -> None:
        self._is_loaded = False
        app = self._app()
        try:
            await app.start()
            self.last_error = ""
            self.ready.set()
            log.info("views.started")
            while not self._stopping.is_set():
                if app.should_stop:
                    raise BrokerError(f"Faust ended: {app.crash_reason!r}")
                await asyncio.sleep(_LOOK_S)
        finally:
            self.ready.clear()
            try:
                async with asyncio.timeout(_STOP_S):
                    await app.stop()
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
                # Where it crashed, it raises that again, or its own tasks cancel it.
                log.warning("views.stop_cut_short", reason=repr(error))
            await _sweep()
            log.info("views.stopped")

    def row(self) -> dict[str, Any]:
        """Return what people look at."""
        row = self.view.row()
        return {"counts": row["counts"], "feed": row["feed"], "at": row["at"]}

    def _app(self) -> Any:
        kafka = self._kafka
        id = f"{kafka.prefix}{ROLE}"
        app: Any = faust.App(
            id,
            broker=[f"kafka://{one}" for one in kafka.bootstrap],
            loop=asyncio.get_running_loop(),
            datadir=str(self._settings.engine.data_dir / ROLE),
            store="memory://",
            web_enabled=False,
            autodiscover=False,
            key_serializer="raw",
            value_serializer="raw",
            topic_partitions=1,
            topic_replication_factor=kafka.replication,
            topic_disable_leader=True,
            topic_allow_declare=False,  # `opsonin topics apply` makes it
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=f"{ROLE}.{kafka.member_name}",
            broker_session_timeout=10,
            broker_commit_interval=1,
            broker_credentials=_credentials(kafka),
            producer_linger=0.02,
            producer_max_request_size=kafka.max_record_bytes,
            consumer_max_fetch_size=max(1 << 20, kafka.max_record_bytes),
            stream_recovery_delay=0,
        )
        topic = app.topic(*(name_of(kafka, one) for one in (ALERTS, CHAINS, POLICY)))
        table = app.Table("view", partitions=1, key_type=bytes, value_type=bytes)

        @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
        async def forget(*_: Any, **__: Any) -> None:
            self._is_loaded = False

        consumer = app.consumer

        @app.on_rebalance_complete.connect  # type: ignore[untyped-decorator]
        async def hold(*_: Any, **__: Any) -> None:
            # Sent before Faust lets the partitions go and before it seeks: what is read between the two comes from elsewhere.
            # Faust lets the flow go on after the seek.
            consumer.stop_flow()

        async def to_own_position() -> dict[Any, int]:
            return await self._go_on(consumer, table, topic.topics)

        consumer.seek_to_committed = to_own_position

        @app.agent(topic, name=id)  # type: ignore[untyped-decorator]
        async def look(stream: Any) -> None:
            async for event in stream.events():
                self._take(table, event)

        return app

    async def _go_on(self, consumer: Any, table: Any, topics: Container[str]) -> dict[Any, int]:
        """Go to the view's own position and return it by partition."""
        at = (self.view if self._is_loaded else _saved(table)).at
        places = {
            place: at.get(place.topic, -1) + 1
            for place in consumer.assignment()
            if place.topic in topics
        }
        # Not `seek`: it reaches from this thread into the one that fetches, and what was being fetched is lost.
        await consumer.seek_wait(places)
        for place, offset in places.items():
            log.info("views.went_on", topic=place.topic, offset=offset)
        return places

    def _take(self, table: Any, event: Any) -> None:
        message = event.message
        if not self._is_loaded:  # not earlier: Faust seeks before it has recovered the table, too
            self._is_loaded, self.view = True, _saved(table)
        try:
            headers = message.headers
            pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or ())
            # Without a value: a decision that is forgotten; what was counted stays counted.
            record: object = None if message.value is None else decode(message.value, pairs)
        except ParseError as error:
            self._meter.add("records_refused_total", role=ROLE)
            log.warning("views.refused", topic=message.topic, reason=str(error))
            record = None
        if self.view.take(message.topic, message.offset, record):
            table[_KEY] = _encode(self.view.row())
            self._meter.set("view_records_seen", sum(self.view.at.values()))


async def _sweep() -> None:
    """Cancel what Faust left in this loop: some of its tasks outlive a cancel or two, and `asyncio.run` would wait for them."""
    for _ in range(_SWEEPS):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_LOOK_S)


def _saved(table: Any) -> View:
    saved = table.get(_KEY)
    return View(_decode(saved) if saved else None)


def _credentials(kafka: KafkaSettings) -> Any:
    """Return the settings' way of logging in, as Faust takes it."""
    if kafka.security == "plaintext":
        return None
    given = arguments(kafka)
    context = None
    if kafka.security.endswith("ssl"):
        context = ssl.create_default_context(cafile=given.get("ssl_cafile"))
        context.check_hostname = kafka.check_hostname
        if "ssl_certfile" in given:
            context.load_cert_chain(
                given["ssl_certfile"], given.get("ssl_keyfile"), given.get("ssl_password")
            )
    if not kafka.security.startswith("sasl"):
        return context
    return faust.SASLCredentials(
        username=given["sasl_plain_username"],
        password=given["sasl_plain_password"],
        mechanism=kafka.mechanism,
        ssl_context=context,
    )
