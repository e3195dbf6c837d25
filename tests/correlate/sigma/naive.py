r"""A second Sigma evaluator, written from the specification's text alone, slowly and plainly.

It shares no code with the engine: it reads the rule's YAML mapping, splits the keys itself, parses the
condition itself, encodes, folds and compares itself. Where the specification leaves a choice open,
docs/sigma.md says which one the project takes; this file takes the same.
"""

import base64
import datetime as dt
import ipaddress
import itertools
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

MISSING = object()
DASHES = "-/\u2013\u2014\u2015"
Event = dict[str, Any]


def matches(rule: dict[str, Any], event: Event) -> bool:
    """Tell whether a detection rule holds for a flat event, log source aside."""
    detection = dict(rule["detection"])
    conditions = detection.pop("condition")
    if isinstance(conditions, str):
        conditions = [conditions]
    return any(Condition(text, detection, event).value() for text in conditions)


class Condition:
    """Recursive descent over the condition, evaluating as it goes (both sides, always)."""

    def __init__(self, text: str, detection: dict[str, Any], event: Event) -> None:
        self.tokens = re.findall(r"[()]|[^\s()]+", text)
        self.detection = detection
        self.event = event

    def value(self) -> bool:
        result = self.either()
        assert not self.tokens
        return result

    def take(self, word: str) -> bool:
        if self.tokens and self.tokens[0] == word:
            self.tokens.pop(0)
            return True
        return False

    def either(self) -> bool:
        results = [self.both()]
        while self.take("or"):
            results.append(self.both())
        return any(results)

    def both(self) -> bool:
        results = [self.negated()]
        while self.take("and"):
            results.append(self.negated())
        return all(results)

    def negated(self) -> bool:
        if self.take("not"):
            return not self.negated()
        if self.take("("):
            result = self.either()
            assert self.take(")")
            return result
        if len(self.tokens) > 2 and self.tokens[1] == "of":
            quantifier, _, pattern = (self.tokens.pop(0) for _ in range(3))
            results = [
                search(self.detection[name], self.event)
                for name in self.detection
                if self.selects(pattern, name)
            ]
            assert results
            return all(results) if quantifier == "all" else any(results)
        return search(self.detection[self.tokens.pop(0)], self.event)

    @staticmethod
    def selects(pattern: str, name: str) -> bool:
        if name.startswith("_") and not pattern.startswith("_"):
            return False
        if pattern == "them":
            return True
        return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None


def search(definition: Any, event: Event) -> bool:
    """Evaluate one search identifier: maps are AND, lists are OR, bare values are keywords."""
    if isinstance(definition, dict):
        return all(item(key, value, event) for key, value in definition.items())
    if isinstance(definition, list):
        return any(
            search(one, event) if isinstance(one, dict | list) else item("", one, event)
            for one in definition
        )
    return item("", definition, event)


def item(key: str, given: Any, event: Event) -> bool:
    """Evaluate `field|modifiers: values`."""
    field, *modifiers = str(key).split("|")
    values = given if isinstance(given, list) else [given]
    results = [one_value(field, modifiers, value, event) for value in values]
    result = all(results) if "all" in modifiers else any(results)
    return not result if "neq" in modifiers else result


def one_value(field: str, modifiers: list[str], value: Any, event: Event) -> bool:
    present = event.get(field, MISSING)
    if "exists" in modifiers:
        return (field in event) is value
    if value is None:
        flat = [one for one in spread(present) if one is not None and one is not MISSING]
        return not flat
    candidates = list(spread(present)) if field else everything(event)
    candidates = [one for one in candidates if one is not None and one is not MISSING]
    if "fieldref" in modifiers:
        return any(
            compare_reference(text(one), text(other), modifiers)
            for one in candidates
            for other in spread(event.get(value))
            if text(one) is not None and text(other) is not None
        )
    test = cached_test(tuple(modifiers), value, not field)
    return any(test(one) for one in candidates)


@lru_cache(maxsize=None, typed=True)
def cached_test(modifiers: tuple[str, ...], value: Any, keyword: bool) -> Callable[[Any], bool]:
    return value_test(list(modifiers), value, keyword=keyword)


