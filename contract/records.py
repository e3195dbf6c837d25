"""The few and lasting records: alert, chain, decision, outcome, dead letter. Frozen, strict, versioned by revision.

A record with the same id and a higher revision replaces the earlier one everywhere; never the reverse.
Vocabulary: Sigma 2.1 (rule, level), MITRE ATT&CK (tactic, technique), OpenC2 2.0 (action, target).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Level: TypeAlias = Literal["informational", "low", "medium", "high", "critical"]
LEVELS: tuple[Level, ...] = ("informational", "low", "medium", "high", "critical")

EntityType: TypeAlias = Literal[
    "ip", "host", "mac", "user", "process", "session", "flow", "file", "hash", "service", "task",
    "registry", "domain", "url", "key", "workload", "port",
]  # fmt: skip
Role: TypeAlias = Literal["source", "target", "subject", "object", "observer"]

Revision: TypeAlias = Annotated[int, Field(ge=1)]


class Record(BaseModel):
    """A frozen record that refuses unknown fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64"
    )


class Rule(Record):
    """The rule an alert speaks of: a Sigma rule, or a sensor's own signature."""

    id: str
    name: str
    level: Level


class Entity(Record):
    r"""Something that acts or is acted on.

    `value` is canonical: lower case for hosts and domains, RFC 5952 for IPv6, `host\name` for
    local accounts, `host|entity id` for processes.
    """

    type: EntityType
    value: str
    role: Role = "subject"


class Alert(Record):
    """A rule or correlation that was satisfied, or a sensor's own alert, with its repetitions folded in.

    Attributes:
        time: of the first event behind it.
        last: of the last event behind it.
        events: ids, ordered by time then id, at most as many as the setting says.
        event_count: how many there were in all.
        tactics: ATT&CK tactic names as in Sigma tags, e.g. `lateral-movement`.
        techniques: ATT&CK ids, e.g. `T1059.001`.
        fields: values that all events agree on and that joining or deciding may need, flat ECS.
        retracted: true when a late event took the ground away; nothing later builds on it.
    """

    kind: Literal["alert"] = "alert"
    id: str
    revision: Revision
    rule: Rule
    time: AwareDatetime
    last: AwareDatetime
    events: tuple[str, ...]
    event_count: Annotated[int, Field(ge=1)]
    entities: tuple[Entity, ...] = ()
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    fields: dict[str, Any] = {}
    retracted: bool = False


class Link(Record):
    """The one edge that joins an alert to its chain.

    Attributes:
        from_: id of the earlier alert (`from` on the wire).
        to: id of the later alert.
        edge: kind of edge, e.g. `process`, `session`, `flow`, `address`, `attestation`.
        weight: 0 to 1; see the design's table.
        evidence: the shared thing and where it was seen, in words a person can check.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    from_: Annotated[str, Field(alias="from")]
    to: str
    edge: str
    weight: Annotated[float, Field(ge=0, le=1)]
    evidence: str


class ChainStage(Record):
    """One step of a chain in ATT&CK terms.

    Attributes:
        entities: addresses, hosts and users that the alerts of this step name, with their parts; responses act on
            those who did something, not on all whom a chain names. Empty where nobody says.
    """

    tactic: str
    technique: str
    alert: str
    time: AwareDatetime
    entities: tuple[Entity, ...] = ()


class Chain(Record):
    """Alerts linked into one story.

    Attributes:
        alerts: ids in order of time.
        pattern: name of the declared chain pattern that it satisfies, if any.
        score: severity x rarity x trust times the longest tactic-ordered path; higher is worse.
        merged_into: id of the chain that took this one in; it holds no alerts then.
        corrections: ids of the persons' words by which it was joined or parted and which still hold.
        trusted: hosts, addresses and keys whose failed attestation it holds and which have been trustworthy since.
    """

    kind: Literal["chain"] = "chain"
    id: str
    revision: Revision
    score: float
    first: AwareDatetime
    last: AwareDatetime
    alerts: tuple[str, ...]
    links: tuple[Link, ...] = ()
    entities: tuple[Entity, ...] = ()
    stages: tuple[ChainStage, ...] = ()
    patterns: tuple[str, ...] = ()
    merged_into: str | None = None
    corrections: tuple[str, ...] = ()
    trusted: tuple[Entity, ...] = ()


class Target(Record):
    """What an action is about; an OpenC2 target. `value` is canonical text."""

    type: Literal[
        "ipv4_net",
        "ipv6_net",
        "ipv4_connection",
        "ipv6_connection",
        "user",
        "host",
        "file",
        "process",
        "key",
    ]
    value: str


ActionName: TypeAlias = Literal["deny", "allow", "contain", "update", "investigate"]
DecisionState: TypeAlias = Literal[
    "proposed", "refused", "rejected", "approved", "reverted", "expired"
]


class Decision(Record):
    """Desired state with an expiry: what the engine wants true at enforcement points.

    Attributes:
        chain: id of the chain that asks for it.
        playbook: name of the playbook that says so.
        points: names of the configured enforcement points that must hold it.
        expires: event time after which it is void.
        state: `proposed` waits for a person; `approved` is enforced; the others are not enforced.
        reason: why it was made and why it is in this state, for a person.
        by: who approved, rejected or reverted it; empty for the engine.
    """

    kind: Literal["decision"] = "decision"
    id: str
    revision: Revision
    chain: str
    playbook: str
    action: ActionName
    target: Target
    points: tuple[str, ...]
    made: AwareDatetime
    expires: AwareDatetime
    state: DecisionState
    reason: str
    by: str = ""


Result: TypeAlias = Literal["applied", "removed", "expired", "failed", "unsupported", "drifted"]


class Outcome(Record):
    """What an enforcement point answers about one decision's revision, read back, not assumed.

    `applied`: read back and equal. `removed`: read back and absent after a revert. `expired`: absent
    after its time. `drifted`: found changed by others and put right. `unsupported`: the point cannot
    express it. `failed`: tried; `detail` says why.
    """

    kind: Literal["outcome"] = "outcome"
    id: str
    decision: str
    revision: Revision
    point: str
    result: Result
    time: AwareDatetime
    detail: str = ""


class Command(Record):
    """A person's word on a decision; an input of the engine like any other."""

    kind: Literal["command"] = "command"
    id: str
    verb: Literal["approve", "reject", "revert"]
    decision: str
    by: str
    time: AwareDatetime
    note: str = ""


class Correction(Record):
    """A person's word on what chains hold; an input of the engine like any other.

    `merge`: `chain` and `other` are one story. `split`: the `alerts` leave `chain` and are a story of their own.
    `undo`: the correction `other` no longer holds.
    """

    kind: Literal["correction"] = "correction"
    id: str
    verb: Literal["merge", "split", "undo"]
    chain: str = ""
    other: str = ""
    alerts: tuple[str, ...] = ()
    by: str
    time: AwareDatetime
    note: str = ""


class DeadLetter(Record):
    """Input that could not be used, whole, with the reason; replayable after a fix.

    Attributes:
        stage: where it failed: `ingest`, or the name of a stage.
        raw: the bytes as received (base64 on the wire), cut to the setting's bound.
        size_bytes: before the cut.
        truncated: true when `raw` was cut.
    """

    kind: Literal["dead_letter"] = "dead_letter"
    id: str
    time: AwareDatetime
    stage: str
    source: str
    adapter: str
    reason: str
    raw: bytes
    size_bytes: int
    truncated: bool = False
