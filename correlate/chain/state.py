"""State of a graph at rest: one part a run, a knot, a published name, so that a snapshot costs what changed.

Versioned JSON. A format change gets a new `VERSION` and an upgrade in `restore`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from contract.errors import StoreError
from contract.records import Entity
from correlate.chain.edges import CODE_OF, EDGE_OF, Tie
from correlate.chain.entities import entity
from correlate.chain.graph import Graph
from correlate.chain.habits import Rarity
from correlate.chain.rests import Group, Kind, Rest
from correlate.chain.runs import Knot, Member, Reach, Run, rule_of

VERSION: Final = 1

_HEAD: Final = b'{"version":%d,' % VERSION

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode(value: Any) -> bytes:
    """Return the bytes of a part, which is not empty; `version` is added."""
    return _HEAD + _encode(value)[1:]


def decode(name: str, data: bytes) -> dict[str, Any]:
    """Return a part's content.

    Raises:
        StoreError: not what `encode` made, or of a newer version.
    """
    try:
        value: dict[str, Any] = _decode(data)
        version = value["version"]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise StoreError(f"chain state: part {name!r} is unreadable: {error}") from error
    if version != VERSION:
        raise StoreError(f"chain state: part {name!r} has version {version}; expected {VERSION}")
    return value


# ------------------------------------------------------------------ graph to parts


def changed(graph: Graph) -> dict[str, bytes | None]:
    """Return the parts of the runs and of what is known that changed since the last call."""
    parts: dict[str, bytes | None] = {}
    for run in graph.weave.retied:
        if run.number in graph.held.runs:
            graph.held.changed[run.number] = run
    graph.weave.retied.clear()
    for number, kept in sorted(graph.held.changed.items()):
        parts[f"run/{number}"] = None if kept is None else _run(kept)
    graph.held.changed.clear()
    for key, rows in graph.trust.changed().items():
        parts[f"trust/{key}"] = None if rows is None else encode({"rows": rows})
    for kind, names, part in _known(graph):
        for name in sorted(names):
            held = part(name)
            place = name if isinstance(name, (str, int)) else "/".join(name)
            parts[f"{kind}/{place}"] = None if held is None else encode(held)
        names.clear()
    return parts


def _known(graph: Graph) -> Iterator[tuple[str, set[Any], Callable[[Any], dict[str, Any] | None]]]:
    """Yield (kind of part, names of what changed, what a part of that name holds) of what is known beside runs."""
    around, baseline = graph.around, graph.weighing.baseline
    yield "gone", graph.gone.changed, lambda one: _row(graph.gone.part(one))
    yield "crowd", graph.postings.changed, lambda one: _row(graph.postings.part(one))
    yield "rest", graph.resting.rests.changed, lambda one: _rest(graph.resting.rests.group(one))
    yield "word", graph.words.changed, lambda one: _row(graph.words.part(one))
    yield "base", baseline.changed, baseline.part
    yield "seen", around.relations.changed, lambda one: _rows(around.relations.part(one))
    identity, aliases = around.whose.identity, around.whose.aliases
    yield "address", identity.changed, lambda one: _rows(identity.part(one))
    yield "alias", aliases.changed, lambda one: _rows(aliases.part(one))


def _row(row: Any) -> dict[str, Any] | None:
    return None if row is None else {"row": row}


def _rows(rows: Any) -> dict[str, Any] | None:
    return None if rows is None else {"rows": rows}


def _rest(group: Group | None) -> dict[str, Any] | None:
    if group is None:
        return None
    return {
        "kind": group.kind,
        "rarity": group.rarity,
        "ripe": group.is_ripe,
        "rests": [
            [
                rest.signature,
                [_entity(it) for it in rest.signing],
                rest.facts,
                _member(rest.member),
                rest.keys,
            ]
            for rest in group.rests.values()
        ],
    }


def _entity(one: Entity) -> tuple[str, str, str]:
    return one.type, one.value, one.role


def _member(one: Member) -> tuple[Any, ...]:
    floating = [_entity(it) for it in one.floating]
    return one.id, one.revision, one.time_us, one.last_us, one.count, floating


def _members(run: Run) -> bytes:
    return _encode([_member(one) for one in run.members.values()])


def _run(run: Run) -> bytes:
    if run.packed is None:
        run.packed = _members(run)
    return encode(
        {
            "rule": [run.rule.id, run.rule.name, run.rule.level],
            "signature": run.signature,
            "tactics": run.tactics,
            "techniques": run.techniques,
            "signing": [_entity(one) for one in run.signing],
            "facts": run.facts,
            "folded": run.folded,
            "grown": run.grown,
            "last": run.last_us,
            "rarity": run.rarity,
            "noted": run.noted_us,
            "partner": run.partner.number if run.partner else None,
            "ripe": run.ripe_us,
            "reach": _led(run),
            "members": msgspec.Raw(run.packed),
            "ties": [
                [other.number, [[CODE_OF[tie.edge], tie.weight, tie.key, tie.via] for tie in ties]]
                for other, ties in run.ties.items()
                if other.number < run.number
            ],
        }
    )  # fmt: skip


def _led(run: Run) -> list[Reach] | None:
    """Return a run's reach where relations or bindings led to some of it: they may be forgotten before the run is."""
    return list(run.reach) if any(one.via for one in run.reach) else None


