"""Modifiers and values in combination: what the appendix of modifiers says of each must hold of both."""

from base64 import b64encode
from typing import Any

import pytest

from correlate.sigma.rules import Options
from tests.correlate.sigma.making import count


def wide(text: str, before: int = 0) -> str:
    return b64encode(b"x" * before + text.encode("utf-16-le")).decode()


CASES: list[tuple[str, str, list[Any], int]] = [
    ("cased, contains, all","s: {A|cased|contains|all: [x, Y]}",[{"A":"xY"},{"A":"xy"},{"A":"Yx"},{"A":"x"}],2),
    ("contains, all, cased","s: {A|contains|all|cased: [x, Y]}",[{"A":"xY"},{"A":"Xy"}],1),
    ("startswith cased","s: {A|startswith|cased: Ab}",[{"A":"Abc"},{"A":"abc"}],1),
    ("endswith cased list","s: {A|cased|endswith: [Ab, cD]}",[{"A":"xAb"},{"A":"xcD"},{"A":"xcd"}],2),
    ("equal cased","s: {A|cased: Ab}",[{"A":"Ab"},{"A":"ab"},{"A":["q","Ab"]}],2),
    ("cased wildcard","s: {A|cased: 'A*b'}",[{"A":"Axb"},{"A":"axb"}],1),
    ("cased number","s: {A|cased: 5}",[{"A":5},{"A":"5"}],2),
    ("re i on array","s: {A|re|i: ^ab$}",[{"A":["q","AB"]},{"A":["abc"]}],1),
    ("re i m s","s: {A|re|i|m|s: '^b.c$'}",[{"A":"a\nB\nC\nd"},{"A":"abc"}],1),
    ("re list OR","s: {A|re: [a+, b+]}",[{"A":"b"},{"A":"c"}],1),
    ("re all","s: {A|re|all: [a+, b+]}",[{"A":"ba"},{"A":"b"},{"A":["a","b"]}],2),
    ("re on a number","s: {A|re: '^46'}",[{"A":4625},{"A":462}],2),
    ("re on true","s: {A|re: '^true$'}",[{"A":True}],1),
    ("contains all on array: each in some element","s: {A|contains|all: [x, y]}",[{"A":["x1","y1"]},{"A":["x1"]}],1),
    ("fieldref startswith array","s: {A|fieldref|startswith: B}",[{"A":["q","xz"],"B":"X"},{"A":"xz","B":["q","x"]}],2),
    ("fieldref absent","s: {A|fieldref: B}",[{"A":"x"},{"B":"x"},{}],0),
    ("fieldref nested","s: {A.x|fieldref: B.y}",[{"A":{"x":"v"},"B":{"y":"V"}}],1),
    ("fieldref list","s: {A|fieldref: [B, C]}",[{"A":"x","C":"x"},{"A":"x","B":"y"}],1),
    ("neq contains","s: {A|contains|neq: x}",[{"A":"axb"},{"A":"y"}],1),
    ("neq number","s: {A|neq: 5}",[{"A":5},{"A":"5"},{"A":6},{"B":1}],2),
    ("neq cased","s: {A|neq|cased: x}",[{"A":"X"},{"A":"x"}],1),
    ("neq null","s: {A|neq: null}",[{"A":"X"},{"B":"x"},{"A":None},{"A":""}],2),
    ("neq empty","s: {A|neq: ''}",[{"A":"X"},{"A":""},{"B":1}],2),
    ("neq array","s: {A|neq: x}",[{"A":["x","y"]},{"A":["y"]}],1),
    ("neq wildcard","s: {A|neq: 'x*'}",[{"A":"xa"},{"A":"y"}],1),
    ("exists nested false","s: {A.B|exists: false}",[{"A":{"B":1}},{"A":{"C":1}},{"A":1},{"A.B":None},{}],3),
    ("exists nested true","s: {A.B|exists: true}",[{"A":{"B":None}},{"A":{"C":1}},{"A.B":0}],2),
    ("null nested","s: {A.B: null}",[{"A":{"B":None}},{"A":{"C":1}},{"A":{"B":1}},{}],3),
    ("wide base64offset contains","s: {A|wide|base64offset|contains: net user}",[{"A":"zz"+wide("net user")},{"A":wide("net user",1)},{"A":wide("net user",2)},{"A":wide("net usr")}],3),
    ("utf16le list","s: {A|utf16le|base64offset|contains: [foo1, bar2]}",[{"A":wide("bar2")},{"A":wide("q")}],1),
    ("keywords, one a number","s: [4625, foo]",[{"A":"14625"},{"A":"foo"},{"A":4625}],3),
    ("keyword wildcard","s: ['f*o']",[{"A":"xxfzzoyy"},{"A":"of"}],1),
    ("keywords contains modifiers","s: {'|contains': foo}",[{"A":"xfoox"}],1),
    ("keywords re","s: {'|re': 'f.o'}",[{"A":"xfzo"},{"A":"xFzo"}],1),
    ("keywords cased","s: {'|cased': Foo}",[{"A":"xFoo"},{"A":"foo"}],1),
    ("windash contains all","s: {A|windash|contains|all: [' -a', ' -b']}",[{"A":"x /a -b"},{"A":"x -a"}],1),
    ("windash endswith","s: {A|windash|endswith: ' -a'}",[{"A":"x \u2013a"}],1),
    ("time part list","s: {T|hour: [1, 2]}",[{"T":"2026-01-01T02:00:00Z"},{"T":"2026-01-01T03:00:00Z"}],1),
    ("time neq","s: {T|hour|neq: 1}",[{"T":"2026-01-01T02:00:00Z"},{"T":"2026-01-01T01:00:00Z"}],1),
    ("time lt","s: {T|minute|lt: 5}",[{"T":"2026-01-01T02:04:00Z"},{"T":"2026-01-01T01:05:00Z"}],1),
    ("time range all","s: {T|hour|gte: 8, T|hour|lt: 18}",[{"T":"2026-01-01T09:04:00Z"},{"T":"2026-01-01T18:05:00Z"}],1),
    ("time space","s: {T|hour: 9}",[{"T":"2026-01-01 09:04:00.123"}],1),
    ("lt float text","s: {A|lt: 1.5}",[{"A":1.4},{"A":"1.4"},{"A":2},{"A":"x"},{"A":None},{"A":True}],2),
    ("gt array","s: {A|gt: 5}",[{"A":[1,9]},{"A":[1]}],1),
    ("gte","s: {A|gte: 5}",[{"A":5},{"A":4}],1),
    ("gt negative","s: {A|gt: -5}",[{"A":-4},{"A":-6},{"A":"-4"}],2),
    ("cidr list","s: {A|cidr: [10.0.0.0/8, 192.168.0.0/16]}",[{"A":"192.168.1.1"},{"A":["8.8.8.8","10.1.1.1"]},{"A":"8.8.8.8"}],2),
    ("cidr neq","s: {A|cidr|neq: 10.0.0.0/8}",[{"A":"10.1.1.1"},{"A":"8.8.8.8"}],1),
    ("list maps nested AND","s: [{A: x, B: y}, {C: [1, 2]}]",[{"A":"x","B":"y"},{"C":2},{"A":"x"}],2),
    ("list mix keyword and map","s: [foo, {A: x}]",[{"Z":"foo"},{"A":"x"},{"A":"y"}],2),
    ("contains empty","s: {A|contains: ''}",[{"A":"x"},{"A":""},{"B":1}],2),
    ("startswith star","s: {A|startswith: '*x'}",[{"A":"ax1"},{"A":"x"},{"A":"y"}],2),
    ("contains question","s: {A|contains: 'a?c'}",[{"A":"zabcz"},{"A":"zacz"}],1),
    ("escaped question","s: {A: 'a\\?c'}",[{"A":"a?c"},{"A":"abc"}],1),
    ("value list with null","s: {A: [x, null]}",[{"A":"x"},{"B":1},{"A":"y"}],2),
    ("value list with empty","s: {A: [x, '']}",[{"A":""},{"B":1},{"A":"x"}],2),
    ("bool false","s: {A: false}",[{"A":False},{"A":"false"},{"A":0},{"B":1}],2),
    ("float equal","s: {A: 1.5}",[{"A":1.5},{"A":"1.5"}],2),
    ("exists list","s: {A|exists: true}",[{"A":[]},{"A":[None]}],2),
    ("dots of names and of nesting","s: {'a.b.c': x}",[{"a":{"b.c":"x"}},{"a":{"b":{"c":"x"}}},{"a.b":{"c":"x"}}],3),
    ("a date is its text","s: {A: 2026-01-02}",[{"A":"2026-01-02"}],1),
    ("any modifier","s: {A|any: [x, y]}",[{"A":"y"},{"A":"z"}],1),
    ("contains any","s: {A|contains|any: [x, y]}",[{"A":"qyq"},{"A":"z"}],1),
    ("contains takes a number as its text", "s: {A|contains: 62}", [{"A": 4625}, {"A": "x62"}, {"A": 26}], 2),
    ("startswith, too", "s: {A|startswith: [46, true]}", [{"A": 4625}, {"A": "True"}, {"A": "x46"}], 2),
    ("a keyword with contains", "s: {'|contains': 46}", [{"A": "1461"}, {"A": 46}, {"A": 4}], 2),
    ("expand in a list", "s: {A|expand: ['%adm%', x]}", [{"A": "root"}, {"A": "x"}, {"A": "y"}], 2),
    ("expand with contains", "s: {A|expand|contains: '%adm%'}", [{"A": "a root b"}, {"A": "y"}], 1),
    ("expand within text", "s: {A|expand: 'a\\%adm%'}", [{"A": "a\\root"}, {"A": "root"}], 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("detection", "events", "wanted"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_combination(detection: str, events: list[Any], wanted: int) -> None:
    options = Options(placeholders={"adm": ("root", "wheel")})
    assert count(detection, *events, options=options) == wanted


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("1 of them", ["a"]),  # not those "starting with an underscore"
        ("all of them", []),
        ("1 of _*", ["u"]),
        ("all of _*", []),
        ("1 of *", ["a"]),
        ("a or 1 of _*", ["a", "u"]),
        ("_u and not 1 of them", ["u"]),
    ],
)
def test_names_with_an_underscore_are_of_patterns_that_begin_so(
    condition: str, wanted: list[str]
) -> None:
    detection = "a: {A: x}\nb: {B: x}\n_u: {U: x}\n_v: {V: x}"
    for name, event in {"a": {"A": "x"}, "u": {"U": "x"}, "none": {"N": "x"}}.items():
        assert count(detection, event, condition=condition) == (name in wanted)
