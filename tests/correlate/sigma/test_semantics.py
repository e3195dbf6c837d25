"""Odd cases of the language, each decided by a sentence of the specification or, where it is silent, by docs/sigma.md."""

from typing import Any

import pytest

from correlate.sigma.rules import Options
from tests.correlate.sigma.making import count, loaded, rule

CASES: list[tuple[str, str, list[Any], int]] = [
    ("null holds where the field is absent", "s: {A: null}", [{"B": 1}], 1),
    ("null holds for null and for a list without values", "s: {A: null}", [{"A": None}, {"A": []}, {"A": [None]}], 3),
    ("null is not the empty value", "s: {A: null}", [{"A": ""}], 0),
    ("'' is the empty value, not absence", "s: {A: ''}", [{"A": ""}, {"B": 1}, {"A": None}], 1),
    ("exists asks for presence alone", "s: {A|exists: true}", [{"A": None}, {"A": ""}, {"A": []}, {"B": 1}], 3),
    ("exists: false", "s: {A|exists: false}", [{"A": None}, {"B": 1}], 1),
    ("* needs a value, an empty one will do", "s: {A: '*'}", [{"A": ""}, {"B": 1}, {"A": None}], 1),
    ("fieldref folds case", "s: {A|fieldref: B}", [{"A": "x", "B": "X"}, {"A": "x", "B": "y"}, {"C": 1}], 1),
    ("fieldref compares texts", "s: {A|fieldref: B}", [{"A": 1, "B": "1"}], 1),
    ("fieldref startswith", "s: {A|fieldref|startswith: B}", [{"A": "xzz", "B": "X"}, {"A": "zx", "B": "x"}], 1),
    ("fieldref endswith", "s: {A|fieldref|endswith: B}", [{"A": "zzx", "B": "X"}, {"A": "xz", "B": "x"}], 1),
    ("fieldref contains", "s: {A|fieldref|contains: B}", [{"A": "zxz", "B": "x"}, {"A": "zz", "B": "x"}], 1),
    ("fieldref neq", "s: {A|fieldref|neq: B}", [{"A": "x", "B": "x"}, {"A": "x", "B": "y"}], 1),
    ("cidr v4", "s: {A|cidr: 10.0.0.0/8}", [{"A": "10.1.2.3"}, {"A": "11.0.0.1"}, {"A": "abc"}, {"A": 10}], 1),
    ("cidr v6", "s: {A|cidr: 'fe80::/10'}", [{"A": "fe80::1"}, {"A": "2001::1"}], 1),
    ("a mapped address is IPv6", "s: {A|cidr: 10.0.0.0/8}", [{"A": "::ffff:10.0.0.1"}], 0),
    ("windash takes five dashes for one another, anywhere", "s: {A|windash|contains: ' -x-y '}",
     [{"A": f"a {a}x{b}y b"} for a in "-/\u2013\u2014\u2015" for b in "-/\u2013"], 15),
    ("windash then base64", "s: {A|windash|base64: '-a'}", [{"A": "LWE="}, {"A": "L2E="}, {"A": "K2E="}], 2),
    ("base64", "s: {A|base64: foobar}", [{"A": "Zm9vYmFy"}], 1),
    ("encoded values, too, are case-insensitive", "s: {A|base64|contains: foobar}", [{"A": "xx zM9VyMfY"}], 1),
    ("base64offset at each offset", "s: {A|base64offset|contains: 'foobar!'}",
     [{"A": "Zm9vYmFyIQ=="}, {"A": "eGZvb2JhciF4"}, {"A": "eHhmb29iYXIheHg="}], 3),
    ("utf16le", "s: {A|utf16le|base64offset|contains: IEX}", [{"A": "SQBFAFgA"}], 1),
    ("wide of letters beyond ASCII", "s: {A|wide|base64|contains: é}", [{"A": "6QA="}], 1),
    ("utf16be", "s: {A|utf16be|base64offset|contains: IEX}", [{"A": "AEkARQBY"}], 1),
    ("utf16 has a byte order mark", "s: {A|utf16|base64offset|contains: IEX}", [{"A": "//5JAEUAWAA="}], 1),
    ("re is case-sensitive and searches", "s: {A|re: a.c}", [{"A": "xabcx"}, {"A": "ABC"}], 1),
    ("re|i", "s: {A|re|i: a.c}", [{"A": "xabcx"}, {"A": "ABC"}], 2),
    ("re|m", "s: {A|re|m: ^b$}", [{"A": "a\nb\nc"}], 1),
    ("re without m", "s: {A|re: ^b$}", [{"A": "a\nb\nc"}, {"A": "b\n"}, {"A": "b"}], 2),
    ("re|s", "s: {A|re|s: a.b}", [{"A": "a\nb"}], 1),
    ("re without s", "s: {A|re: a.b}", [{"A": "a\nb"}], 0),
    ("neq", "s: {A|neq: x}", [{"A": "y"}, {"A": "X"}], 1),
    ("neq of an absent field: it is different", "s: {A|neq: x}", [{"B": "y"}], 1),
    ("neq of a list: different from each", "s: {A|neq: [x, y]}", [{"A": "z"}, {"A": "x"}], 1),
    ("numbers in texts compare as numbers", "s: {A|gt: 9}", [{"A": "10"}, {"A": "9"}, {"A": 9.5}, {"A": "0x10"}], 2),
    ("big integers are exact", "s: {A: 9007199254740993}", [{"A": 9007199254740993}, {"A": 9007199254740992}], 1),
    ("beyond 64 bits", "s: {A|gt: 18446744073709551616}", [{"A": 2**64 + 1}, {"A": 2**64}], 1),
    ("a number and its text", "s: {A: 4625}", [{"A": "4625"}, {"A": 4625}, {"A": "04625"}], 2),
    ("a text and its number", "s: {A: '4625'}", [{"A": 4625}], 1),
    ("true and 'true', not 1", "s: {A: true}", [{"A": "True"}, {"A": True}, {"A": 1}], 2),
    ("1 is not true", "s: {A: 1}", [{"A": 1}, {"A": True}, {"A": 1.0}, {"A": "1.0"}], 2),
    ("contains in a number", "s: {A|contains: '62'}", [{"A": 4625}], 1),
    ("cased", "s: {A|contains|cased: x}", [{"A": "axa"}, {"A": "aXa"}], 1),
    ("contains|all", "s: {A|contains|all: [x, y]}", [{"A": "xy"}, {"A": "x"}], 1),
    ("? is one character", "s: {A: a?c}", [{"A": "abc"}, {"A": "ac"}, {"A": "a\nc"}], 2),
    (r"\* is a star", r"s: {A: 'a\*c'}", [{"A": "a*c"}, {"A": "abc"}], 1),
    (r"\\* is a backslash and a wildcard", r"s: {A: 'a\\*c'}", [{"A": "a\\xc"}, {"A": "a*c"}], 1),
    (r"\\\* is a backslash and a star", r"s: {A: 'a\\\*c'}", [{"A": "a\\*c"}, {"A": "a\\xc"}], 1),
    (r"four backslashes are two", r"s: {A: 'a\\\\c'}", [{"A": "a\\\\c"}], 1),
    ("a single backslash is itself", r"s: {A: 'a\c'}", [{"A": "a\\c"}], 1),
    ("* spans lines", "s: {A: a*c}", [{"A": "a\nc"}], 1),
    ("Unicode folds", "s: {A: Été}", [{"A": "éTÉ"}], 1),
    ("full folding: sharp s", "s: {A: straße}", [{"A": "STRASSE"}], 1),
    ("full folding: Kelvin sign", "s: {A: k}", [{"A": "\u212a"}], 1),
    ("keywords anywhere in a value", "s: [foo, bar]", [{"A": "xFOOx"}, {"A": {"B": ["bar"]}}, {"A": "z"}], 2),
    ("keywords are not names", "s: [foo]", [{"foo": "x"}], 0),
    ("keywords in numbers", "s: ['4625']", [{"A": 4625}], 1),
    ("keywords |all, each anywhere", "s: {'|all': [foo, bar]}", [{"A": "foo", "B": "bar"}, {"A": "foo"}], 1),
    ("keywords behind an escape of JSON", "s: ['a\"b\\c']", [{"A": 'xa"b\\cx'}], 1),
    ("keywords with letters beyond ASCII", "s: [ÉTÉ]", [{"A": "un été"}], 1),
    ("nested names have dots", "s: {A.B: x}", [{"A": {"B": "x"}}, {"A.B": "x"}, {"A": [{"B": "y"}, {"B": "x"}]}], 3),
    ("a list holds when one element does", "s: {A: x}", [{"A": ["y", "x"]}, {"A": ["y"]}], 1),
    ("field names are case-sensitive and may have spaces", "s: {My Field: x}", [{"My Field": "x"}, {"my field": "x"}], 1),
    ("a list of maps is OR", "s: [{A: x}, {B: y}]", [{"A": "x"}, {"B": "y"}, {"C": 1}], 2),
    ("minute", "s: {T|minute: 4}", [{"T": "2026-01-01T03:04:05Z"}, {"T": "2026-01-01T04:05:05Z"}], 1),
    ("day, week, month, year", "s: {T|day: 5, T|week: 6, T|month: 2, T|year: 2026}",
     [{"T": "2026-02-05T03:04:05Z"}, {"T": "2026-03-05"}], 1),
    ("no zone conversion", "s: {T|hour: 3}", [{"T": "2026-01-01T03:04:05+02:00"}], 1),
    ("a time part compares", "s: {T|hour|gte: 4}", [{"T": "2026-01-01T04:04:05Z"}, {"T": "2026-01-01 03:59:00"}], 1),
    ("no time, no part", "s: {T|hour|gte: 0}", [{"T": "soon"}, {"T": 1767225600}, {"T": "2026-01-01"}], 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("detection", "events", "wanted"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_case(detection: str, events: list[Any], wanted: int) -> None:
    assert count(detection, *events) == wanted


@pytest.mark.parametrize(
    ("condition", "events", "wanted"),
    [
        ("not s", [{"A": "y"}, {"A": "x"}, {"C": 1}], 2),
        ("1 of s*", [{"B": "y"}, {"C": 1}], 1),
        ("all of them", [{"A": "x", "B": "y"}, {"B": "y"}], 1),
        ("s or not s2 and _u", [{"A": "x"}, {"C": 1, "U": "z"}, {"B": "y", "U": "z"}, {"C": 1}], 2),
        ("all of _*", [{"U": "z"}], 1),
        ("not not s", [{"A": "x"}], 1),
        ("not (s or s2)", [{"A": "x"}, {"C": 1}], 1),
        ("s and not 1 of s2*", [{"A": "x", "B": "y"}, {"A": "x"}], 1),
    ],
)
def test_condition(condition: str, events: list[Any], wanted: int) -> None:
    assert count("s: {A: x}\ns2: {B: y}\n_u: {U: z}", *events, condition=condition) == wanted


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        ("s: {A|re: 'a(?=b)'}", "look-around"),
        ("s: {A|re: '(a)\\1'}", "look-around, back-references"),
        ("s: {A|re: '(a'}", "not a regular expression"),
        ("s: {A|foo: x}", "unknown modifier 'foo'; known"),
        ("s: {A|endswit: x}", "unknown modifier 'endswit'; is 'endswith' meant?"),
        ("s: {A|contains|base64: x}", "wildcards"),
        ("s: {A|expand: '%adm%'}", "placeholder %adm% has no value"),
        ("s: {A|all: x}", "'all' needs a list"),
        ("s: {A|i: x}", "belongs to 're'"),
        ("s: {A|cidr: 10.0.0.300/8}", "CIDR"),
        ("s: {A|gt: x}", "'gt' takes a number; came 'x'"),
        ("s: {A|lte: '5'}", "'lte' takes a number; came '5'"),
        ("s: {A|hour: true}", "'hour' takes a number; came True"),
        ("s: {A|exists: maybe}", "'exists' takes true or false; came 'maybe'"),
        ("s: {A|contains: null}", "'contains' takes text or a number; came null"),
        ("s: {A|base64: 5}", "'base64' takes text; came 5"),
        ("s: {A|fieldref: 5}", "'fieldref' takes text; came 5"),
        ("s: {A|fieldref|cased: B}", "A|fieldref|cased: the modifiers do not go together"),
        ("s: {A|cidr|contains: 10.0.0.0/8}", "do not go together"),
        ("s: {A|re|cased: x}", "do not go together"),
        ("s: {A|contains|re: x}", "re must be the first"),
        ("s: {A|all|any: [x, y]}", "exclude each other"),
        ("s: {'|startswith': x}", "'startswith' needs a field"),
        ("s: {'|endswith': x}", "'endswith' needs a field"),
        ("s: {'|exists': true}", "must be applied to field"),
        ("s: {'|gt': 5}", "needs a field"),
        ("s: null", "null must stand under a field"),
        ("s: {A: {B: x}}", "came dict"),
        ("s: {}", "empty mapping"),
        ("s: {A: []}", "no values"),
        ("s: [null]", "under a field"),
        ("s: {A: x}\ntimeframe: 5m", "Sigma 1"),
    ],
)
def test_what_is_not_supported_is_refused_with_its_place(detection: str, reason: str) -> None:
    rules = loaded(rule(detection), rule("s: {A: x}", id="good"))
    assert [error.line >= 6 and reason in error.message for error in rules.errors] == [True]
    assert list(rules.detections) == ["good"]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("s | count() > 5", "aggregation of Sigma 1"),
        ("2 of s*", "'1 of' and 'all of'"),
        ("s and", "ends where"),
        ("s AND s", "lower case"),
        ("nope", "no search identifier 'nope'"),
        ("1 of x*", "fits no search identifier"),
        ("(s", "')'"),
        ("(" * 100 + "s" + ")" * 100, "brackets deeper than"),
    ],
)
def test_wrong_condition_is_refused(condition: str, reason: str) -> None:
    (error,) = loaded(rule("s: {A: x}", condition=f'"{condition}"')).errors
    assert reason in error.message
    assert error.line == 7


def test_slow_patterns_are_taken_when_allowed() -> None:
    allowed = Options(allow_slow=True)
    assert count("s: {A|re: 'a(?=b)'}", {"A": "ab"}, {"A": "ac"}, options=allowed) == 1
    assert count(r"s: {A|re: '(a|aa)+\1c'}", {"A": "a" * 80}, options=allowed) == 0


def test_placeholders_come_from_the_options() -> None:
    options = Options(placeholders={"adm": ("root", "adm*")})
    assert (
        count(
            "s: {A|expand: '%adm%'}", {"A": "root"}, {"A": "admin"}, {"A": "bob"}, options=options
        )
        == 2
    )