def knot_part(knot: Knot) -> bytes:
    """Return the part of a knot."""
    return encode(
        {
            "runs": sorted(run.number for run in knot.runs),
            "names": sorted(knot.names),
            "due": knot.due_us,
            "shown": ["", knot.shown_runs, knot.shown_alerts],
        }
    )


# ------------------------------------------------------------------ parts to graph


def restore(graph: Graph, parts: Mapping[str, bytes]) -> None:
    """Put a new graph into the state that its parts, and those of its knots, hold.

    Raises:
        StoreError: a part is unreadable or misses another.
    """
    stored = {int(rest): part for rest, part in _of_kind("run", parts)}
    knots = {int(rest): part for rest, part in _of_kind("knot", parts)}
    rests = {int(rest): part for rest, part in _of_kind("rest", parts)}
    _know(graph, parts)
    try:
        for number in sorted(stored):
            graph.hold(_read(number, stored[number]))
        for number in sorted(rests):
            graph.resting.restore(_read_rest(number, rests[number]))
        for number, part in stored.items():
            partner = part["partner"]
            graph.held.runs[number].partner = graph.held.runs.get(partner)
        for number in sorted(knots):
            _tie_up(graph, number, knots[number])
        for run in graph.held.runs.values():
            if not hasattr(run.knot, "runs"):
                graph.weave.knot(run)  # it stands alone: no part says otherwise
        for number in sorted(stored):
            run = graph.held.runs[number]
            for other, ties in stored[number]["ties"]:
                graph.weave.restore(run, graph.held.runs[other], _ties(ties))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"chain state: parts do not fit together: {error!r}") from error
    graph.held.changed.clear()


def _know(graph: Graph, parts: Mapping[str, bytes]) -> None:
    """Put back what is known beside runs."""
    for rest, part in _of_kind("trust", parts):
        graph.trust.restore(rest, part["rows"])
    for _, part in _of_kind("crowd", parts):
        graph.postings.restore(part["row"])
    for rest, part in _of_kind("gone", parts):
        graph.gone.restore(rest, part["row"])
    chunks = {int(rest): part["rows"] for rest, part in _of_kind("seen", parts)}
    for chunk in sorted(chunks):
        graph.around.relations.restore(chunk, chunks[chunk])
    for rest, part in _of_kind("address", parts):
        graph.around.whose.identity.restore(rest, part["rows"])
    for rest, part in _of_kind("alias", parts):
        graph.around.whose.aliases.restore(rest, part["rows"])
    graph.words.restore({rest: part["row"] for rest, part in _of_kind("word", parts)})
    for rest, part in _of_kind("base", parts):
        graph.weighing.baseline.restore(rest, part)


def _of_kind(kind: str, parts: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, data in parts.items():
        if name.startswith(kind) and name[len(kind)] == "/":
            yield name[len(kind) + 1 :], decode(name, data)


def _tie_up(graph: Graph, number: int, part: dict[str, Any]) -> None:
    knot = Knot(number, {graph.held.runs[one] for one in part["runs"]}, names=tuple(part["names"]))
    knot.due_us = part["due"]
    _, knot.shown_runs, knot.shown_alerts = part["shown"]
    for run in knot.runs:
        run.knot = knot
    graph.weave.ban(knot)


def _ties(rows: list[list[Any]]) -> tuple[Tie, ...]:
    return tuple(Tie(EDGE_OF[code], weight, key, via) for code, weight, key, via in rows)


def _read_rest(number: int, part: dict[str, Any]) -> Group:
    place, target, rule, tactics, techniques, minute_us = part["kind"]
    kind = Kind(tuple(place), target, tuple(rule), tuple(tactics), tuple(techniques), minute_us)
    group = Group(number, kind, Rarity(*part["rarity"]), part["ripe"])
    for signature, signing, facts, member, keys in part["rests"]:
        held = _read_member(member)
        group.rests[held.id] = Rest(
            signature, tuple(entity(*one) for one in signing), facts, held, tuple(keys), group
        )
    return group


def _read_member(row: list[Any]) -> Member:
    one, revision, time_us, last_us, count, floating = row
    return Member(one, revision, time_us, last_us, count, tuple(entity(*it) for it in floating))


def _read(number: int, part: dict[str, Any]) -> Run:
    run = Run(
        number,
        part["signature"],
        rule_of(*part["rule"]),
        tuple(part["tactics"]),
        tuple(part["techniques"]),
        tuple(entity(*one) for one in part["signing"]),
        part["facts"],
        folded=part["folded"],
        grown=part["grown"],
        last_us=part["last"],
    )
    run.rarity = Rarity(*part["rarity"])
    run.noted_us = part["noted"]
    run.ripe_us = part["ripe"]
    run.reach = tuple(Reach(*row) for row in part.get("reach") or ())
    for row in part["members"]:
        member = _read_member(row)
        run.members[member.id] = member
    run.measure()
    return run
