"""JSON lines of any shape to the rules that hold: decoding, viewing and matching in one place.

`opsonin match`, backtests and benchmarks go through here. Integers of any size are kept exactly. A flat
Windows event is first sieved, where the native module is there, then read for the few fields that the rules of its
class ask, and decoded whole only when a rule is to be evaluated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import msgspec

from contract.errors import ParseError
from correlate.sigma import sieve
from correlate.sigma.engine import Engine
from correlate.sigma.reading import Reading, values_of
from correlate.sigma.route import Router
from correlate.sigma.rules import Detection
from correlate.sigma.sieve import SAMPLE, UNKNOWN, UNSERVED
from correlate.sigma.taxonomy import Source
from correlate.sigma.view import flat

MAX_HINTS = 4096
"""Beginnings of event codes whose class is remembered; with more, all are forgotten."""
MAX_DIGITS = 4000
"""Of an integer that is read as a number; a longer one is a text."""
_HINT = b'"EventID":'
_HINT_LENGTH = len(_HINT) + 6  # a code of five digits and what ends it
_UNSET = msgspec.UNSET
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_step_over = msgspec.json.Decoder(msgspec.defstruct("Nothing", [])).decode


def decode(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line, as it came; a number that is out of range as its text.

    Raises:
        ParseError: not a JSON object.
    """
    try:
        return _decode(line)
    except _FAULTS as error:
        return _with_odd_numbers(line, error)


def _with_odd_numbers(line: bytes, fault: Exception) -> dict[str, Any]:
    """Decode a line that the decoder refused where its numbers alone are the reason."""
    if not isinstance(fault, msgspec.ValidationError) or "out of range" not in str(fault):
        raise ParseError(f"not a JSON object: {fault}") from fault
    try:
        _step_over(line)
        event = json.loads(line.decode(), parse_int=_integer, parse_float=_float)
    except (*_FAULTS, ValueError) as error:
        raise ParseError(f"not a JSON object: {error}") from error
    return dict(event)


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= MAX_DIGITS else text


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


class LineMatcher:
    """Matches encoded events of unknown shape.

    Args:
        rules: detections in the order in which hits are returned.
        stated: the log source of all events, where the user states it.
        plain: use no native code and decode every line whole; gives the same hits.
        native: use the native sieve where it is there.
    """

    def __init__(
        self,
        rules: Iterable[Detection],
        *,
        stated: Source | None = None,
        plain: bool = False,
        native: bool = True,
    ) -> None:
        self._sieve = sieve.made() if native and not plain else None
        self._ask = None if self._sieve is None else self._sieve.ask
        self.engine = Engine(rules, Router(stated), nested=True, plain=plain, sieve=self._sieve)
        self._plain = plain
        self._readings: dict[bytes, Reading] = {}

    def match(self, line: bytes) -> list[Detection]:  # noqa: C901, PLR0912  # in the path of every line: one frame
        """Return the rules that hold for a line.

        Raises:
            ParseError: not a JSON object.
        """
        answer = UNSERVED if self._ask is None else self._ask(line, 0)
        if not answer:
            return []
        at = line.find(_HINT)
        # What follows the name suggests a class; the fields that are then read decide whether it is.
        hint = line[at : at + _HINT_LENGTH] if at >= 0 else b""
        reading = self._readings.get(hint)
        if reading is None or not (line.isascii() or _is_utf8(line)):
            return self._whole(line, hint, answer)
        engine = self.engine
        try:
            values = values_of(reading.decode(line))
            channel, code, source, provider, data = reading.head(values)
            chosen = engine.class_of(
                (channel, code, code.__class__, source is not _UNSET and provider is _UNSET)
            )
        except (*_FAULTS, TypeError):  # TypeError: a list or an object as channel or code
            return self._whole(line, hint, answer)
        if chosen is None or chosen.reading is not reading or data is not _UNSET or not channel:
            return self._whole(line, hint, answer)
        if reading.parents is not None and any(
            one is not _UNSET for one in reading.parents(values)
        ):
            return self._whole(line, hint, answer)
        candidates: Any = chosen.always
        for (_, remembered, of, absent), value in zip(chosen.plan, values, strict=False):
            if value.__class__ is str:
                found = remembered(value)
                if found is None:
                    found = of(value)
            elif value is None or value is _UNSET:
                found = absent
            else:
                found = of(value)
            if found:
                candidates = candidates + found if candidates else found
        if chosen.keywords is not None:
            found = chosen.keywords.of(line)
            if found:
                candidates = candidates + found if candidates else found
        if chosen.samples is not None and (
            chosen.is_due() if answer >= UNKNOWN else answer == SAMPLE
        ):
            event = decode(line)
            hits = engine.evaluate(chosen, event, candidates)
            chosen.learn(event)
        elif candidates:
            hits = engine.evaluate(chosen, decode(line), candidates)
        else:
            hits = []
        if self._sieve is not None:
            if answer == UNKNOWN:
                self._sieve.know(chosen, line)
            self._sieve.refresh(chosen)
            if not candidates:
                self._sieve.clean(chosen, values)
        return hits

    @property
    def is_native(self) -> bool:
        """Whether the native sieve is used."""
        return self._sieve is not None

    def forget_values(self) -> None:
        """Drop what is remembered of values; classes and what was learnt stay."""
        self.engine.forget_values()

    def _whole(self, line: bytes, hint: bytes, answer: int) -> list[Detection]:
        """Match a line decoded whole; remember how to read the next one like it."""
        event = decode(line)
        channel: Any = event.get("Channel")
        code: Any = event.get("EventID")
        # With a channel at the top, what may be nested matters to rules with dotted names alone.
        if "Channel" not in event or "EventData" in event:
            return self.engine.match(flat(event), line, answer)
        hits = self.engine.match(event, line, answer)
        if hint and not self._plain and type(channel) is str and type(code) in (str, int):
            is_nxlog = "SourceName" in event and "Provider_Name" not in event
            chosen = self.engine.class_of((channel, code, type(code), is_nxlog))
            reading = chosen.read() if chosen is not None else None
            if reading is not None:
                if len(self._readings) >= MAX_HINTS:
                    self._readings.clear()
                self._readings[hint] = reading
        return hits


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
