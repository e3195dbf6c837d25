"""Mutate records and watch the adapters: nothing raised, nothing silent, nothing slow, nothing read in two ways.

    bench/fuzz_ingest.py --lines 1000000 --seed 7 suricata.eve linux.netfilter
    bench/fuzz_ingest.py --lines 10000                      # every adapter
    bench/fuzz_ingest.py --lines 1000000 --family firewalls --records /tmp/records      # in equal parts to its adapters

The records of `tests/data/adapter/`, and those of `ADAPTER.log` in the folder that `--records` names, are mutated (bytes flipped, cut,
doubled, spliced, values replaced, characters cut in two or wrongly encoded, noise). Each must end
as events or dead letters within the bound of time; the same seed gives the same lines. Where lines are learnt, each is
also read by the adapter alone, and both answers must be equal byte for byte. A failure is printed with its number and bytes. The last line is the result; exit 1 when anything failed.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import re
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# bench/ingest.py bears the name of a package; its folder must not hide the package.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from contract.event import Event  # noqa: E402 - after the line above
from contract.plugins import load  # noqa: E402 - after the line above
from contract.ports import Adapter, Context  # noqa: E402 - after the line above
from contract.records import DeadLetter  # noqa: E402 - after the line above
from contract.timestamps import from_iso  # noqa: E402 - after the line above
from ingest.native import NATIVE  # noqa: E402 - after the line above
from ingest.normalize import Normalizer  # noqa: E402 - after the line above

SEEDS = Path(__file__).resolve().parents[1] / "tests/data/adapter"
RECEIVED_US = from_iso("2026-06-15T12:00:00Z")
FAMILIES = {
    "firewalls": (
        "checkpoint.firewall", "cisco.asa", "cisco.ios", "fortinet.fortigate", "juniper.srx", "linux.netfilter", "mikrotik.routeros", "openbsd.pf",
        "paloalto.panos", "pfsense.filterlog", "sonicwall.firewall", "sophos.firewall",
    ),
    "ids": ("aminer.anomaly", "snort.alert", "suricata.eve", "wazuh.alerts", "zeek.log"),
    "hosts": ("linux.auditd", "linux.auth", "windows.eventlog"),
    "trust": ("keylime.verifier", "linux.ima", "rats.ear", "tcg.eventlog", "tpm.quote"),
    "generic": ("generic.cef", "generic.ecs", "generic.leef"),
}  # fmt: skip
SLOW_S = 0.05
SHOWN = 20
QUOTE = ord('"')
VALUE = re.compile(rb'"[^"]*"|[^\s,:={}"\[\]|;]+')
DIGITS = re.compile(rb"\d+")
EDGES = (
    b"0",
    b"1",
    b"1023",
    b"1024",
    b"65535",
    b"65536",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"00",
    b"60",
)
ODD = (
    b"", b"0", b"-1", b"1e999", b"99999999999999999999", b"1.5", b"null", b"[]", b"{}", b'"x"', b"true", b"2001:db8::1", b"-", b"\0",
    b"Jan 99 99:99:99", b"\xff\xfe", b"%s%n", b"a" * 300, b"\\", b"=", b'"', b"[" * 50, b"{" * 50, b"]", b"\n",
    b"10.20.30.40", b"192.0.2.77", b"0.0.0.0", b"1", b"443", b"1024", b"4711", b"50123", b"65535", b"65536", b"0443", b"123456789012345678",
    b"2026-06-14T12:00:01.5", b"2026-02-29T12:00:01", b"00:01:02", b"Jun 14 12:00:01", b"a.b-c.example", b"/a/b.c?d=e", b"02:11:22:aa:bb:cc", "\u202e".encode(),
)  # fmt: skip
# What takes long if it is read again for each of its letters; rare, since it makes a line that is long anyway.
LONG = (
    b"a" * 20_000,
    b"1" * 20_000,
    b"a." * 10_000,
    b"a b " * 5_000,
    b"A_" * 10_000,
    b"1:" * 10_000,
    b"a=" * 10_000,
    b'\\"' * 10_000,
)
RARELY = 400
# Begun and not ended, ended and not begun, overlong, surrogates, beyond Unicode, a mark of order, other line ends, an escape of JSON.
WRONG = (
    b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\x80", b"\xbf\xbf", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xfe\xff",
    b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\r", b"\x1c", b"\\ud800", b"\\u0000", "\u0661\u0662".encode(), "\u00b2".encode(), "\u0130".encode(),
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, -0.0, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, -(2**63) - 1, float("inf"), "", " ", "0", "-", "null", "a" * 5000,
    "0x7f", "0xzz", "1e5", "12:00", "2026-06-14T12:00:01Z", "9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z", 1781521200, 1781521200123456789, "192.0.2.1", "::1", "::ffff:1.2.3.4",
    "1.2.3", "a.b", "\ud800", "\0", "\u2028", "%s", "{}", "[]", [], {}, [None], [[]], [{}], {"": ""}, {"a": {"b": [1]}}, ["x", 1, None], "C:\\x\\y.exe", "S-1-5-18", "AAAA", "ff" * 40,
)  # fmt: skip


def mutations(records: list[bytes], count: int, chance: random.Random) -> Iterator[bytes]:
    """Yield mutated records, one to four changes each; some are noise alone."""
    for _ in range(count):
        raw = chance.choice(records)
        if raw[:1] == b"{" and chance.randrange(2):
            yield change_member(raw, chance)
            continue
        for _ in range(chance.choice((1, 1, 2, 4))):
            raw = mutate(raw, records, chance)
        yield raw[:100_000]


def mutate(raw: bytes, records: list[bytes], chance: random.Random) -> bytes:
    """Return the record with one change; most replace a value or a number, which keeps JSON whole."""
    at = chance.randrange(len(raw) + 1)
    kind = chance.randrange(5)
    if kind == 1:
        return replace_value(raw, chance)
    if kind > 1:
        return replace_number(raw, chance) if kind < 4 else break_text(raw, at, chance)  # noqa: PLR2004 - two of five
    other = chance.choice(records)
    end = min(len(raw), at + chance.randrange(40))
    return chance.choice(
        (
            raw[:at],
            raw[:at] + chance.randbytes(chance.randrange(1, 5)) + raw[at:],
            raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :],
            raw[:at] + raw[at:end] * chance.randrange(2, 5) + raw[end:],
            raw[:at] + raw[at + chance.randrange(1, 30) :],
            raw[:at] + other[chance.randrange(len(other) + 1) :],
            chance.randbytes(chance.randrange(200)),
        )
    )


def replace_value(raw: bytes, chance: random.Random) -> bytes:
    """Return the record with one of its values replaced by an odd one."""
    spans = [match.span() for match in VALUE.finditer(raw[:4000])]
    if not spans:
        return raw
    start, end = chance.choice(spans)
    odd = chance.choice(ODD if chance.randrange(RARELY) else LONG)
    if raw[start] == QUOTE and chance.randrange(2):
        odd = b'"' + odd + b'"'
    return raw[:start] + odd + raw[end:]


def replace_number(raw: bytes, chance: random.Random) -> bytes:
    """Return the record with one of its runs of digits replaced by another, at times of a length at which readings part."""
    spans = [match.span() for match in DIGITS.finditer(raw[:4000])]
    if not spans:
        return raw
    start, end = chance.choice(spans)
    length = chance.choice((end - start, end - start, end - start, 1, 2, 4, 5, 10, 18, 19, 20))
    new = b"%0*d" % (length, chance.randrange(10**length))
    return raw[:start] + chance.choice((new, new, new, chance.choice(EDGES))) + raw[end:]


def change_member(raw: bytes, chance: random.Random) -> bytes:
    """Return a JSON record with some members replaced, renamed, dropped, doubled or wrapped, and still JSON."""
    try:
        whole = json.loads(raw)
    except ValueError:
        return raw
    for _ in range(chance.randrange(1, 4)):
        owner = whole
        while isinstance(owner, dict) and owner:
            name = chance.choice(list(owner))
            if not isinstance(owner[name], dict) or not owner[name] or not chance.randrange(4):
                change(owner, name, chance)
                break
            owner = owner[name]
    return json.dumps(whole, ensure_ascii=not chance.randrange(2)).encode("utf-8", "surrogatepass")


def change(owner: dict[str, Any], name: str, chance: random.Random) -> None:
    """Change one member of a JSON object."""
    value = owner[name]
    odd = copy.deepcopy(chance.choice(VALUES))
    if not chance.randrange(RARELY):
        odd = chance.choice(LONG).decode()
    way = chance.randrange(6)
    if way < 3:  # noqa: PLR2004 - half of six
        owner[name] = odd
    elif way == 3:  # noqa: PLR2004 - see above
        owner[chance.choice((name.upper(), name + ".x", "", name[1:], "a" * 600))] = owner.pop(name)
    else:
        owner[name] = [value, odd] if way == 4 else {"x": value, name: odd}  # noqa: PLR2004 - see above


def break_text(raw: bytes, at: int, chance: random.Random) -> bytes:
    """Return the record with text in it that is none, or that is and looks like something else."""
    wrong = chance.choice(WRONG) * chance.choice((1, 1, 1, 2, 2000))
    return raw[:at] + wrong + raw[at + chance.randrange(3) :]


def records_of(name: str, more: Path | None) -> list[bytes]:
    """Return the raw records kept for an adapter, and more of them from a folder."""
    found: list[bytes] = []
    if more is not None and (file := more / f"{name}.log").exists():
        found += [line for line in file.read_bytes().split(b"\n") if line]
    for path in sorted((SEEDS / name.replace(".", "_")).iterdir()):
        if path.suffix == ".raw":
            found.append(path.read_bytes())
        elif path.suffix == ".log":
            found += [line for line in path.read_bytes().split(b"\n") if line]
    return found


def fuzz(adapter: Adapter, count: int, seed: int, more: Path | None) -> dict[str, Any]:
    """Run one adapter; return what happened."""
    records = records_of(adapter.name, more)
    chance = random.Random(f"{adapter.name} {seed}")  # noqa: S311 - repeatable, no secret
    normalizer = Normalizer(adapter, "fuzz")
    context = Context(received_us=RECEIVED_US)
    plain = Normalizer(adapter, "fuzz", learns=False) if learns(adapter) else None
    warm_up(normalizer, adapter, context, records)
    apart = copy.deepcopy(context)  # both remember what they read, each for itself
    events = dead = held = slow = failed = unlike = 0
    worst = 0.0
    for number, raw in enumerate(mutations(records, count, chance)):
        began = time.perf_counter()
        try:
            results = normalizer.take(raw, context)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            failed += 1
            if failed <= SHOWN:
                print(
                    f"{adapter.name} {number}: {type(error).__name__}: {error}: {raw[:300]!r}",
                    file=sys.stderr,
                )
            continue
        took = time.perf_counter() - began
        if (
            took > SLOW_S and again(normalizer, raw) > SLOW_S
        ):  # not when the machine was busy elsewhere
            slow += 1
            if slow <= SHOWN:
                print(f"{adapter.name} {number}: {took:.3f} s: {raw[:300]!r}", file=sys.stderr)
        worst = max(worst, took)
        unlike += plain is not None and is_unlike(plain.take(raw, apart), results, number)
        if not results:
            held += 1
        elif any(isinstance(result, DeadLetter) for result in results):
            dead += 1
        elif all(isinstance(result, Event) for result in results):
            events += 1
        else:
            failed += 1
    normalizer.flush(context)
    # An adapter without memory must answer every record at once; one with memory may hold some back.
    silent = held if adapter.flush is None and not context.state else 0
    return {
        "lines": count, "parsed": events, "dead_letters": dead, "held": held, "silent": silent, "failed": failed, "slow": slow, "unlike": unlike,
        "slowest_ms": round(worst * 1000, 1),
    }  # fmt: skip


def learns(adapter: Adapter) -> bool:
    """Tell whether lines of this adapter are learnt here."""
    return NATIVE is not None and adapter.holes is not None


def is_unlike(plain: list[Any], results: list[Any], number: int) -> bool:
    """Tell, and print, whether the adapter alone answers otherwise."""
    if results == plain:
        return False
    print(f"{number}: read in two ways: {differing(plain, results)!r:.600}", file=sys.stderr)
    return True


def differing(plain: list[Any], results: list[Any]) -> Any:
    """Return the fields that differ, with what the adapter alone says and what came; else both answers."""
    if len(plain) != 1 or len(results) != 1 or not hasattr(plain[0], "fields"):
        return plain, results
    one, other = plain[0].fields, getattr(results[0], "fields", {})
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return {name: (one.get(name), other.get(name)) for name in names} or (plain, results)


def warm_up(
    normalizer: Normalizer, adapter: Adapter, context: Context, records: list[bytes]
) -> None:
    """Let the lines that are kept be learnt, so that mutated ones meet templates."""
    if learns(adapter):
        for raw in records * 4:
            normalizer.take(raw, context)


def again(normalizer: Normalizer, raw: bytes) -> float:
    """Return the best time of three more readings."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        normalizer.take(raw, Context(received_us=RECEIVED_US))
        best = min(best, time.process_time() - began)
    return best


def main() -> int:
    """Run; the last line on standard output is the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("adapters", nargs="*", help="names; none: all")
    parser.add_argument("--lines", type=int, default=10_000, help="per adapter, or per family")
    parser.add_argument("--family", choices=list(FAMILIES))
    parser.add_argument("--records", type=Path, help="folder of more records, ADAPTER.log")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    known = load("ingest.adapters", "ADAPTER", Adapter)
    found = {}
    names = options.adapters or FAMILIES.get(options.family) or list(known)
    lines = -(-options.lines // len(names)) if options.family else options.lines
    for name in names:
        found[name] = fuzz(known[name], lines, options.seed, options.records)
        print(name, json.dumps(found[name]), file=sys.stderr)
    bad = sum(one["failed"] + one["slow"] + one["silent"] + one["unlike"] for one in found.values())
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    total = sum(one["lines"] for one in found.values())
    print(
        json.dumps(
            {"seed": options.seed, "lines": total, "bad": bad, "rss_mb": rss_mb, "adapters": found}
        )
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
