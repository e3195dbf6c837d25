"""Questions to the store: records by kind, id and time; dead letters; counts. For commands beside a running engine too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from json import dumps

from contract.records import Alert, Chain, DeadLetter, Decision, Outcome
from runtime.store import Store, Stored

_TYPES: dict[str, type[Stored]] = {
    "alert": Alert,
    "chain": Chain,
    "decision": Decision,
    "outcome": Outcome,
}


def records(
    store: Store, kind: str, *, newest_first: bool = True, limit: int = -1
) -> Iterator[Stored]:
    """Yield the last revision of each record of a kind, by time. O(yielded)."""
    order = "DESC" if newest_first else "ASC"
    rows = store.db.execute(
        f"SELECT json FROM record WHERE kind = ? ORDER BY time_us {order}, id LIMIT ?",  # noqa: S608 - a constant
        (kind, limit),
    )
    for (json,) in rows:
        yield _TYPES[kind].model_validate_json(json)


def find(store: Store, kind: str, id: str) -> Stored | None:
    """Return the record of this id, or the only one whose id starts so; None when none or several do."""
    rows = store.db.execute(
        "SELECT json FROM record WHERE kind = ? AND id >= ? AND id < ? LIMIT 2",
        (kind, id, id + "\x7f"),
    ).fetchall()
    return _TYPES[kind].model_validate_json(rows[0][0]) if len(rows) == 1 else None


def by_ids(store: Store, kind: str, ids: Iterable[str]) -> Iterator[Stored]:
    """Yield the records of these ids that are there, in the ids' order."""
    for id in ids:
        row = store.db.execute(
            "SELECT json FROM record WHERE kind = ? AND id = ?", (kind, id)
        ).fetchone()
        if row:
            yield _TYPES[kind].model_validate_json(row[0])


def dead_letters(store: Store, *, limit: int = -1) -> Iterator[DeadLetter]:
    """Yield dead letters, oldest first."""
    for (json,) in store.db.execute("SELECT json FROM dead_letter ORDER BY seq LIMIT ?", (limit,)):
        yield DeadLetter.model_validate_json(json)


def events(store: Store, *, at_once: int = 1_000) -> Iterator[bytes]:
    """Yield every stored event's JSON, by time. Reads a portion at a time, so that a running engine is not held up."""
    place: tuple[int, str] = (-(2**63), "")
    while rows := store.db.execute(
        "SELECT time_us, id, json FROM event WHERE (time_us, id) > (?, ?) ORDER BY time_us, id LIMIT ?",
        (*place, at_once),
    ).fetchall():
        for _, _, json in rows:
            yield bytes(json)
        place = rows[-1][:2]


def worst_chains(store: Store, limit: int) -> tuple[list[Chain], int]:
    """Return so many of the chains that hold alerts, the highest score first, and how many there are. O(chains), in SQLite."""
    holding = "kind = 'chain' AND json_array_length(json, '$.alerts') > 0"
    rows = store.db.execute(
        f"SELECT json FROM record WHERE {holding} ORDER BY json_extract(json, '$.score') DESC, id LIMIT ?",  # noqa: S608 - a constant
        (limit,),
    ).fetchall()
    (count,) = store.db.execute(f"SELECT count(*) FROM record WHERE {holding}").fetchone()  # noqa: S608 - a constant
    return [Chain.model_validate_json(json) for (json,) in rows], count


def holders(store: Store, alerts: Collection[str]) -> dict[str, str]:
    """Return the ids of the chains that hold alerts of these ids, by alert. O(alerts of all chains), in SQLite."""
    rows = store.db.execute(
        "SELECT held.value, record.id FROM record, json_each(record.json, '$.alerts') AS held"
        " WHERE kind = 'chain' AND held.value IN (SELECT value FROM json_each(?))",
        (dumps(list(alerts)),),
    )
    return dict(rows.fetchall())


def decisions(store: Store, state: str, chain: str, limit: int) -> list[Decision]:
    """Return decisions, newest first: those in a state, or of a chain, where it is not empty. O(decisions), in SQLite."""
    rows = store.db.execute(
        "SELECT json FROM record WHERE kind = 'decision' AND ? IN ('', json_extract(json, '$.state'))"
        " AND ? IN ('', json_extract(json, '$.chain')) ORDER BY time_us DESC, id LIMIT ?",
        (state, chain, limit),
    )
    return [Decision.model_validate_json(json) for (json,) in rows]


def outcomes(store: Store, decision: str) -> list[Outcome]:
    """Return what enforcement points answered to a decision, newest first. O(outcomes), in SQLite."""
    rows = store.db.execute(
        "SELECT json FROM record WHERE kind = 'outcome' AND json_extract(json, '$.decision') = ?"
        " ORDER BY time_us DESC, id",
        (decision,),
    )
    return [Outcome.model_validate_json(json) for (json,) in rows]


def decision_history(store: Store, id: str) -> list[Decision]:
    """Return all revisions of a decision, oldest first."""
    rows = store.db.execute(
        "SELECT json FROM decision_history WHERE id = ? ORDER BY revision", (id,)
    )
    return [Decision.model_validate_json(json) for (json,) in rows]


def counts(store: Store) -> dict[str, int]:
    """Return how many of each kind there are. O(records); events are estimated by the largest row id."""
    found = dict(store.db.execute("SELECT kind, count(*) FROM record GROUP BY kind"))
    found["event"] = store.db.execute("SELECT coalesce(max(rowid), 0) FROM event").fetchone()[0]
    found["dead_letter"] = store.db.execute("SELECT count(*) FROM dead_letter").fetchone()[0]
    return found


def alerts_between(store: Store, first_us: int, last_us: int, limit: int) -> Iterator[Alert]:
    """Yield alerts whose last activity lies in a span of time, oldest first."""
    rows = store.db.execute(
        "SELECT json FROM record WHERE kind = 'alert' AND time_us BETWEEN ? AND ? ORDER BY time_us, id LIMIT ?",
        (first_us, last_us, limit),
    )
    for (json,) in rows:
        yield Alert.model_validate_json(json)
