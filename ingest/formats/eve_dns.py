"""DNS sections of EVE records, in all three versions of their form.

Source: Suricata 4 to 8, "Event type: DNS": version 1 logs one event an answer, version 2 a query or
an answer with all records, version 3 `request` and `response` with a list of queries.
"""

from __future__ import annotations

from typing import Any, Final

from contract.event import Fields
from ingest.formats.address import canonical_ip

_TYPES: Final = {"query": "query", "request": "query", "answer": "answer", "response": "answer"}
_FLAGS: Final = ("aa", "tc", "rd", "ra", "ad", "cd")
_OPCODES: Final = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE"}
_NO_PROBLEM: Final = frozenset(("NOERROR", "NOERROR(0)"))


def read_dns(fields: Fields, dns: Any, kind: str) -> None:
    """Place question, answers, flags, outcome."""
    if type(dns) is not dict:
        return
    said = dns.get("type")
    form = _TYPES.get(said) if type(said) is str else None
    if form is not None:
        fields["dns.type"] = form
        del dns["type"]
    number = dns.pop("id", None)
    if number is not None:
        fields["dns.id"] = str(number)
    _question(fields, dns)
    code = dns.pop("rcode", None)
    if type(code) is str and code:
        fields["dns.response_code"] = code
        if kind == "dns":
            fields["event.outcome"] = "success" if code in _NO_PROBLEM else "failure"
    operation = dns.get("opcode")
    if type(operation) is int and operation in _OPCODES:
        fields["dns.op_code"] = _OPCODES[dns.pop("opcode")]
    if flags := [flag.upper() for flag in _FLAGS if dns.pop(flag, None) is True]:
        fields["dns.header_flags"] = flags
    _answers(fields, dns)
    if kind == "dns":
        fields["event.type"] = ["protocol", "info"]


def _question(fields: Fields, dns: dict[str, Any]) -> None:
    queries = dns.get("queries")
    if type(queries) is list and queries and type(queries[0]) is dict:
        question: dict[str, Any] = queries[0]
    else:
        nested = dns.get("query")
        question = nested if type(nested) is dict else dns
    name = question.get("rrname")
    if type(name) is str and name:
        del question["rrname"]
        fields["dns.question.name"] = name
        fields["related.hosts"] = [name]
    kind = question.get("rrtype")
    if type(kind) is str and kind:
        fields["dns.question.type"] = question.pop("rrtype")
    if queries == [{}]:
        del dns["queries"]


def _answers(fields: Fields, dns: dict[str, Any]) -> None:
    answers = dns.get("answers")
    if type(answers) is not list:
        data = dns.get("rdata")
        if type(data) is not str:
            return
        # Version 1: the answer stands beside the question.
        answers = [{"rrname": fields.get("dns.question.name"), "rrtype": fields.get("dns.question.type"),
                    "ttl": dns.pop("ttl", None), "rdata": dns.pop("rdata")}]  # fmt: skip
    found, addresses = [], []
    for answer in answers:
        if type(answer) is not dict:
            return
        data = answer.get("rdata")
        placed = {
            "name": answer.get("rrname"), "type": answer.get("rrtype"), "ttl": answer.get("ttl"),
            "data": data if type(data) is str else None,
        }  # fmt: skip
        if kept := {name: value for name, value in placed.items() if value is not None}:
            found.append(kept)
        if type(data) is str and (address := canonical_ip(data)) is not None:
            addresses.append(address)
    if found:
        fields["dns.answers"] = found
    if addresses:
        fields["dns.resolved_ip"] = addresses
        related = fields.setdefault("related.ip", [])
        related.extend(address for address in addresses if address not in related)
    # Structured data (SOA, SRV) has no place in `dns.answers` and stays as it came.
    if all(type(answer.get("rdata", "")) is str for answer in answers):
        dns.pop("answers", None)
        dns.pop("grouped", None)
