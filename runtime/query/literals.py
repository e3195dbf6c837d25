"""Which bytes a document must contain for a query to hold: most are passed over before they are decoded. Pure."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from runtime.query.resolve import Fields
from runtime.query.terms import Both, Either, Is, Like, Query

Clauses: TypeAlias = tuple[tuple[bytes, ...], ...]
"""Of each clause, at least one text must be in the document."""

_MOST: Final = 16
_AS_THEY_ARE: Final = re.compile(r'[^"\\\x00-\x1f\x7f]+')
_NUMERIC: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_V4: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def required(query: Query, fields: Fields) -> Clauses:
    """Return clauses that every document that the query holds for fulfils; none where nothing can be said.

    For JSON as the engine writes it: only quotes, backslashes and control characters are escaped.
    """
    match query:
        case Both():
            found = [clause for part in query.parts for clause in required(part, fields)]
            return tuple(found[:_MOST])
        case Either():
            parts = [required(part, fields) for part in query.parts]
            if all(parts):
                merged = tuple(text for part in parts for text in part[0])
                return (merged,) if len(merged) <= _MOST else ()
            return ()
        case Is():
            return _of_value(query, fields)
        case Like() if query.field and fields[query.field].sort == "keyword":
            texts = [piece for piece in query.pieces if _AS_THEY_ARE.fullmatch(piece)]
            return tuple((piece.encode(),) for piece in texts)
        case _:
            return ()


def _of_value(query: Is, fields: Fields) -> Clauses:
    value = query.value
    if not query.field:
        # Words are compared without case, and cut at signs: only numbers and addresses stand there as they are.
        return ((value.encode(),),) if _NUMERIC.fullmatch(value) else ()
    sort = fields[query.field].sort
    if sort == "keyword" and _AS_THEY_ARE.fullmatch(value):
        return ((value.encode(),),)
    if sort == "address" and _V4.fullmatch(value):
        return ((value.encode(),),)
    return ()
