"""`opsonin rules list`: the rules of folders, as a table or JSON lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from console.output import write_record
from console.plain import cell


@click.command("list", epilog="Example: opsonin rules list --level high rules/detection")
@click.option("--json", "as_json", is_flag=True, help="one object a line")
@click.option("--level", help="only of this level")
@click.option("--technique", help="only of this ATT&CK technique, e.g. T1059 (with its parts)")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
def command(
    as_json: bool, level: str | None, technique: str | None, paths: tuple[Path, ...]
) -> None:
    """List detections and correlations below PATH (default: the shipped rules)."""
    from runtime.rule_cache import load_rules  # noqa: PLC0415  # start of --help stays quick
    from runtime.rule_files import shipped  # noqa: PLC0415

    loaded = load_rules(paths or (shipped(),)).rules
    rows: list[dict[str, Any]] = []
    for rule in loaded.detections.values():
        if level not in (None, rule.level) or not _has(rule.techniques, technique):
            continue
        source = "/".join(part for part in rule.logsource if part)
        rows.append(
            {
                "id": rule.id, "kind": "detection", "level": rule.level, "status": rule.status,
                "logsource": source, "techniques": rule.techniques, "title": rule.title,
                "file": rule.document.file, "line": rule.document.place()[0],
            }
        )  # fmt: skip
    for id, document in loaded.correlations.items():
        data = document.data
        tags = [
            str(tag)[7:].upper()
            for tag in data.get("tags") or []
            if str(tag).startswith("attack.t")
        ]
        if level in (None, data.get("level")) and _has(tuple(tags), technique):
            rows.append(
                {
                    "id": id, "kind": "correlation", "level": data.get("level", ""),
                    "status": data.get("status", ""), "logsource": "", "techniques": tags,
                    "title": str(data.get("title", "")), "file": document.file,
                    "line": document.place()[0],
                }
            )  # fmt: skip
    for error in loaded.errors:
        click.echo(f"refused: {error}", err=True)
    if as_json:
        for row in rows:
            write_record(row)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "level", "kind", "logsource", "techniques", "title"):
        table.add_column(name, no_wrap=name != "title")
    for row in rows:
        table.add_row(
            *map(cell, (row["id"], row["level"], row["kind"], row["logsource"], " ".join(row["techniques"]), row["title"]))
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


def _has(techniques: tuple[str, ...], wanted: str | None) -> bool:
    if wanted is None:
        return True
    name = wanted.upper()
    return any(one == name or one.startswith(name + ".") for one in techniques)
