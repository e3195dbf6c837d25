"""Every field that the index knows: ECS 9.4's, and Opsonin's own; the type of each decides how it is searched.

Source: the field list of ECS 9.4.0 (https://github.com/elastic/ecs, Apache-2.0), kept in `ecs_fields.tsv`, which
`deploy/elastic/ecs_fields.py` writes. Fields that neither list names are kept in the document and not indexed, so that hostile
keys cannot make the mapping grow; those of products under `PRODUCTS` are indexed as one flattened object each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

IGNORE_ABOVE: Final = 1024
"""Longer keywords are kept and not indexed: ECS's own bound, used where it names none."""


@dataclass(slots=True, frozen=True)
class Field:
    """One field of the index.

    Attributes:
        type: Elasticsearch's, as ECS names it.
        ignore_above: longer text is not indexed; 0: no bound.
        indexed: false where it is only kept.
        has_text: `NAME.text` holds the same, searchable by words.
        scale: of `scaled_float`.
    """

    name: str
    type: str
    ignore_above: int = 0
    indexed: bool = True
    has_text: bool = False
    scale: int = 0


def _words(table: str) -> tuple[str, ...]:
    return tuple(table.split())


PRODUCTS: Final = _words(
    """aminer auditd beat cef checkpoint cisco corelight crowdsec dhcp ear fortinet ima juniper keylime leef linux mikrotik netfilter
    openbsd paloalto pfsense powershell snort sonicwall sophos suricata sysmon tcg tpm wazuh windows winlog zeek"""
)
"""Top-level names under which adapters put what ECS has no field for."""

_FLATTENED: Final = (*PRODUCTS, "labels", "container.labels")
"""ECS types the two `labels` as objects of keywords; flattened they answer the same questions and cannot explode."""

_KEYWORDS: Final = """
opsonin.action opsonin.alert.events opsonin.alert.level opsonin.attestation.attester opsonin.attestation.boot
opsonin.attestation.detail opsonin.attestation.evidence opsonin.attestation.level opsonin.attestation.pcr
opsonin.attestation.reason opsonin.attestation.result opsonin.attestation.submodule opsonin.attestation.verifier
opsonin.chain.alerts opsonin.chain.id opsonin.chain.merged_into opsonin.chain.patterns opsonin.dead_letter.adapter
opsonin.dead_letter.source opsonin.dead_letter.stage opsonin.decision.by opsonin.decision.id opsonin.decision.state
opsonin.destination.name opsonin.destination.owner opsonin.destination.role opsonin.destination.zone
opsonin.entity opsonin.host.name opsonin.host.owner opsonin.host.role opsonin.host.zone opsonin.kind opsonin.playbook
opsonin.point opsonin.result opsonin.source.name opsonin.source.owner opsonin.source.role opsonin.source.zone
opsonin.target.type opsonin.target.value
"""
_TYPED: Final = {
    "opsonin.alert.event_count": "long",
    "opsonin.alert.retracted": "boolean",
    "opsonin.alert.revision": "long",
    "opsonin.attestation.last_pass": "date",
    "opsonin.chain.alert_count": "long",
    "opsonin.chain.entity_count": "long",
    "opsonin.chain.revision": "long",
    "opsonin.chain.score": "float",
    "opsonin.dead_letter.size": "long",
    "opsonin.dead_letter.truncated": "boolean",
    "opsonin.decision.expires_in": "long",
    "opsonin.decision.made": "date",
    "opsonin.decision.revision": "long",
    "opsonin.destination.level": "long",
    "opsonin.expires": "date",
    "opsonin.host.level": "long",
    "opsonin.delay": "float",
    "opsonin.source.level": "long",
}
"""`expires_in` and `delay` are seconds: an alert's from its first event to the one that made it, an outcome's from the decision."""

KEPT: Final = "opsonin.record"
"""The whole record, as the engine made it: kept in the document, not indexed."""

DEFAULT: Final = _words(
    """message rule.name host.name host.ip user.name source.ip destination.ip source.address destination.address
    destination.domain dns.question.name url.full url.domain process.name process.executable process.command_line file.path
    file.name file.hash.sha256 event.action event.reason error.message related.ip related.user related.hosts opsonin.entity
    opsonin.target.value opsonin.chain.id threat.technique.id"""
)
"""What a search term without a field is looked for in."""

_AS_KEYWORD: Final = frozenset({"data_stream.type", "data_stream.dataset", "data_stream.namespace"})
"""ECS has them constant within a data stream; events of other shippers bring values of their own and would be refused."""


@cache
def known() -> Mapping[str, Field]:
    """Return every indexed field by name, `NAME.text` fields not counted; flattened ones by their root."""
    found = {}
    for line in files("runtime.elastic").joinpath("ecs_fields.tsv").read_text("utf-8").splitlines():
        field = _read(line)
        found[field.name] = field
    for name in _KEYWORDS.split():
        found[name] = Field(name, "keyword", IGNORE_ABOVE)
    for name, type in _TYPED.items():
        found[name] = Field(name, type)
    for name in _FLATTENED:
        found[name] = Field(name, "flattened", IGNORE_ABOVE)
    return found


def _read(line: str) -> Field:
    name, type, *rest = line.split("\t")
    extras = dict(one.partition("=")[::2] for one in rest[0].split()) if rest else {}
    if name in _AS_KEYWORD:
        type = "keyword"
    bound = int(extras.get("ignore_above", IGNORE_ABOVE if type in _BOUNDED else 0))
    return Field(
        name, type, bound, "noindex" not in extras, "text" in extras, int(extras.get("scale", 0))
    )


_BOUNDED: Final = frozenset({"keyword", "flattened"})


def find(name: str) -> Field | None:
    """Return how a name is indexed: itself, the text beside a keyword, a key of a flattened object; None when it is not."""
    fields = known()
    field = fields.get(name)
    if field is not None:
        return field
    parent, _, leaf = name.rpartition(".")
    while parent:
        above = fields.get(parent)
        if above is not None:
            if leaf == "text" and above.has_text:
                return Field(name, "match_only_text")
            if above.type == "flattened":
                return Field(name, "flattened", above.ignore_above)
            return None
        parent, _, tail = parent.rpartition(".")
        leaf = f"{tail}.{leaf}"
    return None
