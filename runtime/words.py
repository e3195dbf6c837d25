"""A person's words as records: whoever hears one, at the control socket or at a terminal, makes it here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from contract.ids import derive_id
from contract.records import Command, Correction
from contract.timestamps import to_datetime


def command(verb: str, decision: str, said: Mapping[str, str], now_us: int) -> Command:
    """Return a word on a decision.

    Args:
        verb: approve, reject or revert.
        decision: its id.
        said: `by`, who says it, and `note`, why; either may be absent.
        now_us: wall clock, microseconds.

    Raises:
        pydantic.ValidationError: no such verb.
    """
    return Command.model_validate(
        {
            "id": derive_id("command", verb, decision, str(now_us)),
            "verb": verb,
            "decision": decision,
            "by": said.get("by", ""),
            "note": said.get("note", ""),
            "time": to_datetime(now_us),
        }
    )


def correction(verb: str, said: Mapping[str, Any], now_us: int) -> Correction:
    """Return a word on chains.

    Args:
        verb: merge, split or undo.
        said: the other fields of `contract.records.Correction`, without id and time.
        now_us: wall clock, microseconds.

    Raises:
        pydantic.ValidationError: not such fields.
    """
    text = msgspec.json.encode(said, order="sorted")
    id = derive_id("correction", str(now_us), text)
    return Correction.model_validate({**said, "verb": verb, "id": id, "time": to_datetime(now_us)})
