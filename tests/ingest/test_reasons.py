"""Why a record is refused is said in our words: an error of Python's would be a case that nobody thought of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.plugins import load
from contract.ports import Adapter, Context
from contract.records import DeadLetter
from contract.timestamps import from_iso
from ingest.normalize import Normalizer

ADAPTERS = load("ingest.adapters", "ADAPTER", Adapter)
DATA = Path(__file__).parents[1] / "data/adapter"
JSON_ADAPTERS = sorted(
    name
    for name in ADAPTERS
    if any(b'{"' in path.read_bytes() for path in (DATA / name.replace(".", "_")).glob("*.[lr]*"))
)
ODD: tuple[Any, ...] = (
    None, True, False, -1, 1.5, 2**70, 1e300, "", "x", [], [1], ["x", None], {}, {"a": 1}, [{"a": [1]}],
)  # fmt: skip
ODD_TEXTS = (b"", b"x", b"-1", b"99", b"9" * 24, b"9" * 5000, b"0x" + b"f" * 24, b"\xc2\xb2", b'"')
WORD = re.compile(rb"[A-Za-z0-9_.:/-]+")
OF_PYTHON = re.compile(
    r"(?:Error|Exception)\b|NoneType|\b(?:int|str|list|dict|float|bool|bytes)'|object (?:is not|has no)|subscriptable"
    r"|out of range for|must be in|unhashable|\.py:\d"
).search
Place = tuple[str | int, ...]


def places(value: object, place: Place = ()) -> Iterator[Place]:
    yield place
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value[:2]):
            yield from places(item, (*place, index))


def put(value: Any, place: Place, odd: object) -> Any:
    if not place:
        return odd
    copy = value.copy()
    copy[place[0]] = put(value[place[0]], place[1:], odd)
    return copy


def records(name: str) -> Iterator[tuple[bytes, Context]]:
    for path in sorted((DATA / name.replace(".", "_")).glob("*.[lr]*")):
        if path.suffix not in {".log", ".raw"}:
            continue
        beside = path.with_suffix(".context.json")
        said = json.loads(beside.read_bytes()) if beside.exists() else {}
        received_us = from_iso(said.get("received", "2026-06-15T12:00:00Z"))
        whole = path.read_bytes()
        for raw in filter(None, whole.split(b"\n") if path.suffix == ".log" else [whole]):
            yield raw, Context(received_us=received_us, options=said.get("options", {}))


def reasons(normalizer: Normalizer, raw: bytes, context: Context) -> Iterator[str]:
    context = Context(received_us=context.received_us, options=context.options)
    for result in (*normalizer.take(raw, context), *normalizer.flush(context)):
        if isinstance(result, DeadLetter):
            yield result.reason


def test_the_pattern_knows_errors_of_python() -> None:
    for code in ("{}[[]]", "None.x", "int('x')", "1 < []", "[][0]", "{}['x']"):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever Python says
            eval(code)  # noqa: S307 - the constants above
        assert OF_PYTHON(f"{type(caught.value).__name__}: {caught.value}")
    assert not OF_PYTHON("timestamp: expected an ISO 8601 date and time, came 'x'")


@pytest.mark.parametrize("name", JSON_ADAPTERS)
def test_a_value_of_an_odd_kind_is_refused_in_our_words_if_at_all(name: str) -> None:
    """Each place of the example records is filled with each odd value once."""
    normalizer, tried, done = Normalizer(ADAPTERS[name], "s", learns=False), 0, set[Place]()
    for raw, context in records(name):
        head, brace, rest = raw.partition(b"{")
        try:
            record = json.loads(brace + rest)
        except ValueError:
            continue
        for place in places(record):
            if place in done:
                continue
            done.add(place)
            for odd in ODD:
                odd_raw = head + json.dumps(put(record, place, odd)).encode()
                for reason in reasons(normalizer, odd_raw, context):
                    assert not OF_PYTHON(reason), (reason, place, odd)
                tried += 1
    assert tried


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_an_odd_word_is_refused_in_our_words_if_at_all(name: str) -> None:
    """Every word of the example records is replaced once, by one odd text after the other."""
    normalizer, number = Normalizer(ADAPTERS[name], "s", learns=False), 0
    for raw, context in records(name):
        for word in WORD.finditer(raw[:500]):
            odd = raw[: word.start()] + ODD_TEXTS[number % len(ODD_TEXTS)] + raw[word.end() :]
            number += 1
            for reason in reasons(normalizer, odd, context):
                assert not OF_PYTHON(reason), (reason, odd)
    assert number
