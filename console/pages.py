"""What the console's web pages show: records in, HTML out. No script; every value is escaped, since values come from attackers.

Templates lie beside this file and escape by themselves (Jinja2's autoescape); the one thing put in as it is, the picture of
a chain, escapes its own values (`console.chain_svg`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol, get_args
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from console.chain_lines import evidence, loss, rule_name, steps, time_line, what_next
from console.chain_svg import svg
from console.chain_view import FORMATS, render
from console.desks import Alerts, Chains, Policy
from console.plain import plain
from contract.records import Alert, Chain, Decision, DecisionState
from correlate.chain.attack import name_of
from correlate.chain.settings import LinkSettings
from correlate.chain.why import LeftOut, exceptions, left_out

MOST: Final = 200
"""Rows of a listing; what is more is counted, and the command that shows it is named."""
FEW: Final = 12
"""Entities of one type that are shown at once; the others unfold."""
STATES: Final[tuple[str, ...]] = get_args(DecisionState)
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "proposed": ("approve", "reject"),
    "approved": ("revert",),
}
"""What a person may say to a decision in a state."""


class Shelf(Chains, Alerts, Policy, Protocol):
    """What pages are made of."""


class Pages:
    """Pages of what a shelf holds.

    Args:
        shelf: where records are read; each call reads anew.
        link: settings, for what was left out of a chain and why.
    """

    def __init__(self, shelf: Shelf, link: LinkSettings) -> None:
        self._shelf = shelf
        self._link = link
        self._templates = Environment(
            loader=PackageLoader("console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "moment": _moment,
            "names": names,
            "path": _path,
            "plain": plain,
            "shown": _shown,
            "tactics": tactics,
            "technique": _technique,
        }

    def chains(self) -> str:
        """Return the list of chains, worst first."""
        found, count = self._shelf.worst(MOST)
        proposed = len(self._shelf.decisions(state="proposed", limit=MOST))
        return self._page(
            "chains.html", "", chains=found, more=count - len(found), proposed=proposed
        )

    def chain(self, id: str) -> str | None:
        """Return one chain: picture, stages, links with their evidence, time line, policy, what was left out; None: not known."""
        chain = self._shelf.chain(id)
        if chain is None:
            return None
        alerts, left = self._story(chain)
        return self._page(
            "chain.html",
            "../",
            chain=chain,
            picture=svg(chain, alerts),
            exceptions=list(exceptions(chain)),
            following=what_next(chain),
            links=steps(chain),
            times=time_line(chain, alerts),
            title=lambda alert: rule_name(alert, alerts),
            evidence=lambda link: evidence(link, chain),
            loss=lambda link: loss(chain, link),
            decisions=self._shelf.decisions(chain=chain.id, limit=MOST),
            left=left,
            forms=FORMATS,
        )

    def chain_as(self, id: str, form: str) -> str | None:
        """Return one chain in a form of `console.chain_view.FORMATS`; None: not known."""
        chain = self._shelf.chain(id)
        if chain is None:
            return None
        alerts, left = self._story(chain)
        return render(chain, alerts, form, left)

    def alert(self, id: str) -> str | None:
        """Return one alert and the chain that holds it; None: not known."""
        alert = self._shelf.alert(id)
        if alert is None:
            return None
        holder = self._shelf.holders([alert.id]).get(alert.id)
        chain = self._shelf.chain(holder) if holder else None
        return self._page("alert.html", "../", alert=alert, chain=chain)

    def policy(self, state: str) -> str:
        """Return the list of decisions, newest first; only those of a state unless it is empty."""
        found = self._shelf.decisions(state=state, limit=MOST + 1)
        shown, more = found[:MOST], len(found) > MOST
        return self._page("policy.html", "", decisions=shown, more=more, states=STATES, state=state)

    def decision(self, id: str) -> str | None:
        """Return one decision: its revisions and what enforcement points answered; None: not known."""
        revisions = self._shelf.revisions(id)
        if not revisions:
            return None
        last: Decision = revisions[-1]
        return self._page(
            "decision.html",
            "../",
            decision=last,
            revisions=revisions,
            outcomes=self._shelf.outcomes(last.id),
            words=_WORDS.get(last.state, ()),
        )

    def absent(self, heading: str, text: str, root: str) -> str:
        """Return the page that says why there is none."""
        return self._page("absent.html", root, heading=heading, text=text)

    def _page(self, template: str, root: str, **values: Any) -> str:
        return self._templates.get_template(template).render(root=root, few=FEW, **values)

    def _story(self, chain: Chain) -> tuple[dict[str, Alert], list[LeftOut]]:
        found = {one.id: one for one in self._shelf.alerts(chain)}
        inside = {one: found[one] for one in chain.alerts if one in found}
        others = [one for id, one in found.items() if id not in inside]
        return inside, left_out(chain, inside, others, self._link, self._shelf.holders)


def names(chain: Chain) -> list[str]:
    """Return the addresses, hosts and users that stand for a chain in a listing: the first four."""
    wanted = (one.value for one in chain.entities if one.type in ("ip", "host", "user"))
    return list(dict.fromkeys(wanted))[:4]


def tactics(chain: Chain) -> list[str]:
    """Return a chain's tactics in the order of its stages, each once."""
    return list(dict.fromkeys(one.tactic for one in chain.stages if one.tactic))


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"


def _technique(id: str) -> str:
    name = name_of(id) if id else ""
    return "" if name == id else name


def _path(id: str) -> str:
    """Return an id as one part of a path; a sensor's own id may hold anything."""
    return quote(id, safe="")


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
