"""Lines sieved or read for a few fields, against lines decoded whole: no difference is allowed, in hits or in refusals."""

import math
import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.errors import ParseError
from correlate.sigma import lines, reading, rule_class, sieve
from correlate.sigma.lines import LineMatcher, decode
from tests.correlate.sigma.making import loaded, rule

RULES = loaded(
    rule("s: {A|contains: evil, B: x}", id="two"),
    rule("s: {A: null, B|startswith: y}", id="null"),
    rule("s: {B: null}", source="product: windows, service: security", id="absent"),
    rule("s: {C.d|endswith: z}", id="dotted"),
    rule("s: {SourceName: NXLOG}", id="head"),
    rule("s: {A: 7}", id="number"),
    rule("s: [mimikatz, 'sekurlsa::']", id="keyword"),
    rule("s: {A|re: 'q+'}\nf: {B: x}", condition="s and not f", id="pattern"),
    rule("s: {EventID: 3, A|exists: false}", id="exists"),
    rule(
        "s: {B|contains: '*'}\nf: {B|contains: [b, x]}\ng: {B|endswith: '1', A: evil}",
        condition="s and not f and not g",
        source="product: windows, service: system",
        id="any",
    ),
).detections.values()

NATIVE = [False, pytest.param(True, marks=pytest.mark.native)]

names = st.sampled_from(["A", "B", "C", "C.d", "SourceName", "Provider_Name", "x"])
values = st.sampled_from(
    ["evil", "EVIL\u212a", "x", "y1", "z", "qq", "7", "mimikatz", "\u017fekurl\u017fa::", "\\u0041", "", "Nxlog"]
) | st.sampled_from([None, 7, 7.0, True, [], [None], ["x", "evil"], {"d": "z"}, {"e": 1}, 2**70])  # fmt: skip
lines_of_events = st.tuples(
    st.sampled_from(["Security", "security", "System", "", None, 3, ["Security"]]),
    st.sampled_from([1, 3, "3", 4624, None, True, [1], 3.0]),
    st.dictionaries(names, values, max_size=5),
    st.booleans(),
)


def line_of(parts: tuple[Any, Any, dict[str, Any], bool]) -> bytes:
    channel, code, fields, last = parts
    head = {"Channel": channel, "EventID": code}
    return msgspec.json.encode({**fields, **head} if last else {**head, **fields})


def answer(matcher: LineMatcher, line: bytes) -> list[str] | str:
    try:
        return [one.id for one in matcher.match(line)]
    except ParseError:
        return "refused"


@pytest.mark.parametrize("native", NATIVE)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=st.lists(lines_of_events, min_size=1, max_size=12))
def test_lines_read_in_part_give_the_hits_of_lines_decoded_whole(
    native: bool, parts: list[Any]
) -> None:
    quick, whole = LineMatcher(RULES, native=native), LineMatcher(RULES, plain=True)
    for _ in range(3):  # the class is known from the second round on
        for one in parts:
            assert answer(quick, line_of(one)) == answer(whole, line_of(one))


@pytest.mark.parametrize("native", NATIVE)
def test_learning_while_reading_in_part_changes_no_hit(
    monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    monkeypatch.setattr(rule_class, "SAMPLE", 5)
    monkeypatch.setattr(rule_class, "_RELEARN_AFTER", (20, 40))
    monkeypatch.setattr(rule_class, "_STRIDE", 2)
    choose = random.Random(2)  # noqa: S311  # repeatable, not secret
    quick, whole = LineMatcher(RULES, native=native), LineMatcher(RULES, plain=True)
    for _ in range(2_000):
        event = {"Channel": "Security", "EventID": choose.choice([1, 3])} | {
            name: choose.choice(["evil", "x", "y", "qq", "NXLOG", 7, None])
            for name in choose.sample(["A", "B", "C.d", "SourceName"], choose.randint(0, 4))
        }
        line = msgspec.json.encode(event)
        assert answer(quick, line) == answer(whole, line)
    assert any(one._learnt for one in quick.engine._classes.values())


GOOD = b'{"x":"1","Channel":"System","EventID":7,"A":"q","y":[{"z":null}]}'


@pytest.mark.parametrize(
    "part",
    [
        b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\x"', b'"\\u12g4"', b"01", b"1.", b"-", b"[1,]", b"nul",
        b'"\x01"', b"{1:2}", b"NaN", b"1e999", b"-1e999", b"9" * 5000, b"[" * 3000 + b"]" * 3000, b'"a', b"",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [b'"1"', b'"q"', b"null"])
@pytest.mark.parametrize("native", NATIVE)
def test_what_is_no_json_is_refused_whether_read_in_part_or_whole(
    part: bytes, place: bytes, native: bool
) -> None:
    quick, whole = LineMatcher(RULES, native=native), LineMatcher(RULES, plain=True)
    assert [answer(quick, GOOD) for _ in range(3)] == [["pattern"]] * 3
    line = GOOD.replace(place, part)
    assert answer(quick, line) == answer(whole, line)


@pytest.mark.parametrize("native", NATIVE)
@pytest.mark.parametrize("line", [GOOD, GOOD.replace(b'"q"', b'"dull"')])
@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), new=st.binary(max_size=3), cut=st.integers(0, 3))
def test_damaged_lines_are_answered_alike(
    native: bool, line: bytes, at: int, new: bytes, cut: int
) -> None:
    quick, whole = LineMatcher(RULES, native=native), LineMatcher(RULES, plain=True)
    damaged = line[:at] + new + line[at + cut :]
    for _ in range(2):
        quick.match(line)
    assert answer(quick, damaged) == answer(whole, damaged)


