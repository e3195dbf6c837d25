"""Sigma detection on one core, beside rsigma in the same run: events a second, load time, memory, hits.

Example: .venv/bin/python bench/detect.py --rules ../shared/data/sigmahq --events ../shared/data/bench/windows_events.jsonl.gz

Each number of rules runs in a fresh process that reads the events as a stream, decodes, routes and matches
them. The first pass compiles classes and learns; the figures are the best and the median of the later passes, each
begun with all remembered values forgotten, so that repeating the file brings no profit. The median includes passes
in which it learns anew; take many passes: the first few do, the later ones hardly. The last line is the
result for the whole Windows rule set, with the others under `sizes`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid5

SHARED = Path(__file__).parents[1] / "../shared"
FOLDERS = ("rules", "rules-emerging-threats", "rules-threat-hunting")
FEW = 300
COPIES = 10


def main() -> int:
    """Run the sizes and print the result."""
    arguments = _arguments().parse_args()
    if arguments.child is not None:
        return _child(arguments)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(_measure(arguments, Path(folder))), flush=True)
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rules", type=Path, default=SHARED / "data/sigmahq")
    parser.add_argument(
        "--events", type=Path, default=SHARED / "data/bench/windows_events.jsonl.gz"
    )
    parser.add_argument("--category", help="only rules of this category, e.g. process_creation")
    parser.add_argument("--passes", type=int, default=12, help="over the events, after the first")
    parser.add_argument(
        "--sizes",
        default=f"0,{FEW},1x,{COPIES}x",
        help="numbers of rules; 1x: all; 10x: ten copies of all with changed literals",
    )
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument(
        "--adversary", action="store_true", help="events of ever new, long, near-miss values"
    )
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--no-native", action="store_true", help="leave the native module out")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    return parser


def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    events = folder / "events.jsonl"
    with _open(arguments.events) as source, events.open("wb") as copy:
        shutil.copyfileobj(source, copy)
    if arguments.adversary:
        events = _adversary(events, folder / "adversary.jsonl")
    chosen = _windows(arguments.rules, arguments.category)
    sizes: dict[str, Any] = {}
    result: dict[str, Any] = {}
    for size in arguments.sizes.split(","):
        rules = folder / f"rules-{size}"
        count, changed = _write(chosen, rules, size)
        _say(f"{count} rules")
        result = _ours(arguments, rules, events, folder / f"cache-{size}")
        if changed:
            result["changed_copies"] = changed
        if not arguments.no_peer and count:
            result |= _peer(rules, events, arguments.core)
            if "peer_events_per_s" in result:
                # On a machine that others use, seconds of the processor compare better.
                for name, unit in (("ratio", "events_per_s"), ("ratio_cpu", "events_per_cpu_s")):
                    result[name] = round(result[unit] / result[f"peer_{unit}"], 2)
                    median_rate = result[f"median_{unit}"]
                    result[f"{name}_median"] = round(median_rate / result[f"peer_{unit}"], 2)
        _say(json.dumps(result))
        sizes[str(count)] = result
    last = sizes.get(str(len(chosen)), result)
    return {"rules": len(chosen), **last, "sizes": sizes}


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ------------------------------------------------------------------ rules and events


def _windows(root: Path, category: str | None) -> list[tuple[Path, dict[str, Any]]]:
    """Return the `product: windows` detection rules of a checkout of SigmaHQ, or all of a folder."""
    import yaml  # noqa: PLC0415

    folders = [root / name for name in FOLDERS if (root / name).is_dir()] or [root]
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*.yml")):
            document = next(yaml.load_all(path.read_text("utf-8"), yaml.CSafeLoader), None) or {}
            source = document.get("logsource") or {}
            if source.get("product") == "windows" and category in (None, source.get("category")):
                found.append((path, document))
    return found


def _write(chosen: list[tuple[Path, dict[str, Any]]], folder: Path, size: str) -> tuple[int, int]:
    """Put rules into a folder: the first N at even distances, or all, or copies with changed literals.

    Returns how many there are, and how many of the copies differ from their original: some rules hold no literal.
    """
    folder.mkdir()
    copies = int(size[:-1]) if size.endswith("x") else 1
    count = len(chosen) if size.endswith("x") else int(size)
    if count > len(chosen):
        raise SystemExit(
            f"--sizes {size}: there are {len(chosen)} rules; expected fewer, or copies as 10x"
        )
    step = len(chosen) / count if count else 1
    rules = [chosen[int(at * step)] for at in range(count)]
    for at, (path, _) in enumerate(rules):
        shutil.copy(path, folder / f"{at:05}.yml")
    changed = 0
    for copy in range(1, copies):
        for at, (_, document) in enumerate(rules):
            renamed = dict(
                document, id=str(uuid5(UUID(document["id"]), str(copy))), title=f"Copy {copy}"
            )
            renamed["detection"] = _copy(document["detection"], copy)
            changed += renamed["detection"] != document["detection"]
            text = json.dumps(renamed, default=str, ensure_ascii=False)
            (folder / f"{at:05}-{copy}.yml").write_text(text)
    return len(rules) * copies, changed


def _copy(detection: dict[str, Any], copy: int) -> dict[str, Any]:
    """Return a detection whose literals are a letter longer; conditions and patterns stay.

    What the condition negates stays too: a copy without its filter would match what the rule is written to leave
    alone, and its hits, not the number of rules, would be measured.
    """
    condition = str(detection["condition"])
    negated = re.findall(r"\bnot\s+(?:1 of\s+|all of\s+)?([\w*]+)", condition)
    for inside in re.findall(r"\bnot\s+\(([^()]*)\)", condition):
        negated += re.findall(r"[\w*]+", inside)
    kept = re.compile("|".join(name.replace("*", ".*") for name in (*negated, "condition")))
    return {
        name: one if kept.fullmatch(name) else _changed(one, copy)
        for name, one in detection.items()
    }


def _changed(value: Any, copy: int, name: str = "") -> Any:
    """Return a part of a detection with its literals a letter longer."""
    if isinstance(value, dict):
        return {key: _changed(one, copy, str(key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_changed(one, copy, name) for one in value]
    if not isinstance(value, str) or re.search(r"\|(re|cidr|fieldref|exists)", name):
        return value
    runs = list(re.finditer(r"[A-Za-z]{3,}", value))
    if not runs:
        return value
    end = max(runs, key=lambda run: len(run.group())).end() - 1
    return value[:end] + chr(ord("a") + copy) + value[end:]


def _adversary(events: Path, made: Path) -> Path:
    """Write events whose every text is new, twice as long, and full of pieces of real literals."""
    choose = random.Random(1)  # noqa: S311  # repeatable, not secret
    near = (
        "\\powershel1.exe -encodedcomman ", "sekurlsa:", "\\mimikat.exe", "cmd.exe /c ech", "::clea",
        "\\appdata\\roamin", "invoke-mimikat", "certutil -urlcach", "rundll32 comsvcs.dl", "frombase64strin",
    )  # fmt: skip
    with events.open("rb") as source, made.open("wb") as out:
        for number, line in enumerate(source):
            event = json.loads(line)
            for name, value in event.items():
                if isinstance(value, str) and name not in ("Channel", "SourceName", "@timestamp"):
                    # A letter between, or two pieces would make a literal whole: these events are to miss.
                    pieces = "z".join(choose.choice(near) for _ in range(len(value) // 24))
                    event[name] = f"{value}{number:x}{pieces}"
            out.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
    return made


# ------------------------------------------------------------------ ours


def _ours(arguments: argparse.Namespace, rules: Path, events: Path, cache: Path) -> dict[str, Any]:
    """Run the child twice: cold, without a cache, then warm."""
    command = [
        sys.executable, __file__, "--child", str(rules), "--events", str(events), "--cache", str(cache),
        "--core", str(arguments.core),
    ]  # fmt: skip
    environment = {"OPSONIN_NATIVE": "0"} if arguments.no_native else {}
    cold = _json_of([*command, "--passes", "0"], **environment)
    warm = _json_of([*command, "--passes", str(arguments.passes)], **environment)
    return {**warm, "load_s": cold["load_s"], "warm_load_s": warm["load_s"]}


def _json_of(command: list[str], **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, env={**os.environ, **environment}
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _child(arguments: argparse.Namespace) -> int:
    os.sched_setaffinity(0, {arguments.core})
    began = time.perf_counter()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from correlate.sigma.lines import LineMatcher  # noqa: PLC0415
    from runtime.rule_cache import load_rules  # noqa: PLC0415

    loaded = load_rules([arguments.child], cache_folder=arguments.cache)
    matcher = LineMatcher(loaded.rules.detections.values())
    load = time.perf_counter() - began
    rates, cpu_rates = [], []
    first = hits = events = 0
    for number in range(arguments.passes + 1 if arguments.passes else 0):
        matcher.forget_values()
        began, cpu = time.perf_counter(), time.process_time()
        events, hits = _pass(matcher, arguments.events)
        seconds = time.perf_counter() - began
        if number == 0:
            first = round(events / seconds)
        else:
            rates.append(events / seconds)
            cpu_rates.append(events / (time.process_time() - cpu))
        _say(
            f"pass {number}: {events / seconds:.0f}/s wall, {events / (time.process_time() - cpu):.0f}/s cpu"
        )
    result = {
        "events_per_s": round(max(rates, default=0)),
        "events_per_cpu_s": round(max(cpu_rates, default=0)),
        "median_events_per_s": round(median(rates or [0])),
        "median_events_per_cpu_s": round(median(cpu_rates or [0])),
        "first_pass_events_per_s": first,
        "load_s": round(load, 3),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "hits": hits,
        "events": events,
        "refused": len(loaded.rules.errors),
        "native": matcher.is_native,
    }
    print(json.dumps(result), flush=True)
    return 0


def _pass(matcher: Any, path: Path) -> tuple[int, int]:
    events = hits = 0
    match = matcher.match
    with path.open("rb", buffering=1 << 20) as lines:
        for line in lines:
            found = match(line)
            events += 1
            if found:
                hits += len(found)
    return events, hits


# ------------------------------------------------------------------ the peer


def _peer(rules: Path, events: Path, core: int) -> dict[str, Any]:
    script = SHARED / "peers/peer_rsigma.sh"
    if not script.exists():
        return {}
    try:
        found = _json_of(
            [str(script), str(rules), str(events), str(core)],
            REPS="2",
            REPEAT="4",
            PYTHON=sys.executable,
        )
    except (subprocess.CalledProcessError, json.JSONDecodeError) as error:
        _say(f"the peer did not run: {error}")
        return {}
    return {
        "peer_events_per_s": found["events_per_s"],
        "peer_events_per_cpu_s": found["events_per_cpu_s"],
        "peer_hits": found["matches"],
        "peer_rss_mb": found["rss_mb"],
        "peer_load_s": found["load_s"],
    }


if __name__ == "__main__":
    sys.exit(main())
