r"""Value modifiers as Sigma 2.1 words them, where pySigma 2.0 does otherwise; the others are pySigma's.

Source: sigma-appendix-modifiers.md, 2.1.0. The differences:

- `windash`: "Creates all possible permutations" of the five dash characters. pySigma changes a dash at
  a word's start only and refuses more than three. Here the value keeps its dashes and is compared with
  all dashes alike, which is every permutation at no cost.
- `wide`, `utf16le`, `utf16be`, `utf16`: pySigma refuses all but ASCII and has no `utf16le`; encoded
  bytes are kept here, one character a byte, and `base64` takes them as bytes.
- `contains`, `startswith`, `endswith`, `cased`: "can be applied on all types of fields"; pySigma takes texts alone. Here a number
  or a truth value is taken as its text, and `cased` leaves it as it is.
- `re`: pySigma compiles with the standard engine; patterns are checked by the linear-time engine here.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from itertools import product
from typing import Any, cast

from sigma.exceptions import SigmaValueError
from sigma.modifiers import (
    SigmaModifier,
    SigmaRegularExpressionModifier,
    SigmaValueModifier,
    modifier_mapping,
)
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaExpansion,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
)
from typing_extensions import override

DASH = "-/\u2013\u2014\u2015"
MAX_DASH_PERMUTATIONS = 3125
"""Only where an encoding follows `windash`: five dashes. More is refused."""


class DashString(SigmaString):
    """A string whose dash characters all stand for one another."""


class EncodedString(SigmaString):
    """Bytes, one character (U+0000 to U+00FF) each."""


class CasedDashString(DashString, SigmaCasedString):
    """`windash` and `cased`."""


class CasedEncodedString(EncodedString, SigmaCasedString):
    """Bytes that must be found as they are."""


class Pattern(SigmaRegularExpression):
    """A regular expression that is compiled where it is used, not here."""

    @override
    def compile(self) -> None:
        """Do nothing; `correlate.sigma.pattern` says what is allowed."""


def _plain(value: SigmaString, name: str) -> str:
    if value.contains_special():
        raise SigmaValueError(f"{name} of a value with wildcards; escape them or take them away")
    return "".join(cast("list[str]", value.s))


def _bytes(value: SigmaString, name: str) -> bytes:
    return _plain(value, name).encode("latin-1" if isinstance(value, EncodedString) else "utf-8")


def _string(text: str, like: SigmaString) -> SigmaString:
    made = SigmaCasedString() if isinstance(like, SigmaCasedString) else SigmaString()
    made.s = [text] if text else []
    return made


def _permutations(value: SigmaString, name: str) -> list[SigmaString]:
    """Return every spelling of a windash value; [value] for another."""
    if not isinstance(value, DashString):
        return [value]
    text = _plain(value, name)
    if 5 ** sum(character in DASH for character in text) > MAX_DASH_PERMUTATIONS:
        raise SigmaValueError(f"{name} after windash of more than five dashes; split the value")
    choices = [DASH if character in DASH else character for character in text]
    return [_string("".join(chosen), value) for chosen in product(*choices)]


class _EachSpelling(SigmaValueModifier[Any, Any]):
    """An encoding: applied to each spelling of the value."""

    name = ""

    def encode(self, value: SigmaString) -> list[SigmaString]:
        raise NotImplementedError

    @override
    def modify(self, val: SigmaString) -> Any:
        made = [
            result for spelling in _permutations(val, self.name) for result in self.encode(spelling)
        ]
        return made[0] if len(made) == 1 else SigmaExpansion(cast("list[SigmaType]", made))


class Windash(SigmaValueModifier[SigmaString, SigmaString]):
    """`windash`."""

    @override
    def modify(self, val: SigmaString) -> SigmaString:
        made = CasedDashString() if isinstance(val, SigmaCasedString) else DashString()
        made.s = list(val.s)
        return made


class Cased(SigmaValueModifier[Any, Any]):
    """`cased`; what the value is otherwise, it stays."""

    @override
    def modify(
        self, val: SigmaString | SigmaNumber | SigmaBool
    ) -> SigmaString | SigmaNumber | SigmaBool:
        made: SigmaString
        if not isinstance(val, SigmaString):
            return val
        if isinstance(val, DashString):
            made = CasedDashString()
        elif isinstance(val, EncodedString):
            made = CasedEncodedString()
        else:
            made = SigmaCasedString()
        made.s = list(val.s)
        return made


class Base64(_EachSpelling):
    """`base64`."""

    name = "base64"

    @override
    def encode(self, value: SigmaString) -> list[SigmaString]:
        return [_string(b64encode(_bytes(value, self.name)).decode(), value)]


class Base64Offset(_EachSpelling):
    """`base64offset`: the part that does not depend on what stands before or after, at each offset."""

    name = "base64offset"

    @override
    def encode(self, value: SigmaString) -> list[SigmaString]:
        data = _bytes(value, self.name)
        made = []
        for offset in range(3):
            text = b64encode(b" " * offset + data).decode()
            start = (0, 2, 3)[offset]
            stop = (None, -3, -2)[(len(data) + offset) % 3]
            made.append(_string(text[start:stop], value))
        return made


class _Utf16(_EachSpelling):
    """An encoding of each character to two bytes."""

    codec = "utf-16-le"
    mark = b""

    @override
    def modify(self, val: SigmaString) -> Any:
        if not isinstance(val, DashString):
            return self._encoded(val)
        return super().modify(val)

    @override
    def encode(self, value: SigmaString) -> list[SigmaString]:
        return [self._encoded(value)]

    def _encoded(self, value: SigmaString) -> SigmaString:
        made = CasedEncodedString() if isinstance(value, SigmaCasedString) else EncodedString()
        made.s = [
            part.encode(self.codec, "surrogatepass").decode("latin-1")
            if isinstance(part, str)
            else part
            for part in value.s
        ]
        if self.mark:
            made.s.insert(0, self.mark.decode("latin-1"))
        return made._merge_strs()  # noqa: SLF001  # the parts must be merged as pySigma merges them


class Wide(_Utf16):
    """`wide`, `utf16le`."""

    name = "wide"


class Utf16Be(_Utf16):
    """`utf16be`."""

    name = "utf16be"
    codec = "utf-16-be"


class Utf16(_Utf16):
    """`utf16`: little-endian after the byte order mark."""

    name = "utf16"
    mark = b"\xff\xfe"


class Re(SigmaRegularExpressionModifier):
    """`re`."""

    @override
    def modify(self, val: SigmaString) -> SigmaRegularExpression:
        if self.applied_modifiers:
            raise SigmaValueError("re must be the first modifier")
        return Pattern(val.original)


MODIFIERS: dict[str, type[SigmaModifier[Any, Any]]] = {
    **modifier_mapping,
    "windash": Windash,
    "cased": Cased,
    "base64": Base64,
    "base64offset": Base64Offset,
    "wide": Wide,
    "utf16le": Wide,
    "utf16be": Utf16Be,
    "utf16": Utf16,
    "re": Re,
}

ANY = "any"
"""Says of a list what holds without it: one of its values. No class: it changes no value."""
BY_PLACE = frozenset({"contains", "startswith", "endswith"})
_NUMERIC = frozenset({"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"})
_TEXTUAL = frozenset(
    {"windash", "base64", "base64offset", "wide", "utf16", "utf16le", "utf16be", "cidr", "expand", "fieldref"}
)  # fmt: skip


def misfit(names: Sequence[str], values: Sequence[Any]) -> str | None:
    """Return what is wrong where a modifier does not take a value of a rule, as YAML gave it; None: they fit."""
    for name in names:
        for value in values:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if name == "exists" and not isinstance(value, bool):
                takes = "true or false"
            elif name in _NUMERIC and not is_number:
                takes = "a number"
            elif name in _TEXTUAL and not isinstance(value, str):
                takes = "text"
            elif name in BY_PLACE and value is None:
                takes = "text or a number"
            else:
                continue
            came = "null" if value is None else repr(value)
            return f"{name!r} takes {takes}; came {came}"
    return None
