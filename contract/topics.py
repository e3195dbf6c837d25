"""The topics: what flows between stages, by which key, in which record. Kafka and the embedded store use the same names."""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType

from pydantic import BaseModel

from contract.event import Event, Match, Observation
from contract.records import Alert, Chain, Command, Correction, DeadLetter, Decision, Outcome


@dataclass(slots=True, frozen=True)
class Topic:
    """One stream of records.

    Attributes:
        name: without the deployment's prefix.
        key: which field keys it, so that what a stage must see together is in one partition.
        record: the type of its values; bytes: parts of a stage's state.
        compacted: true when only the newest value of a key matters.
        scales: true when its partitions are work that several workers share; else one keeps the order of all.
        bulk: true when it holds as many records as there are events, which are kept for a shorter time.
    """

    name: str
    key: str
    record: type[BaseModel | Event | Match | Observation | bytes] | UnionType
    compacted: bool = False
    scales: bool = False
    bulk: bool = False


EVENTS = Topic("events", "source and sender", Event, scales=True, bulk=True)
MATCHES = Topic("matches", "stage key", Match, scales=True, bulk=True)
OBSERVATIONS = Topic("observations", "site", Observation, bulk=True)
ALERTS = Topic("alerts", "site", Alert)
CHAINS = Topic("chains", "site", Chain)
POLICY = Topic("policy", "id", Decision, compacted=True)
OUTCOMES = Topic("outcomes", "decision", Outcome)
COMMANDS = Topic("commands", "decision or chain", Command | Correction)
DEAD_LETTERS = Topic("dead-letters", "source", DeadLetter)

INGEST_STATE = Topic("ingest-state", "member and source", bytes, compacted=True)
DETECT_STATE = Topic("detect-state", "state part", bytes, compacted=True, scales=True)
AGGREGATE_STATE = Topic("aggregate-state", "state part", bytes, compacted=True, scales=True)
LINK_STATE = Topic("link-state", "state part", bytes, compacted=True)
DECIDE_STATE = Topic("decide-state", "state part", bytes, compacted=True)
VIEWS_STATE = Topic(
    "views-view-changelog", "view", bytes, compacted=True
)  # Faust's own name for it

STATES = (INGEST_STATE, DETECT_STATE, AGGREGATE_STATE, LINK_STATE, DECIDE_STATE, VIEWS_STATE)
"""Changelogs: partition for partition the state of the stage that reads the stage's input; positions of sources."""

TOPICS = (EVENTS, MATCHES, OBSERVATIONS, ALERTS, CHAINS, POLICY, OUTCOMES, COMMANDS, DEAD_LETTERS)
