"""Could Faust host `link`? The stage in a Faust worker, killed (-9) or frozen at random while it reads.

What the topic of chains and the table's changelog hold in the end is compared with an undisturbed run of the same stage in
this process; how the worker is built stands in `faust_link_worker.py`. A frozen worker goes on when another has its work.

Last line, one JSON object: `lost`, `extra`, `different` and `out_of_order` chains, first of each id and revision; `sent_again`
(collapses by id and revision); `goes_on_equal`: from the kept state, further alerts give the same chains; `recovery_s` from
the start of a process to its first record; rates of the last process's work, `stage_cpu_s_per_100k` of the stage alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "lab")]
import chains as made  # type: ignore[import-not-found]  # noqa: E402 - beside this script
from faust_link_worker import (  # type: ignore[import-not-found]  # noqa: E402 - beside this script
    CHANGELOG,
    IN,
    OUT,
    STEP_RECORDS,
    Linked,
    Slots,
    Worker,
)
from kafka_broker import Broker  # noqa: E402 - after the paths above

from contract.records import Alert, Chain  # noqa: E402 - after the paths above
from runtime.kafka.wire import Mark, encode  # noqa: E402 - after the paths above

_LIMIT_S = 900
_FURTHER = 2_000
"""Alerts after the end, by which the kept state is tried."""


def main() -> None:
    """Measure, or be the worker."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--lane", choices=tuple(made.LANES), default="new")
    options.add_argument("--records", type=int, default=20_000)
    options.add_argument("--kills", type=int, default=10)
    options.add_argument("--freezes", type=int, default=0, help="as another worker takes over")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument(
        "--guarantee", choices=("at_least_once", "exactly_once"), default="at_least_once"
    )
    options.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.worker:
        bootstrap, member, folder = chosen.worker
        asyncio.run(Worker(bootstrap, member, chosen.guarantee, folder).run())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faust-link-")))
        broker = stack.enter_context(Broker(place=folder))
        run = Run(broker.bootstrap, folder, chosen)
        stack.callback(run.close)
        alerts = list(made.LANES[chosen.lane](chosen.records + _FURTHER))
        run.fill(alerts[: chosen.records])
        run.disturb()
        print(json.dumps(run.compared(alerts[: chosen.records], alerts[chosen.records :])))


