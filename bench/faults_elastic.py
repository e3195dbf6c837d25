"""The part of `faults.py --host kafka` that Elasticsearch has: down for a while in the middle of the kills, compared in the end.

A real server, started here, takes what the role `index` writes. It is killed (-9) after a third of the workers' kills and
started again on its data after the given time; what it holds in the end is compared to the undisturbed run too.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch, helpers

sys.path.insert(0, str(Path(__file__).parents[1] / "deploy" / "lab"))
from elastic_server import ElasticServer

NAMESPACE = "faults"
_KEPT = "opsonin.record"
_CAUGHT_UP_LIMIT_S = 180
_SCAN = 1_000


class Searched:
    """The server, its outage, and what it holds.

    Args:
        down_s: how long it is away.
    """

    def __init__(self, down_s: float) -> None:
        self._down_s = down_s
        self._server = ElasticServer()
        self._server.start()
        self._thread: threading.Thread | None = None
        self.was_down_s = 0.0

    def settings(self) -> str:
        """Return the settings' table."""
        return (
            f"[elastic]\nurls = ['{self._server.url}']\nnamespace = '{NAMESPACE}'\n"
            "plain_types = true\nreplicas = 0\n"
        )

    def go_down(self) -> None:
        """Kill it, once, and start it again after its time; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._outage, name="Elasticsearch is away")
            self._thread.start()

    def _outage(self) -> None:
        began = time.monotonic()
        self._server.stop(signal.SIGKILL)
        time.sleep(self._down_s)
        self._server.start()
        self.was_down_s = time.monotonic() - began

    def holds(self, expected: int) -> dict[tuple[str, str], str]:
        """Return events and records by kind and id, without revisions, once there are enough of them or it takes too long."""
        self.go_down()
        if self._thread is not None:
            self._thread.join()
        limit = time.monotonic() + _CAUGHT_UP_LIMIT_S
        with Elasticsearch(self._server.url, request_timeout=60) as client:
            found = _read(client)
            while len(found) < expected and time.monotonic() < limit:
                time.sleep(2)
                found = _read(client)
        return found

    def close(self) -> None:
        """End the server; its data go."""
        if self._thread is not None:
            self._thread.join()
        self._server.close()


def _read(client: Elasticsearch) -> dict[tuple[str, str], str]:
    names = [f"logs-opsonin.{kind}-{NAMESPACE}" for kind in ("event", "alert", "chain", "decision")]
    present = [one for one in names if client.indices.exists(index=one)]
    if not present:
        return {}
    client.indices.refresh(index=present)
    found: dict[tuple[str, str], str] = {}
    for hit in helpers.scan(client, index=present, size=_SCAN):
        source: dict[str, Any] = hit["_source"]
        record = source.get(_KEPT)
        if record is not None:
            row = {name: value for name, value in record.items() if name != "revision"}
            found[record["kind"], hit["_id"]] = json.dumps(row, sort_keys=True)
        elif source.get("event.dataset") != "opsonin.outcome":
            found["event", hit["_id"]] = json.dumps(source, sort_keys=True)
    return found
