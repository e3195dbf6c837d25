"""The topics: what flows between stages, by which key, in which record. Kafka and the embedded store use the same names."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from contract.event import Event, Match, Observation
from contract.records import Alert, Chain, Command, DeadLetter, Decision, Outcome


@dataclass(slots=True, frozen=True)
class Topic:
    """One stream of records.

    Attributes:
        name: without the deployment's prefix.
        key: which field keys it, so that what a stage must see together is in one partition.
        record: the type of its values.
        compacted: true when only the newest value of a key matters.
    """

    name: str
    key: str
    record: type[BaseModel | Event | Match | Observation]
    compacted: bool = False


EVENTS = Topic("events", "source", Event)
MATCHES = Topic("matches", "stage key", Match)
OBSERVATIONS = Topic("observations", "site", Observation)
ALERTS = Topic("alerts", "site", Alert)
CHAINS = Topic("chains", "site", Chain)
POLICY = Topic("policy", "id", Decision, compacted=True)
OUTCOMES = Topic("outcomes", "decision", Outcome)
COMMANDS = Topic("commands", "decision", Command)
DEAD_LETTERS = Topic("dead-letters", "source", DeadLetter)

TOPICS = (EVENTS, MATCHES, OBSERVATIONS, ALERTS, CHAINS, POLICY, OUTCOMES, COMMANDS, DEAD_LETTERS)