def spread(value: Any) -> Any:
    if isinstance(value, list):
        for one in value:
            yield from spread(one)
    else:
        yield value


def everything(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [found for one in value.values() for found in everything(one)]
    if isinstance(value, list):
        return [found for one in value for found in everything(one)]
    return [value]


def text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return repr(value)
    return None


def compare_reference(left: str | None, right: str | None, modifiers: list[str]) -> bool:
    assert left is not None
    assert right is not None
    left, right = left.casefold(), right.casefold()
    if "contains" in modifiers or {"startswith", "endswith"} <= set(modifiers):
        return right in left
    if "startswith" in modifiers:
        return left.startswith(right)
    if "endswith" in modifiers:
        return left.endswith(right)
    return left == right


def number(value: Any) -> Any:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        if re.fullmatch(r"[+-]?[0-9]+", value):
            return int(value)
        if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", value):
            return float(value)
    return None


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
}
PARTS = ("minute", "hour", "day", "week", "month", "year")


def part_of(unit: str, value: Any) -> int | None:
    if not isinstance(value, str):
        return None
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::\d\d(?:[.,]\d+)?)?)?\s?(?:Z|[+-]\d\d:?\d\d)?",
        value,
        re.ASCII,
    )
    if not found:
        return None
    try:
        day = dt.date.fromisoformat(found.group(1))
    except ValueError:
        return None
    if unit in ("hour", "minute"):
        written = found.group(2 if unit == "hour" else 3)
        return int(written) if written else None
    return day.isocalendar()[1] if unit == "week" else int(getattr(day, unit))


def value_test(  # noqa: PLR0911  # one a kind of value
    modifiers: list[str], value: Any, *, keyword: bool
) -> Callable[[Any], bool]:
    operators = [name for name in modifiers if name in OPERATORS]
    units = [name for name in modifiers if name in PARTS]
    if units:
        compare = OPERATORS[operators[0]] if operators else lambda a, b: a == b

        def in_time(one: Any) -> bool:
            part = part_of(units[0], one)
            return part is not None and compare(part, value)

        return in_time
    if operators:
        compare = OPERATORS[operators[0]]

        def compared(one: Any) -> bool:
            found = number(one)
            return found is not None and compare(found, value)

        return compared
    if "re" in modifiers:
        return pattern_test(modifiers, str(value))
    if "cidr" in modifiers:
        return network_test(str(value))
    if isinstance(value, bool):
        return text_test([str(value).lower()], modifiers, keyword=keyword)
    if isinstance(value, int | float):
        if keyword:
            return text_test([repr(value)], modifiers, keyword=True)
        return lambda one: (
            one == value
            if isinstance(one, int | float) and not isinstance(one, bool)
            else isinstance(one, str) and one == repr(value)
        )
    return text_test(encoded(modifiers, value), modifiers, keyword=keyword)


def pattern_test(modifiers: list[str], pattern: str) -> Callable[[Any], bool]:
    if not re.search(r"[(?\[\\]", pattern):  # the two engines agree on plain patterns
        flags = sum(
            flag
            for name, flag in (("i", re.IGNORECASE), ("m", re.MULTILINE), ("s", re.DOTALL))
            if name in modifiers
        )
        compiled = re.compile(pattern, flags)
        return lambda one: text(one) is not None and compiled.search(text(one) or "") is not None
    options = re2.Options()
    options.case_sensitive = "i" not in modifiers
    options.dot_nl = "s" in modifiers
    options.log_errors = False
    linear = re2.compile(("(?m)" if "m" in modifiers else "") + pattern, options)
    return lambda one: text(one) is not None and linear.search(text(one) or "") is not None


def network_test(network: str) -> Callable[[Any], bool]:
    wanted = ipaddress.ip_network(network)

    def test(one: Any) -> bool:
        if not isinstance(one, str):
            return False
        try:
            return ipaddress.ip_address(one) in wanted
        except ValueError:
            return False

    return test


Part = str | None | int
"""A literal, None for `*`, 1 for `?`."""


