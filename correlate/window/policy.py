"""How a rule folds, repeats and waits: the `opsonin:` mapping of a rule, our own namespace in a Sigma document.

opsonin:
  absence: [heartbeat]   # of the rules listed: must not follow within the timespan
  lateness: 2m           # how late an event may come and still count
  suppress: 10m          # a firing within this of the last one belongs to the same alert
  refire: 1d             # an alert that goes on longer gives way to a new one; `always`: each firing its own
  ungrouped: group       # events without a group-by field: `skip` (counted, default) or one `group`
  max-events: 50000      # kept per group; the oldest beyond it are only counted
  max-values: 10000      # distinct values counted exactly per group
  fold-by: [source.ip]   # detections only: what their repetitions are folded by
  fold: 5m               # detections only: quiet time that ends an alert
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contract.document import Document
from correlate.window.timespan import timespan_us

NAMESPACE = "opsonin"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a rule says for itself; None: as the settings say.

    Attributes:
        alert: gives alerts of its own although a correlation refers to it.
        absence: references of rules that must not follow.
        refire_us: 0: each firing is an alert of its own.
        group_absent: events without a group-by field form one group instead of taking no part.
    """

    alert: bool = False
    absence: tuple[str, ...] = ()
    lateness_us: int | None = None
    suppress_us: int | None = None
    refire_us: int | None = None
    group_absent: bool = False
    max_events: int | None = None
    max_values: int | None = None
    fold_by: tuple[str, ...] | None = None
    fold_us: int | None = None


def _span(value: Any) -> int:
    return timespan_us(value)


def _lateness(value: Any) -> int:
    return 0 if value in ("0s", "0") else timespan_us(value)


def _refire(value: Any) -> int:
    return 0 if value == "always" else timespan_us(value)


def _ungrouped(value: Any) -> bool:
    if value not in ("skip", "group"):
        raise ValueError(f"is {value!r}; expected skip or group")
    return bool(value == "group")


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"is {value!r}; expected true or false")  # noqa: TRY004  of a rule, not of code
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"is {value!r}; expected a whole number from 1")
    return value


def names(value: Any) -> tuple[str, ...]:
    """Return a text or a list of different texts as a tuple.

    Raises:
        ValueError: anything else, or an empty one.
    """
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ValueError(f"is {value!r}; expected a text or a list of texts")
    if not found or len(set(found)) != len(found):
        raise ValueError("is empty or names one twice")
    return tuple(found)


_SHARED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "alert": ("alert", _flag),
    "lateness": ("lateness_us", _lateness),
    "refire": ("refire_us", _refire),
    "max-events": ("max_events", _count),
}
_CORRELATION = _SHARED | {
    "absence": ("absence", names),
    "suppress": ("suppress_us", _span),
    "ungrouped": ("group_absent", _ungrouped),
    "max-values": ("max_values", _count),
}
_DETECTION = _SHARED | {"fold-by": ("fold_by", names), "fold": ("fold_us", _span)}


def correlation_policy(document: Document) -> Policy:
    """Read `opsonin:` of a correlation; at the top of the document or inside `correlation:`.

    Raises:
        RuleError: an unknown key, a bad value, or both places used.
    """
    inner = document.data.get("correlation")
    inside = isinstance(inner, dict) and NAMESPACE in inner
    if inside and NAMESPACE in document.data:
        raise document.error("'opsonin' stands twice; keep one", "correlation", NAMESPACE)
    path = ("correlation", NAMESPACE) if inside else (NAMESPACE,)
    return _read(document, path, _CORRELATION)


def detection_policy(document: Document) -> Policy:
    """Read `opsonin:` of a detection rule.

    Raises:
        RuleError: an unknown key or a bad value.
    """
    return _read(document, (NAMESPACE,), _DETECTION)


def _read(
    document: Document,
    path: tuple[str, ...],
    known: Mapping[str, tuple[str, Callable[[Any], Any]]],
) -> Policy:
    given: Any = document.data
    for name in path:
        given = given.get(name)
    policy = Policy()
    if given is None:
        return policy
    if not isinstance(given, dict):
        raise document.error(f"'opsonin' is {given!r}; expected a mapping", *path)
    for key, value in given.items():
        if key not in known:
            raise document.error(
                f"'opsonin: {key}' is unknown; expected one of {', '.join(sorted(known))}",
                *path,
                str(key),
            )
        attribute, read = known[key]
        try:
            policy = replace(policy, **{attribute: read(value)})
        except ValueError as error:
            raise document.error(f"'opsonin: {key}' {error}", *path, key) from error
    return policy
