"""Tables and the running view on a terminal, with values as attackers write them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from console.plain import cell, plain
from console.tables import show
from console.view import View
from tests.console.test_chain_view import ALERTS, CHAIN

HOSTILE = [
    "[bold]x[/bold]",
    "[/y] no such tag",
    "[link=file:///etc/passwd]x[/link]",
    "\x1b]0;title\x07",
    "a\n# b\u2028c",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_table_shows_a_value_as_it_is_on_one_line(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alert = ALERTS[0].model_copy(update={"id": value})
    show([alert], (("id", lambda one: one.id), ("n", lambda _: 1)), as_json=False, empty="none")
    heading, row = capsys.readouterr().out.split("\n")[:2]
    assert heading.split() == ["id", "n"]
    assert row.startswith(plain(value).rstrip())
    assert row.endswith("1") or row.rstrip().endswith("1")
    assert cell(value).plain == plain(value)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("value", HOSTILE)
def test_the_running_view_takes_no_value_for_markup_or_control(value: str, terminal: bool) -> None:
    rule = ALERTS[1].rule.model_copy(update={"name": value})
    out = io.StringIO()
    screen = Console(file=out, width=300, force_terminal=terminal, color_system=None)
    view = View(screen, list)
    for one in (ALERTS[0], ALERTS[1].model_copy(update={"rule": rule}), CHAIN):
        view.watch(one)
    if terminal:
        screen.print(view.render())
    said = out.getvalue()
    assert plain(value).strip() in said
    assert all(c.isprintable() or c == "\n" for c in said)
