"""What is searched for, and what is found: the same for both backends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from contract.event import Fields as Document
from contract.timestamps import MAX_US, MIN_US
from runtime.query.match import Predicate, predicate
from runtime.query.parse import parse
from runtime.query.resolve import Fields, resolve
from runtime.query.terms import Query

Kind: TypeAlias = Literal["event", "alert", "chain", "decision", "outcome", "dead_letter"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(slots=True, frozen=True)
class Request:
    """A search, checked.

    Attributes:
        kind: of records.
        query: parsed.
        fields: of the query, resolved.
        holds: the query for one document in memory.
        now_us: what `now` means in it.
        first_us: earliest `@timestamp`, to the millisecond.
        last_us: latest, to the millisecond.
        limit: most records; the newest are found.
    """

    kind: Kind
    query: Query
    fields: Fields
    holds: Predicate
    now_us: int
    first_us: int = MIN_US
    last_us: int = MAX_US
    limit: int = 100


@dataclass(slots=True, frozen=True)
class Hit:
    """One record found: its flat document. Hits come the newest first, those of one millisecond by id."""

    id: str
    document: Document


def request(
    text: str,
    kind: Kind,
    now_us: int,
    *,
    first_us: int = MIN_US,
    last_us: int = MAX_US,
    limit: int = 100,
) -> Request:
    """Parse and check a search.

    Raises:
        QueryError: the text is no query, or a value is not of its field's type.
    """
    query = parse(text)
    fields = resolve(query)
    holds = predicate(query, fields, now_us)
    return Request(kind, query, fields, holds, now_us, first_us, last_us, limit)
