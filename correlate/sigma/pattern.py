"""Regular expressions of rules on a linear-time engine, so that no rule can hang the engine.

Engine: RE2 (google-re2). Flavour: PCRE as far as Sigma 2.1 names it (wildcards, anchors, quantifiers,
classes, alternation, groups). Look-around and back-references are not in it: they need an engine that
can take exponential time, and are refused unless `allow_slow` is set. `$` stands, as in PCRE, also
before a newline that ends the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from re import _constants as constants  # type: ignore[attr-defined]  # the standard parser's own names
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, TypeAlias

import re2
import regex  # type: ignore[import-untyped]  # no stubs in the lock

Search: TypeAlias = Callable[[str], bool]

MAX_PATTERN_LENGTH = 16_384
MAX_MEMORY_BYTES = 8 * 1024 * 1024
"""Of one compiled pattern; RE2 refuses what would need more."""
SLOW_SECONDS = 0.05
"""Of one search by the backtracking engine; then it counts as not found, and in `timeouts`."""
MIN_LITERAL = 3
_ASCII = 128

timeouts: dict[str, int] = {}
"""Searches that were given up, by pattern."""


class PatternError(ValueError):
    """The pattern is not one, or needs an engine that is not allowed."""


def _options(flags: str) -> Any:
    options = re2.Options()
    options.max_mem = MAX_MEMORY_BYTES
    options.log_errors = False
    options.case_sensitive = "i" not in flags
    options.dot_nl = "s" in flags
    options.never_capture = True
    return options


_ONLY_SLOW = re.compile(r"\(\?(?:[=!]|<[=!]|>|\()|\\[1-9]|\(\?P=|[*+?}]\+")


@lru_cache(maxsize=8192)
def searcher(pattern: str, flags: str = "", *, allow_slow: bool = False) -> Search:
    """Return the test whether a pattern is found anywhere in a text.

    Args:
        pattern: the regular expression.
        flags: any of `i`, `m`, `s`.
        allow_slow: take the backtracking engine, under SLOW_SECONDS a search, for what the linear
            one cannot express.

    Raises:
        PatternError: says why.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise PatternError(f"pattern of {len(pattern)} characters; at most {MAX_PATTERN_LENGTH}")
    try:
        compiled = re2.compile(_dialect(pattern, flags), _options(flags))
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else error
        why = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return _slow(pattern, flags, why, allow_slow=allow_slow)
    found = compiled.search

    def search(text: str) -> bool:
        try:
            return found(text) is not None
        except UnicodeEncodeError:  # lone surrogates, which JSON allows and UTF-8 does not
            return found(text.encode("utf-8", "replace").decode()) is not None

    return search


def _dialect(pattern: str, flags: str) -> str:
    r"""Write a PCRE pattern as RE2 reads it: `m`, `$` and `\Z` mean the same afterwards."""
    prefix = "(?m)" if "m" in flags else ""
    if "$" in pattern and "m" not in flags:
        pattern = _dollar(pattern)
    return prefix + pattern.replace("\\Z", "\\n?\\z")


def _dollar(pattern: str) -> str:
    r"""Replace each unescaped `$` outside classes by `\n?\z`, which is what PCRE means by it."""
    made = []
    at = 0
    in_class = False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            made.append(pattern[at : at + 2])
            at += 2
            continue
        if in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            opening = re.match(r"\[\^?\]?", pattern[at:])
            made.append(opening.group() if opening else character)
            at += len(made[-1])
            continue
        made.append(r"(?:\n?\z)" if character == "$" and not in_class else character)
        at += 1
    return "".join(made)


def _slow(pattern: str, flags: str, why: str, *, allow_slow: bool) -> Search:
    try:
        compiled = regex.compile(
            pattern,
            (regex.IGNORECASE if "i" in flags else 0)
            | (regex.MULTILINE if "m" in flags else 0)
            | (regex.DOTALL if "s" in flags else 0),
        )
    except (regex.error, RecursionError, OverflowError) as error:
        raise PatternError(f"not a regular expression: {error}") from error
    if not allow_slow:
        if _ONLY_SLOW.search(pattern):
            raise PatternError(
                "look-around, back-references and atomic groups need an engine that can hang; "
                "rewrite the pattern, or allow it in the settings (slow_patterns)"
            )
        raise PatternError(f"the linear-time engine refuses it: {why}")
    find = compiled.search

    def search(text: str) -> bool:
        try:
            return find(text, timeout=SLOW_SECONDS) is not None
        except TimeoutError:
            timeouts[pattern] = timeouts.get(pattern, 0) + 1
            return False

    return search


def required_literal(pattern: str, flags: str) -> str | None:
    """Return a case-folded text that occurs in every value the pattern is found in; None: none known."""
    return max(required_literals(pattern, flags), key=len, default=None)


@lru_cache(maxsize=8192)
def required_literals(pattern: str, flags: str) -> tuple[str, ...]:
    """Return case-folded texts that all occur in every value the pattern is found in.

    Read from the pattern's own structure, conservatively: only top-level literals, of ASCII, count.
    """
    try:
        tree = parser.parse(pattern, 0)
    except (re.error, RecursionError, OverflowError):
        return ()
    return tuple(run for run in _runs(tree) if len(run) >= MIN_LITERAL)


def _runs(tree: Any) -> list[str]:
    """Return the runs of literals that every match must go through."""
    runs = [""]
    for operation, argument in tree:
        if operation is constants.LITERAL and argument < _ASCII:
            runs[-1] += chr(argument).lower()
            continue
        runs.append("")
        if operation is constants.SUBPATTERN and not argument[1]:
            runs += [*_runs(argument[3]), ""]
        elif operation in (constants.MAX_REPEAT, constants.MIN_REPEAT) and argument[0] >= 1:
            runs += [*_runs(argument[2]), ""]
    return runs
