"""What comes from logs, and so from attackers, as text that a terminal or a page only shows: one line, no control characters, no markup."""

from __future__ import annotations

from rich.text import Text


def plain(value: str) -> str:
    """Replace control characters, line feeds among them, and surrogates that no encoding holds, by blanks."""
    return "".join(c if c.isprintable() else " " for c in value)


def cell(value: object, style: str = "") -> Text:
    """Return a value as it stands in a table on a terminal: brackets in it are no markup."""
    return Text(plain(str(value)), style=style)
