"""Bodies of audit records: what a learnt shape reads is what the plain reading reads."""

from random import Random

import pytest

from ingest.formats import audit_fields
from ingest.formats.audit_fields import fields_of
from ingest.formats.shapes import LEARN_AFTER, Shapes

VALUES = (
    "0", "1000", "c000003e", "(null)", "(none)", "?", "", "s0-s0:c0.c1023", '"sshd"', '"/usr/bin/a b"', "'x y'", '"open',
    "2F62696E2F6C73", '"2F62"', "{ a=b }", "x,", "failed)", "(x,", "é", "a=b", 'a"b', "0x1d\x1d", "7F7G",
)  # fmt: skip
NAMES = ("pid", "uid", "comm", "exe", "key", "old-auid", "a0", "a1[0]", "name", "UID", "tty")


def plainly(body: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Read a body by shapes that have learnt nothing."""
    fresh = Shapes(audit_fields._SHAPES._grammar, audit_fields._plan)
    with monkeypatch.context() as patched:
        patched.setattr(audit_fields, "_SHAPES", fresh)
        return fields_of(body)


def test_a_learnt_shape_reads_what_the_plain_reading_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        audit_fields, "_SHAPES", Shapes(audit_fields._SHAPES._grammar, audit_fields._plan)
    )
    chance = Random(7)  # noqa: S311 - repeatable, no secret
    for _ in range(60):
        names = chance.choices(NAMES, k=chance.randrange(1, 7))
        kept = [chance.choice(VALUES) for _ in names]
        between = chance.choice((" ", " ", "  ", "\x1d", ", ", " and "))
        for _ in range(LEARN_AFTER * 3):
            values = [chance.choice((old, old, chance.choice(VALUES))) for old in kept]
            pairs = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
            for body in (
                between.join(pairs),
                f"ses=4 msg='{' '.join(pairs)}'",
                " " + " ".join(pairs) + " \n",
            ):
                assert fields_of(body) == plainly(body, monkeypatch), body
                assert list(fields_of(body)) == list(plainly(body, monkeypatch)), body
    assert audit_fields._SHAPES._count > 10


def test_quotes_are_cut_and_hexadecimal_read_also_where_a_shape_is_learnt() -> None:
    for number in range(LEARN_AFTER * 2):
        body = f'pid={number} comm="ls {number}" exe=2F62696E2F6C73 tty=(none) key=(null)'
        assert fields_of(body) == {
            "pid": str(number),
            "comm": f"ls {number}",
            "exe": "/bin/ls",
            "tty": "(none)",
            "key": "(null)",
        }


def test_of_a_name_that_stands_twice_the_first_holds() -> None:
    for _ in range(LEARN_AFTER * 2):
        assert fields_of('name="41" name=42 a=1 a=2') == {"name": "41", "a": "1"}
        assert fields_of("name=42 name=\"41\" msg='name=1 b=2'") == {"name": "B", "b": "2"}
