"""Learned shapes give what the plain reading gives, and hostile input cannot make them grow or hang."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import shapes
from ingest.formats.shapes import (
    COLON,
    LEARN_AFTER,
    MAX_TRIES,
    QUOTED,
    TRAILING,
    Grammar,
    Shapes,
    Values,
)

KEYS = st.sampled_from(["src", "dst", "msg", "a.b", "c-d", "x_y"])
LINES = {
    QUOTED: 'date=2026-06-15 devname="fw 1" srcip=192.0.2.1 msg="" n=5',
    TRAILING: "src=192.0.2.1 msg=two words dst=192.0.2.2 act=",
    COLON: '[action:"Accept"; flags:"1"; src:"192.0.2.1"; ]',
}


def reader(grammar: Grammar) -> Shapes[tuple[str, ...]]:
    return Shapes(grammar, lambda keys: keys)


@pytest.mark.parametrize("grammar", LINES)
def test_a_learned_shape_reads_as_the_plain_reading_does(grammar: Grammar) -> None:
    read, line = reader(grammar), LINES[grammar]
    first = read.read(line)
    for _ in range(2 * LEARN_AFTER):
        keys, values = read.read(line)
        assert (keys, list(values)) == (first[0], list(first[1]))
    assert read._count == (0 if grammar is TRAILING else 1)


def test_values_change_while_the_shape_stays() -> None:
    read = reader(QUOTED)
    for _ in range(2 * LEARN_AFTER):
        read.read('a=1 b="x y" c=3')
    keys, values = read.read('a=22 b="" c=')
    assert dict(zip(keys, values, strict=True)) == {"a": "22", "b": "", "c": ""}


def test_a_value_with_an_equals_sign_is_never_read_by_another_shape() -> None:
    read = reader(TRAILING)
    for _ in range(2 * LEARN_AFTER):
        read.read("a=1 b=2 c=3")
    assert read.read("a=1 b=x=y c=3")[1] == ["1", "x=y", "3"]
    assert read.read("a=1 b=x y=2")[0] == ("a", "b", "y")


@given(st.lists(st.tuples(KEYS, st.text('abc 1=".;', max_size=8)), min_size=1, max_size=6))
def test_every_line_reads_alike_before_and_after_learning(pairs: list[tuple[str, str]]) -> None:
    line = " ".join(
        f'{key}="{value}"' if " " in value else f"{key}={value}" for key, value in pairs
    )
    read = reader(QUOTED)
    first = read.read(line)
    for _ in range(2 * LEARN_AFTER + 1):
        again = read.read(line)
    assert (first[0], list(first[1])) == (again[0], list(again[1]))


ESCAPED = st.lists(
    st.sampled_from(["a", " ", "\\=", "\\\\", "\\n", '\\"', "\\]", ":", ";", "b\\=c "]), max_size=6
).map("".join)


@pytest.mark.parametrize("grammar", [TRAILING, COLON])
@given(data=st.data())
def test_escaped_values_read_alike_by_a_shape_learnt_from_another_line(
    grammar: Grammar, data: st.DataObject
) -> None:
    keys = data.draw(st.lists(KEYS, min_size=1, max_size=4, unique=True))
    pair = '{}:"{}"; ' if grammar is COLON else "{}={} "

    def line() -> str:
        return "".join(pair.format(key, data.draw(ESCAPED)) for key in keys)

    learned = reader(grammar)
    for _ in range(3 * LEARN_AFTER):
        learned.read(line())
    for _ in range(3):
        text = line()
        assert clean(learned.read(text)) == clean(reader(grammar).read(text))


def clean(found: tuple[tuple[str, ...], Values]) -> tuple[tuple[str, ...], list[str]]:
    return found[0], [value.strip() for value in found[1]]


@pytest.mark.parametrize("grammar", LINES)
@pytest.mark.parametrize("filling", ["9", " ", "\\", "\\=", "\\a", "\\= ", " a\\=", " dst", '\\"'])
def test_a_learned_shape_takes_no_time_on_long_values(grammar: Grammar, filling: str) -> None:
    read, line = reader(grammar), LINES[grammar]
    for _ in range(2 * LEARN_AFTER):
        read.read(line)
    long = filling * (30_000 // len(filling))
    before = time.process_time()
    for value in ("192.0.2.1", "Accept", "fw 1"):
        read.read(line.replace(value, long))
        read.read(line.replace(value, long)[:-2] + "\n?")
    assert time.process_time() - before < 1


def test_patterns_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MAX_SHAPES", 10)
    read = reader(QUOTED)
    for number in range(100):
        for _ in range(LEARN_AFTER + 1):
            read.read(" ".join(f"k{number}x{place}=1" for place in range(number % 20 + 1)))
    assert read._count <= 10
    assert all(len(found) <= MAX_TRIES for found in read._shapes.values())


@pytest.mark.parametrize("grammar", LINES)
@pytest.mark.parametrize("filling", ["9", "=", '"', " ", "a=", 'a="', "\\", ':"', "a b="])
def test_long_lines_of_one_thing_take_no_time(grammar: Grammar, filling: str) -> None:
    line = filling * (60_000 // len(filling))
    before = time.process_time()
    reader(grammar).read(line)
    # Quadratic reading of 60,000 characters would take many seconds.
    assert time.process_time() - before < 2
