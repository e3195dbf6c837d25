"""docs/settings.md lists every key; OPSONIN_ACCEPT=1 writes it anew."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from contract import timespan
from contract.plugins import load
from contract.ports import EnforcerType, SourceType
from runtime.settings_file import File, PointEntry, RouteEntry, SourceEntry

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
HEAD = """\
# Settings

One TOML file, named by `--config`; each key may also be given as a variable `OPSONIN_<TABLE>__<KEY>` (the variable wins), e.g.
`OPSONIN_POLICY__MODE=enforce`. Everything is checked before anything opens; unknown keys are refused. Spans of time are a number and
ms, s, m, h, d or w. Relative paths are relative to the file. This page is written from the code by a test
(`OPSONIN_ACCEPT=1 make test PYTEST_ARGS=tests/runtime/test_settings_page.py`).
"""


def described(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings' words on each attribute, inherited ones too."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if one is not BaseModel and issubclass(one, BaseModel):
            found |= described_here(one)
    return found


def described_here(model: type[BaseModel]) -> dict[str, str]:
    """Return one docstring's words on each attribute."""
    text = inspect.cleandoc(model.__doc__ or "")
    _, _, attributes = text.partition("Attributes:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in inspect.cleandoc(attributes).splitlines():
        head = re.match(r"([a-z0-9_, ]+): (.*)", line)
        if head and not line.startswith(" "):
            names = [name.strip() for name in head[1].split(",")]
            found |= dict.fromkeys(names, head[2])
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def default(value: Any) -> str:  # noqa: PLR0911 - one a type
    """Return a default as TOML says it."""
    match value:
        case _ if value is PydanticUndefined:
            return "*required*"
        case None:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case BaseModel() | dict():
            return "see there" if value else "`{}`"
        case list() | tuple():
            return f"`[{', '.join(repr(one) for one in value)}]`".replace("'", '"')
        case int() | float():
            return f"`{value}`"
        case _ if hasattr(value, "total_seconds"):
            return f'`"{timespan.write(value)}"`'
        case _:
            return f'`"{value}"`'


def table(title: str, model: type[BaseModel], left_out: tuple[str, ...] = ()) -> str:
    """Return one section."""
    words = described(model)
    intro = (inspect.getdoc(model) or "").partition("\n\n")[0].replace("\n", " ")
    rows = [f"\n## {title}\n\n{intro}\n\n| key | default | meaning |\n|---|---|---|"]
    for name, field in model.model_fields.items():
        if name in left_out:
            continue
        value = field.get_default(call_default_factory=True)
        rows.append(
            f"| `{name}` | {default(value)} | {words.get(name, '').replace('|', chr(92) + '|')} |"
        )
    return "\n".join(rows) + "\n"


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for name, field in File.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts.append(table(f"[{name}]", field.annotation))
    parts.append(table("[[source]]", SourceEntry))
    parts.append(table("[[source.route]]", RouteEntry))
    sources = load("ingest.sources", "SOURCE", SourceType).values()
    parts += [table(f'[[source]] of type "{one.name}"', one.settings) for one in sources]
    parts.append(table("[[point]]", PointEntry))
    points = load("respond.enforcers", "ENFORCER", EnforcerType).values()
    parts += [table(f'[[point]] of type "{one.name}"', one.settings, ("guard",)) for one in points]
    return "".join(parts)


def test_the_settings_page_lists_every_key_as_it_is() -> None:
    written = page()
    if os.environ.get("OPSONIN_ACCEPT"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written, "OPSONIN_ACCEPT=1 writes it anew"


def test_every_key_is_explained() -> None:
    unexplained = [
        line for line in page().splitlines() if line.startswith("| `") and line.endswith("|  |")
    ]
    assert unexplained == []