class Run:
    """One measurement on one broker.

    Args:
        bootstrap: the broker's.
        folder: for what workers write.
        chosen: the options.
    """

    def __init__(self, bootstrap: str, folder: Path, chosen: argparse.Namespace) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._chosen = chosen
        self._draw = random.Random(chosen.seed)  # noqa: S311 - repeatable
        self._workers: list[subprocess.Popen[bytes]] = []
        self._kills = self._freezes = 0
        self._over = False
        self._recoveries: list[float] = []
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        compacted = {"cleanup.policy": "compact"}
        admin.create_topics([NewTopic(IN, 1, 1), NewTopic(OUT, 1, 1)])
        admin.create_topics([NewTopic(CHANGELOG, 1, 1, topic_configs=compacted)])
        admin.close()
        self._watch = self._consumer(OUT)

    def close(self) -> None:
        """End what runs."""
        self._watch.close()
        for worker in self._workers:
            worker.kill()
            worker.wait()

    def fill(self, alerts: list[Alert]) -> None:
        """Write the input, and a mark that it is over."""
        producer = KafkaProducer(bootstrap_servers=self._bootstrap, acks="all")
        items: list[Alert | Mark] = [*alerts, Mark("all", 0, ended=True)]
        for item in items:
            value, headers = encode(item)
            producer.send(IN, value, headers=headers, partition=0)
        producer.close()

    def disturb(self) -> None:
        """Kill and start again, or freeze and start another, until the input is over."""
        worker = self._start()
        while self._kills < self._chosen.kills or self._freezes < self._chosen.freezes:
            kills = self._kills < self._chosen.kills
            # One kill in four falls into the recovery.
            if kills and self._draw.random() < 0.25:  # noqa: PLR2004
                is_over = self._is_over(self._draw.uniform(0.3, 3))
            else:
                is_over = self._until_taking() or self._is_over(self._draw.uniform(0.1, 3))
            if is_over:
                return
            if kills:
                self._kills += 1
            else:
                worker.send_signal(signal.SIGSTOP)
                self._freezes += 1
                self._start()  # goes some steps ahead of the frozen one
                if not self._until_taking():
                    self._is_over(self._draw.uniform(0.5, 2))
                worker.send_signal(signal.SIGCONT)
                self._is_over(self._draw.uniform(0.1, 1.5))
            for one in self._workers:
                one.kill()
                one.wait()
            worker = self._start()
        if not self._until_taking() and not self._is_over(_LIMIT_S):
            sys.exit(f"not at the end after {_LIMIT_S} s:\n{self._said()[-3_000:]}")

    def compared(self, alerts: list[Alert], further: list[Alert]) -> dict[str, Any]:
        """Return how the topics differ from an undisturbed run."""
        linked = Linked({})
        began = time.process_time()
        expected = undisturbed(linked, alerts)
        cpu_s = time.process_time() - began
        self._is_over(3)  # what a late one still sends
        found: dict[tuple[str, int], bytes] = {}
        sent = different = 0
        for key, value in self._read(OUT):
            if not key:
                continue
            sent += 1
            chain = Chain.model_validate_json(value)
            different += found.setdefault((chain.id, chain.revision), value) != value
        slots = Slots(dict(self._read(CHANGELOG)))
        kept = Linked(slots.parts, slots.at["low_us"])
        same = [place for place in expected if place in found]
        different += sum(found[place] != expected[place] for place in same)
        spent = [line.split() for line in self._said().splitlines() if line.startswith("spent")]
        taken, seconds, cpu = (float(one) for one in spent[-1][1:])
        recoveries = self._recoveries[1:] or self._recoveries or [0.0]
        return {
            "guarantee": self._chosen.guarantee,
            "seed": self._chosen.seed,
            "records": len(alerts),
            "expected": len(expected),
            "kills": self._kills,
            "freezes": self._freezes,
            "lost": len(expected) - len(same),
            "extra": len(found) - len(same),
            "different": different,
            "out_of_order": sum(a != b for a, b in zip(same, (one for one in found if one in expected), strict=True)),
            "sent_again": sent - len(found),
            "goes_on_equal": undisturbed(kept, further) == undisturbed(linked, further),
            "recovery_s_median": round(statistics.median(recoveries), 1),
            "recovery_s_max": round(max(recoveries), 1),
            "last_taken": int(taken),
            "records_per_s": round(taken / seconds),
            "cpu_s_per_100k": round(cpu / taken * 100_000, 1),
            "stage_cpu_s_per_100k": round(cpu_s / len(alerts) * 100_000, 1),
        }  # fmt: skip

    # -------------------------------------------------------------- inside

    def _start(self) -> subprocess.Popen[bytes]:
        number = len(self._workers)
        log = self._folder / f"{number}.log"
        command = [sys.executable, __file__, "--guarantee", self._chosen.guarantee, "--worker"]
        command += [self._bootstrap, f"link.{self._freezes}", str(self._folder / f"data-{number}")]
        with log.open("wb") as out:
            self._workers.append(subprocess.Popen(command, stdout=out, stderr=out))
        return self._workers[-1]

    def _until_taking(self) -> bool:
        """Wait for the latest worker's first record; tell whether the input was over before."""
        began = time.monotonic()
        while "taking" not in (said := self._said()):
            if self._is_over(0.05):
                return True
            if self._workers[-1].poll() is not None or time.monotonic() > began + 120:
                sys.exit(f"the worker takes nothing:\n{said[-3_000:]}")
        self._recoveries.append(time.monotonic() - began)
        return False

    def _said(self) -> str:
        return (self._folder / f"{len(self._workers) - 1}.log").read_text()

    def _is_over(self, within_s: float) -> bool:
        """Look at the output for so long; tell whether it says that the input was over."""
        limit_s = time.monotonic() + within_s
        while not self._over and time.monotonic() < limit_s:
            for reads in self._watch.poll(50).values():
                self._over |= any(not one.key for one in reads)
        return self._over

    def _read(self, topic: str) -> Iterator[tuple[bytes, bytes]]:
        consumer = self._consumer(topic)
        (place,) = consumer.assignment()
        end = consumer.end_offsets([place])[place]
        while consumer.position(place) < end:
            for reads in consumer.poll(500).values():
                yield from ((one.key, one.value) for one in reads)
        consumer.close()

    def _consumer(self, topic: str) -> Any:
        consumer: Any = KafkaConsumer(
            bootstrap_servers=self._bootstrap, isolation_level="read_committed",
            enable_auto_commit=False,
        )  # fmt: skip
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek_to_beginning()
        return consumer


def undisturbed(linked: Linked, alerts: list[Alert]) -> dict[tuple[str, int], bytes]:
    """Return chains by id and revision, in order."""
    chains: dict[tuple[str, int], bytes] = {}
    for number, alert in enumerate(alerts):
        for chain in linked.take(alert):
            chains[chain.id, chain.revision] = encode(chain)[0]
        if number % STEP_RECORDS == 0:
            linked.changes()
    return chains


if __name__ == "__main__":
    main()
