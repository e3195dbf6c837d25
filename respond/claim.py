"""A claim: what one chain asks of one target by one playbook, and the decision that came of it.

It holds all that deciding again needs: the state of `decide` is one JSON part a claim.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.errors import StoreError
from contract.ids import derive_id
from contract.records import Decision, Result, Target
from respond.ledger import Key, key_of


class Answer(BaseModel):
    """The last that one enforcement point said of the decision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: int
    result: Result


class Claim(BaseModel):
    """See the module.

    Attributes:
        decision: its newest revision.
        duration: how long an approval lasts.
        high: the playbook's impact was high when the claim was made; a renewal then needs a person.
        score: the chain's, when last seen.
        seen: the chain's revision, when last seen.
        basis_us: the chain's last alert when the decision last changed because of it, µs.
        approved_us: event times at which the engine approved it by itself, for the cap on rate.
        settled: the score at which a person said no; None: nobody did.
        heir: the chain that took this claim's chain in, or empty.
        answers: by point.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    decision: Decision
    duration: timedelta
    high: bool
    score: float
    seen: Annotated[int, Field(ge=1)]
    basis_us: int
    approved_us: tuple[int, ...] = ()
    settled: float | None = None
    heir: str = ""
    answers: dict[str, Answer] = {}

    @property
    def is_open(self) -> bool:
        """Whether time can still change it: it waits for a person, or is in force."""
        return self.decision.state in ("proposed", "approved")

    @property
    def key(self) -> Key:
        """The element that its decision asks for."""
        return key_of(self.decision)

    def revise(self, **changes: Any) -> Claim:
        """Return the claim with the decision's next revision; `changes` are the decision's."""
        decision = self.decision
        changes["revision"] = decision.revision + 1
        return self.model_copy(update={"decision": decision.model_copy(update=changes)})

    def encode(self) -> bytes:
        """Return the claim as versioned JSON."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes) -> Claim:
        """Read back what `encode` wrote.

        Raises:
            StoreError: not a claim, or of a newer version.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise StoreError(f"state of a claim cannot be read: {error}") from error


def until(start: datetime, span: timedelta) -> datetime:
    """Return the end of a span, or the last moment there is: a log may say that it is the year 9999."""
    try:
        return start + span
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def decision_id(playbook: str, action: str, target: Target, chain: str) -> str:
    """Return the id of the decision that these causes bring about."""
    return derive_id("decision", playbook, action, target.type, target.value, chain)
