"""JSON lines of any shape to the rules that hold: decoding, viewing and matching in one place.

`opsonin match`, backtests and benchmarks go through here. Integers of any size are kept exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from contract.errors import ParseError
from correlate.sigma.engine import Engine
from correlate.sigma.route import Router
from correlate.sigma.rules import Detection
from correlate.sigma.taxonomy import Source
from correlate.sigma.view import flat

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def decode(line: bytes | str) -> dict[str, Any]:
    """Return the JSON object of a line, as it came.

    Raises:
        ParseError: not a JSON object.
    """
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ParseError(f"not a JSON object: {error}") from error


class LineMatcher:
    """Matches encoded events of unknown shape.

    Args:
        rules: detections in the order in which hits are returned.
        stated: the log source of all events, where the user states it.
        plain: use no native code.
    """

    def __init__(
        self, rules: Iterable[Detection], *, stated: Source | None = None, plain: bool = False
    ) -> None:
        self.engine = Engine(rules, Router(stated), nested=True, plain=plain)
        self._match = self.engine.match

    def match(self, line: bytes) -> list[Detection]:
        """Return the rules that hold for a line.

        Raises:
            ParseError: not a JSON object.
        """
        try:
            event = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ParseError(f"not a JSON object: {error}") from error
        # With a channel at the top, what may be nested matters to rules with dotted names alone.
        if "Channel" not in event or "EventData" in event:
            event = flat(event)
        return self._match(event, line)