def test_numbers_out_of_range_are_texts_and_hide_no_event() -> None:
    digits = b"9" * 5000
    event = decode(b'{"a":1e999,"b":' + digits + b',"c":1.5,"d":12345678901234567890123}')
    assert event == {"a": "1e999", "b": digits.decode(), "c": 1.5, "d": 12345678901234567890123}
    assert not any(isinstance(one, float) and math.isinf(one) for one in event.values())
    for bad in (b'{"a":1e999,"b":NaN}', b'{"a":1e999,"b":"\\ud800"}', b"[1e999]", b'{"a":1e999'):
        with pytest.raises(ParseError):
            decode(bad)


def test_a_line_is_decoded_whole_only_for_a_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    matcher = LineMatcher(RULES, native=False)
    monkeypatch.setattr(rule_class, "SAMPLE", 1)
    boring = b'{"Channel":"System","EventID":7,"A":"dull","B":"b","x":"1"}'
    for _ in range(3):
        assert matcher.match(boring) == []
    decoded: list[bytes] = []

    def counted(line: bytes) -> dict[str, Any]:
        decoded.append(line)
        return decode(line)

    monkeypatch.setattr(lines, "decode", counted)
    assert matcher.match(boring) == []
    assert decoded == []
    assert [one.id for one in matcher.match(boring.replace(b"dull", b"q"))] == ["pattern"]
    assert len(decoded) == 1


def test_what_is_remembered_of_codes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_HINTS", 4)
    matcher = LineMatcher(RULES, native=False)
    for code in range(50):
        matcher.match(b'{"Channel":"System","EventID":%d}' % code)
        assert len(matcher._readings) <= 4


def test_names_that_cannot_be_declared_are_decoded_whole() -> None:
    assert reading.can_read(["A", "a b", "é"])
    assert not reading.can_read(['a"b'])
    assert not reading.can_read(["a\\b"])
    assert not reading.can_read(["a\nb"])
    assert not reading.can_read(map(str, range(reading.MAX_FIELDS + 1)))
    odd = loaded(rule("s: {'a\"b': x}")).detections.values()
    matcher = LineMatcher(odd)
    line = b'{"Channel":"System","EventID":1,"a\\"b":"X"}'
    assert [len(matcher.match(line)) for _ in range(3)] == [1, 1, 1]


# ------------------------------------------------------------------ the native sieve


def sieved() -> tuple[LineMatcher, list[int]]:
    """Return a matcher without a sample being taken, and the sieve's answers so far."""
    matcher = LineMatcher(RULES)
    answers: list[int] = []
    assert matcher._sieve is not None
    ask = matcher._sieve.ask

    def kept(line: bytes, time_us: int) -> int:
        answers.append(ask(line, time_us))
        return answers[-1]

    matcher._ask = kept
    return matcher, answers


@pytest.mark.native
def test_the_sieve_lets_through_what_may_match_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_class, "SAMPLE", 1)
    matcher, answers = sieved()
    boring = b'{"Channel":"System","EventID":7,"A":"dull","B":"b","x":"1"}'
    for _ in range(3):
        assert matcher.match(boring) == []
    assert answers == [sieve.UNKNOWN, sieve.LOOK, 0]  # a pattern waits there: Python decides once
    for odd in (b'"q"', b'"7"', b"7", b"[]", b"1.5", b'"\\u0071"'):
        matcher.match(boring.replace(b'"dull"', odd))
        assert answers[-1] == sieve.LOOK, odd
    for keyword in (b"MimiKatz", b"a sekurlsa::b", b"\\u006d", "\u017fekurlsa::".encode()):
        matcher.match(boring.replace(b'"1"', b'"' + keyword + b'"'))
        assert answers[-1] == sieve.LOOK, keyword
    for plain in (b"mimi katz", "\u00e9".encode(), b"C:\\\\users"):
        assert matcher.match(boring.replace(b'"1"', b'"' + plain + b'"')) == []
        assert answers[-1] == 0, plain


@pytest.mark.native
def test_a_value_found_clean_is_let_by_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_class, "SAMPLE", 1)
    matcher, answers = sieved()
    line = '{"Channel":"System","EventID":7,"A":"k\u00fc","B":"x"}'.encode()
    for _ in range(4):
        assert matcher.match(line) == []
    assert answers == [sieve.UNKNOWN, sieve.LOOK, 0, 0]
    matcher.forget_values()
    matcher.match(line)
    assert answers[-1] == sieve.LOOK


@pytest.mark.native
def test_classes_of_the_sieve_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieve, "MAX_CLASSES", 3)
    kinds = [f"r{code}" for code in range(20)]
    rules = loaded(
        *[rule(f"s: {{EventID: {code}, A|contains: evil}}", id=id) for code, id in enumerate(kinds)]
    ).detections.values()
    matcher = LineMatcher(rules)
    for code in [*range(20), *range(20)]:
        line = b'{"Channel":"System","EventID":%d,"A":"so evil"}' % code
        assert [one.id for one in matcher.match(line)] == [f"r{code}"]
        assert matcher._sieve is not None
        assert len(matcher._sieve._told) <= 3


@pytest.mark.native
def test_malformed_messages_to_the_sieve_are_refused() -> None:
    made = sieve.made()
    assert made is not None
    good = (0, 0, 0, b"")
    made._tell(made._sieve, *good)
    for message in [
        (9, 0, 0, b""),
        (2, 0, 0, b"x"),
        (2, 0, 0, b"E\x01\0\0\0x"),
        (2, 70_000, 0, b""),
        (-1, 0, 0, b""),
    ]:
        with pytest.raises(ValueError, match="malformed"):
            made._tell(made._sieve, *message)
    with pytest.raises(TypeError):
        made.ask("text", 0)  # type: ignore[arg-type]