def wildcards(value: str) -> list[Part]:
    r"""Split at unescaped `*` and `?`; a backslash escapes `*`, `?` and itself, else stands for itself."""
    parts: list[Part] = []
    literal = ""
    at = 0
    while at < len(value):
        if value[at] == "\\" and value[at + 1 : at + 2] in ("*", "?", "\\"):
            literal += value[at + 1]
            at += 2
            continue
        if value[at] in "*?":
            parts += [literal, None if value[at] == "*" else 1]
            literal = ""
        else:
            literal += value[at]
        at += 1
    return [part for part in [*parts, literal] if part != ""]


def encoded(modifiers: list[str], value: str) -> list[Any]:
    """Apply the modifiers in order; give the alternatives, each a list of parts or plain bytes."""
    alternatives: list[list[Part]] = [wildcards(value)]
    as_bytes = False
    for modifier in modifiers:
        if modifier in ("wide", "utf16le", "utf16be", "utf16"):
            codec = "utf-16-be" if modifier == "utf16be" else "utf-16-le"
            alternatives = [
                [
                    one.encode(codec).decode("latin-1") if isinstance(one, str) else one
                    for one in parts
                ]
                for parts in alternatives
            ]
            if modifier == "utf16":
                alternatives = [["\xff\xfe", *parts] for parts in alternatives]
            as_bytes = True
        elif modifier in ("base64", "base64offset"):
            made: list[list[Part]] = []
            for parts in alternatives:
                data = "".join(map(str, parts)).encode("latin-1" if as_bytes else "utf-8")
                made += base64_of(data, every_offset=modifier == "base64offset")
            alternatives = made
        elif modifier == "windash" and any(
            name in modifiers for name in ("base64", "base64offset", "wide", "utf16le", "utf16be")
        ):
            alternatives = [
                ["".join(chosen)]
                for parts in alternatives
                for chosen in itertools.product(
                    *[DASHES if one in DASHES else one for one in "".join(map(str, parts))]
                )
            ]
    return alternatives


def base64_of(data: bytes, *, every_offset: bool) -> list[list[Part]]:
    if not every_offset:
        return [[base64.b64encode(data).decode()]]
    made: list[list[Part]] = []
    for offset in range(3):
        # What no choice of neighbours changes: the characters alike for two fillings.
        one, other = (
            base64.b64encode(filler * offset + data + filler * ((-len(data) - offset) % 3)).decode()
            for filler in (b"\x00", b"\xff")
        )
        alike = [a for a, b in zip(one, other, strict=True) if a == b]
        start = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a == b)
        end = len(one) - next(
            i for i, (a, b) in enumerate(zip(one[::-1], other[::-1], strict=True)) if a == b
        )
        made.append([one[start:end] if alike else ""])
    return made


def text_test(
    alternatives: list[Any], modifiers: list[str], *, keyword: bool
) -> Callable[[Any], bool]:
    tests = []
    for parts in alternatives:
        whole: list[Part] = [parts] if isinstance(parts, str) else list(parts)
        if keyword or "contains" in modifiers or "endswith" in modifiers:
            whole.insert(0, None)
        if keyword or "contains" in modifiers or "startswith" in modifiers:
            whole.append(None)
        tests.append(glob(whole, cased="cased" in modifiers, dashes="windash" in modifiers))

    def test(one: Any) -> bool:
        written = text(one)
        return written is not None and any(one_test(written) for one_test in tests)

    return test


def glob(parts: list[Part], *, cased: bool, dashes: bool) -> Callable[[str], bool]:
    def canonical(value: str) -> str:
        value = value if cased else value.casefold()
        if dashes:
            for dash in DASHES:
                value = value.replace(dash, "-")
        return value

    pattern = "".join(
        "(?s:.*)" if part is None else "(?s:.)" if part == 1 else re.escape(canonical(str(part)))
        for part in parts
    )
    compiled = re.compile(re.sub(r"(\(\?s:\.\*\)){2,}", "(?s:.*)", pattern))
    return lambda value: compiled.fullmatch(canonical(value)) is not None
