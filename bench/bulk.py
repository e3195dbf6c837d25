"""Documents a second into a real Elasticsearch by our bulk writer, beside the bare client posting the same bytes.

    python bench/bulk.py [--events 20000] [--rounds 3] [--url http://127.0.0.1:9200]

Events are Suricata's, normalized as the engine does. The bare client posts bodies that were joined before, the same size, over as many
threads, and looks only at `errors`: what we add is joining, reading each item's result, and keeping order and retries. Rounds alternate, each
into a data stream of its own, after warming up. The server takes several times what either client does, so the client's CPU
time per document is the figure that moves least. Without --url a server is started. Prints one JSON object as its last line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Scripts beside this one bear names of packages: their folder must not hide them.
sys.path[0] = str(ROOT)
sys.path.append(str(ROOT / "deploy" / "lab"))

from elastic_server import ElasticServer  # noqa: E402 - after the paths above
from elasticsearch import ApiError, Elasticsearch  # noqa: E402 - after the paths above

from contract.event import Event  # noqa: E402 - after the paths above
from contract.meter import MemoryMeter  # noqa: E402 - after the paths above
from contract.ports import Context  # noqa: E402 - after the paths above
from contract.timestamps import from_iso  # noqa: E402 - after the paths above
from ingest.adapters.suricata_eve import ADAPTER  # noqa: E402 - after the paths above
from ingest.normalize import Normalizer  # noqa: E402 - after the paths above
from runtime.elastic import setup  # noqa: E402 - after the paths above
from runtime.elastic.body import Document, document, requests  # noqa: E402 - after the paths above
from runtime.elastic.bulk import BulkWriter  # noqa: E402 - after the paths above
from runtime.elastic.client import connect  # noqa: E402 - after the paths above
from runtime.elastic.pending import REQUESTS  # noqa: E402 - after the paths above
from runtime.elastic.settings import ElasticSettings  # noqa: E402 - after the paths above

HEADERS = {
    "content-type": "application/vnd.elasticsearch+x-ndjson; compatible-with=9",
    "accept": "application/vnd.elasticsearch+json; compatible-with=9",
}


def events(count: int) -> list[Event]:
    """Return normalized events."""
    eve_lines = runpy.run_path(str(ROOT / "bench" / "embedded.py"))["eve_lines"]
    normalizer = Normalizer(ADAPTER, "ids")
    context = Context(received_us=from_iso("2026-01-02T00:00:00Z"))
    return [
        one
        for line in eve_lines(count, 1)
        for one in normalizer.take(line.encode(), context)
        if isinstance(one, Event)
    ]


class Round:
    """Seconds and CPU seconds of this process for one pass."""

    def __init__(self, run: Callable[[], None]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        self.wall_s = time.perf_counter() - wall
        self.cpu_s = time.process_time() - cpu


def ours(settings: ElasticSettings, found: list[Event]) -> Round:
    """Return a round of the bulk writer, records to acknowledgement."""
    writer = BulkWriter(connect(settings), settings, MemoryMeter())
    portion = settings.batch_documents * settings.in_flight * REQUESTS

    def run() -> None:
        for start in range(0, len(found), portion):
            part = [document(one, settings.namespace) for one in found[start : start + portion]]
            written = writer.write(part)
            if written.taken != len(part):
                raise SystemExit(f"{len(part)} sent, {written.taken} taken: {written.refused[:1]}")

    timed = Round(run)
    writer.close()
    return timed


def bare(client: Elasticsearch, settings: ElasticSettings, documents: list[Document]) -> Round:
    """Return a round of the bare client with the same bytes, joined before."""
    bodies = [
        b"".join(one.lines() for one in part)
        for part in requests(documents, settings.batch_documents, settings.batch_bytes)
    ]
    path = "/_bulk?filter_path=errors,items.*.status,items.*.error"

    def post(body: bytes) -> None:
        if client.perform_request("POST", path, headers=HEADERS, body=body).body["errors"]:
            raise SystemExit("the bare client met an error")

    with ThreadPoolExecutor(settings.in_flight) as pool:
        return Round(lambda: list(pool.map(post, bodies)).clear())


@contextlib.contextmanager
def server(url: str) -> Iterator[str]:
    """Give the address of a server: the one named, or one that is started."""
    if url:
        yield url
        return
    with ElasticServer(heap="1g", quick=False) as started:
        yield started.url


def measure(url: str, found: list[Event], rounds: int) -> tuple[list[Round], list[Round]]:
    """Return our rounds and the bare client's; the first of each only warms up."""
    own: list[Round] = []
    bares: list[Round] = []
    for number in range(rounds + 1):
        for kind, result in (("own", own), ("bare", bares)):
            settings = ElasticSettings(
                urls=(url,), namespace=f"bench.{kind}.{time.time_ns()}", plain_types=True, replicas=0
            )  # fmt: skip
            client = connect(settings)
            setup.apply(client, settings)
            documents = [document(one, settings.namespace) for one in found]
            result.append(
                ours(settings, found) if kind == "own" else bare(client, settings, documents)
            )
            with contextlib.suppress(
                ApiError
            ):  # the server that is started here has no such interface
                client.indices.delete_data_stream(name=documents[0].index)
            client.close()
        print(f"round {number}: ours {own[-1].wall_s:.1f} s, bare {bares[-1].wall_s:.1f} s", file=sys.stderr)  # fmt: skip
    return own[1:], bares[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--url", default="", help="of a running server without security")
    asked = parser.parse_args()
    found = events(asked.events)
    with server(asked.url) as url:
        own, bares = measure(url, found, asked.rounds)
    best, peer = min(one.wall_s for one in own), min(one.wall_s for one in bares)
    cpu, peer_cpu = min(one.cpu_s for one in own), min(one.cpu_s for one in bares)
    result = {
        "documents": len(found),
        "bytes_per_document": sum(len(one.json) for one in found) // len(found),
        "docs_per_s": round(len(found) / best),
        "bare_client_per_s": round(len(found) / peer),
        "ratio": round(peer / best, 3),
        "cpu_us_per_document": round(cpu / len(found) * 1e6, 1),
        "bare_cpu_us_per_document": round(peer_cpu / len(found) * 1e6, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
