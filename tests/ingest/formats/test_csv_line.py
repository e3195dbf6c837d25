"""One line of comma-separated values."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.csv_line import split


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("", [""]),
        ("a,b,,", ["a", "b", "", ""]),
        ('a,"b,c",d', ["a", "b,c", "d"]),
        ('"a ""quoted"" word",b', ['a "quoted" word', "b"]),
        ('a,"not "doubled" inside",b', ["a", 'not "doubled" inside', "b"]),
        ('a,"",', ["a", "", ""]),
        ('a,b "c" d', ["a", 'b "c" d']),
    ],
)
def test_values_of_a_line(line: str, values: list[str]) -> None:
    assert split(line) == values


def test_an_unclosed_quote_holds_the_rest() -> None:
    assert split('a,"b,c') == ["a", "b,c"]


@given(st.lists(st.text('ab,"x ', max_size=6), min_size=2, max_size=6))
def test_what_the_csv_module_writes_is_read_back(values: list[str]) -> None:
    class Line:
        text = ""

        def write(self, text: str) -> None:
            self.text += text

    line = Line()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="").writerow(values)
    assert split(line.text) == values
