"""Requests: what the playbooks ask of a chain, target by target; of two that want the same, one. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from contract.event import Notice
from contract.records import Chain, Target
from respond.claim import Claim, decision_id
from respond.ledger import Key
from respond.playbook import Playbook


@dataclass(slots=True, frozen=True)
class Request:
    """What a playbook asks about one target of a chain.

    Attributes:
        id: of the decision that would come of it.
        is_sure: false when the chain names several such targets and does not say which of them did it.
    """

    id: str
    playbook: Playbook
    target: Target
    is_sure: bool

    @property
    def key(self) -> Key:
        """The element that its decision would ask for."""
        return Key(self.playbook.action, self.target.type, self.target.value)


def requests_of(
    chain: Chain, playbooks: Iterable[Playbook], known: Container[str]
) -> Iterator[Request | Notice]:
    """Yield the requests, in order of the playbooks and targets, and what was left out.

    Args:
        chain: not merged into another.
        playbooks: by priority; the first that wants something of a target has it.
        known: ids of decisions made already; a chain that grew beyond a playbook's limit keeps these.
    """
    taken: set[Key] = set()
    for playbook in playbooks:
        if not playbook.asks(chain):
            continue
        targets, faults, is_sure = playbook.target.at(chain)
        for fault in faults:
            yield Notice("decide_targets_unusable_total", 1, playbook.name, fault)
        released = playbook.released(chain)
        targets = [target for target in targets if target not in released]
        limit = playbook.target.limit
        if len(targets) > limit:
            text = f"chain {chain.id} names {len(targets)} targets, {playbook.name} allows {limit}"
            yield Notice("decide_over_limit_total", 1, playbook.name, text)
        for target in targets:
            id = decision_id(playbook.name, playbook.action, target, chain.id)
            request = Request(id, playbook, target, is_sure)
            if request.key in taken or (len(targets) > limit and id not in known):
                continue
            taken.add(request.key)
            yield request


def still_asks(
    chain: Chain, playbooks: Iterable[Playbook], claim: Claim, release_ratio: float
) -> bool:
    """Tell whether the claim's own playbook asks for it still, when the chain's score shrinks a little."""
    return any(
        playbook.name == claim.decision.playbook
        and playbook.asks(chain, release_ratio)
        and claim.decision.target in playbook.target.at(chain).targets
        for playbook in playbooks
    )


def released(
    chain: Chain, playbooks: Iterable[Playbook], claims: Iterable[Claim]
) -> Iterator[Claim]:
    """Yield those of the claims, open still, that their playbook lets go: see `respond.playbook.Playbook.release`."""
    if not chain.trusted:
        return
    gone = {one.name: one.released(chain) for one in playbooks}
    for claim in claims:
        if claim.is_open and claim.decision.target in gone.get(claim.decision.playbook, ()):
            yield claim
