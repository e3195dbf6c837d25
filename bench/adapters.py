"""Every text adapter in turn: lines per CPU second on one core, bytes in, checked ECS as JSON out.

    bench/adapters.py                                      # the records that the tests keep: each line a case of its own
    bench/adapters.py --records FOLDER zeek.log cisco.asa  # other records: FOLDER/ADAPTER.log, one a line

Each pass reads new lines: addresses, times (a hundred lines or a round within one second), accounts, digests and UUIDs, high
ports, and numbers of six digits and more of the records are replaced by others (the same ones within one round over the
records, so that flows and audit events stay whole), but not what names a kind of event, a rule or an application. Lines of
IMA lists are made anew with right hashes, signed tokens stay. The first pass warms up what a running engine has warm; the
median of the others counts. Records that the adapter refuses are left out. Where lines are learnt, the table says how many
skeletons the native module saw in the last pass, and the share of lines that templates served.

Beside each figure stands, from the same seconds, a floor: what the least work in Python takes on a line, at the best of moments 5.0 µs
here. Where it is more, the machine was busy, and the figures are by so much too low. `--plain` is without the
native module. Prints a table, and as last line JSON; 1 when an adapter is below 40,000 lines a second.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

# bench/ingest.py bears the name of a package; its folder must not hide the package.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from contract.plugins import load  # noqa: E402 - after the line above
from contract.ports import Adapter, Context  # noqa: E402 - after the line above
from contract.records import DeadLetter  # noqa: E402 - after the line above
from contract.timestamps import from_iso  # noqa: E402 - after the line above
from ingest.learn import table_of  # noqa: E402 - after the line above
from ingest.native import NATIVE  # noqa: E402 - after the line above
from ingest.normalize import Normalizer  # noqa: E402 - after the line above
from runtime.garbage import settle  # noqa: E402 - after the line above

SEEDS = Path(__file__).resolve().parents[1] / "tests/data/adapter"
BINARY = frozenset(("tcg.eventlog", "tpm.quote"))
RECEIVED = "2026-06-15T12:00:00Z"
ASKED = 40_000
FLOOR_LINES = 2_000
LINES_A_SECOND = 100
WARM_ROUNDS = 40
MAX_WARM = 40_000
VARIED = re.compile(
    rb"""(?P<ip>(?<![\d.])(?<!\d-)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?!\d|\.\d{1,3}\.|-\d))
    |(?P<time>(?<!1970-01-01T)(?<!1970\ )(?:(?<=[T\ "=-])|(?<=/\d{4}:))\d\d:\d\d:\d\d(?!:[\da-f]{2}))
    |(?P<serial>(?<=audit\()\d{9,10}\.\d{3}:\d{1,9}(?=\))|(?<="ID":")\d{9,10}\.\d{3}:\d{1,9}(?="))
    |(?P<hex>(?<![\w-])(?:[\da-f]{32,128}|[\dA-F]{32,128}|[\da-fA-F]{8}(?:-[\da-fA-F]{4}){3}-[\da-fA-F]{12})(?![\w-]))
    |(?P<number>(?<![\w.-])(?:[3-6]\d{4}|[1-9]\d{5,})(?![\w.-]|,[a-z]{2,6}\d,match|,[A-Z]{4}))
    |(?P<name>(?<=user=)"?[a-z]{3,12}(?=["\s^|])|(?<=User":")[a-z]{3,12}(?=")|(?<=usrName=)[a-z]{3,12}(?=\s))""",
    re.VERBOSE,
)
# Numbers behind these say what it is, not which one.
CONSTANT = re.compile(
    rb"""(?:(?:sig\w*|log|message|attack|app\w*|rule|policy|event|threat|gid|sid)_?i?d?|flags|craction|\bc|\bapp)["']?[=:]\ ?["']?$
    |[|\[]$|provider_?guid["']?[=:]\ ?["']?\{?$|\bguid=["']\{$|\b(?:dev(?:ice)?_?(?:id|sn)|sn)["']?[=:]\ ?["']?$|(?:proctitle|saddr|a\d|name|data|cmd|exe|comm)=$|["\[]\d{1,5}:$|[a-zA-Z)"]\($|^$""",
    re.VERBOSE | re.IGNORECASE,
)
BEFORE = 24
DASH = ord("-")


@dataclass(slots=True)
class Record:
    """A record cut at what varies.

    Attributes:
        fixed: text before, between and behind what varies.
        varied: what does, with its kind.
    """

    fixed: list[bytes]
    varied: list[tuple[bytes, str]]

    @classmethod
    def cut(cls, line: bytes) -> Record:
        """Return the record of a line."""
        found = [
            match
            for match in VARIED.finditer(line)
            if match.lastgroup not in {"number", "hex"}
            or not CONSTANT.search(line[max(0, match.start() - BEFORE) : match.start()])
        ]
        ends = [0, *(match.end() for match in found)]
        starts = [*(match.start() for match in found), len(line)]
        fixed = [line[end:start] for end, start in zip(ends, starts, strict=True)]
        return cls(fixed, [(match[0], match.lastgroup or "") for match in found])

    def line(self, chance: random.Random, known: dict[bytes, bytes], second: int) -> bytes:
        """Return the line with other addresses, times and large numbers; what is known is replaced as before."""
        parts = [self.fixed[0]]
        for (old, kind), behind in zip(self.varied, self.fixed[1:], strict=True):
            if old not in known:
                known[old] = _other(old, kind, chance, second)
            parts += (known[old], behind)
        return b"".join(parts)


def _other(old: bytes, kind: str, chance: random.Random, second: int) -> bytes:
    if kind == "ip":
        return _address(old, chance)
    if kind == "time":
        return b"%b:%02d:%02d" % (old[:2], second // 60 % 60, second % 60)
    if kind == "serial":
        # of an audit event: those of another round are other events
        at, _, number = old.partition(b":")
        return b"%d%b:%d" % (int(at[:-4]) + second, at[-4:], int(number) + second * 1000)
    if kind == "hex":
        digits = b"0123456789ABCDEF" if old.isupper() else b"0123456789abcdef"
        return bytes(c if c == DASH else chance.choice(digits) for c in old)
    if kind == "name":
        return old[:2] + bytes(chance.choices(b"aeiklmnorstu", k=6))
    # The head of a long number may be a time or a code; its tail varies. A port stays one.
    kept = 1 if len(old) <= 5 else len(old) - 4  # noqa: PLR2004 - digits of a port
    return old[:kept] + b"%0*d" % (len(old) - kept, chance.randrange(5000))


def _address(old: bytes, chance: random.Random) -> bytes:
    first, net, *_ = old.split(b".")
    if first in {b"0", b"127", b"255"}:
        return old
    return b"%b.%b.%d.%d" % (first, net, chance.randrange(16), chance.randrange(1, 255))


def measured(line: bytes, chance: random.Random) -> bytes:
    """Return a line of an IMA list like this one, of another file, with the right template hash."""
    words = line.split(b" ")
    if len(words) < 5 or words[2] != b"ima-ng" or set(words[1]) == {ord("0")}:  # noqa: PLR2004 - fields of ima-ng
        return line
    digest, path = chance.randbytes(32), b"%b.%d" % (words[4], chance.randrange(100_000))
    parts = (b"sha256:\0" + digest, path + b"\0")
    data = b"".join(len(part).to_bytes(4, "little") + part for part in parts)
    template_hash = hashlib.sha1(data, usedforsecurity=False).hexdigest().encode()
    return b" ".join((words[0], template_hash, b"ima-ng", b"sha256:" + digest.hex().encode(), path))


def rounds(adapter: str, records: list[bytes], count: int, seed: int) -> list[bytes]:
    """Return so many lines, in whole rounds over the records."""
    chance = random.Random(f"{adapter} {seed}")  # noqa: S311 - repeatable, no secret
    lines: list[bytes] = []
    cut = [Record.cut(record) for record in records]
    while len(lines) < count:
        known: dict[bytes, bytes] = {}
        if adapter == "linux.ima":
            lines += [measured(record, chance) for record in records]
        elif adapter == "rats.ear":
            lines += records  # signed
        else:
            second = seed * 600 + len(lines) // LINES_A_SECOND
            lines += [record.line(chance, known, second) for record in cut]
    return lines


def records_of(adapter: Adapter, folder: Path | None, context: Context) -> list[bytes]:
    """Return the records of an adapter that it does not refuse."""
    files = [folder / f"{adapter.name}.log"] if folder else []
    if not files or not files[0].exists():
        files = sorted((SEEDS / adapter.name.replace(".", "_")).glob("*.log"))
    lines = [line for file in files for line in file.read_bytes().split(b"\n") if line]
    if adapter.name == "linux.ima":
        lines = [line for line in lines if line[:1] != b"{"]  # those are whole lists
    normalizer = Normalizer(adapter, "bench", learns=False)
    return [
        line
        for line in lines
        if not any(isinstance(one, DeadLetter) for one in normalizer.take(line, context))
    ]


def one_pass(normalizer: Normalizer, lines: list[bytes], context: Context) -> tuple[float, int]:
    """Return the CPU seconds of one run over all lines, and how many became dead letters."""
    dead = 0
    take = normalizer.take
    began = time.process_time()
    for line in lines:
        for result in take(line, context):
            if isinstance(result, DeadLetter):
                dead += 1
            else:
                len(result.json)
    for _ in normalizer.flush(context):
        pass
    return time.process_time() - began, dead


def floor() -> float:
    """Return the CPU seconds that the least work in Python takes on a line: its words to a dictionary, that to JSON."""
    line = b" ".join(b"NAME%d=value.%d" % (number, number) for number in range(24))
    began = time.process_time()
    for _ in range(FLOOR_LINES):
        orjson.dumps(dict(word.partition("=")[::2] for word in line.decode().split(" ")))
    return (time.process_time() - began) / FLOOR_LINES


def seen(adapter: Adapter, lines: list[bytes]) -> int | None:
    """Return how many skeletons the native module sees in lines; None where it reads none."""
    if NATIVE is None or adapter.holes is None:
        return None
    engine = NATIVE.make(table_of(adapter), adapter.name.encode())
    scanned = (NATIVE.scan(engine, line) for line in lines)
    return len({one[0] if one else None for one in scanned})


def served(normalizer: Normalizer, lines: list[bytes], context: Context) -> float | None:
    """Return the share of lines that templates serve."""
    templates = normalizer._templates  # noqa: SLF001 - to be seen, not used
    if templates is None:
        return None
    found = sum(templates.event(line, context) is not None for line in lines)
    return round(found / len(lines), 2)


def measure(adapter: Adapter, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one adapter."""
    received_us = from_iso(options.received)
    records = records_of(adapter, options.records, Context(received_us=received_us))
    if not records:
        raise SystemExit(f"{adapter.name}: none of the records is read")
    normalizer = Normalizer(adapter, "bench", learns=not options.plain)
    context = Context(received_us=received_us)
    spent, floors, dead, size = [], [], 0, 0
    lines: list[bytes] = []
    for number in range(options.passes + 1):
        # Shapes are learnt when they are met for the third time, and some differ from line to line.
        warm = min(MAX_WARM, WARM_ROUNDS * len(records))
        count = options.lines if number else max(options.lines, warm)
        lines = rounds(adapter.name, records, count, number)
        size = sum(map(len, lines)) // len(lines)
        settle()
        floors.append(floor())
        cpu_s, dead = one_pass(normalizer, lines, context)
        spent.append(cpu_s / len(lines))
    middle = statistics.median(spent[1:])
    return {
        "records": len(records),
        "bytes": size,
        "skeletons": None if options.plain else seen(adapter, lines),
        "served": served(normalizer, lines, context),
        "us_per_line": round(middle * 1e6, 1),
        "lines_per_cpu_s": round(1 / middle),
        "floor_us": round(statistics.median(floors) * 1e6, 1),
        "dead_letters": dead,
    }


def main() -> int:
    """Run; 1 when an adapter is slower than what is asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("adapters", nargs="*", help="names; none: all that read text")
    parser.add_argument("--records", type=Path, help="folder of records, ADAPTER.log")
    parser.add_argument("--lines", type=int, default=20_000, help="of each pass")
    parser.add_argument("--passes", type=int, default=5, help="timed; their median counts")
    parser.add_argument("--plain", action="store_true", help="without the native module")
    parser.add_argument("--received", default=RECEIVED, help="arrival of every line")
    options = parser.parse_args()
    known = load("ingest.adapters", "ADAPTER", Adapter)
    found = {}
    print(
        "| adapter | records | skeletons | served | bytes a line | µs a line | floor | lines per CPU second |\n|---|---|---|---|---|---|---|---|"
    )
    for name in options.adapters or sorted(set(known) - BINARY):
        one = found[name] = measure(known[name], options)
        mark = "" if one["lines_per_cpu_s"] >= ASKED else " <"
        shapes = " | ".join(
            "" if one[key] is None else str(one[key]) for key in ("skeletons", "served")
        )
        print(
            f"| {name} | {one['records']} | {shapes} | {one['bytes']} | {one['us_per_line']} | {one['floor_us']} | {one['lines_per_cpu_s']:,}{mark} |",
            flush=True,
        )
    print(json.dumps(found))
    return int(any(one["lines_per_cpu_s"] < ASKED for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
