"""`opsonin rules list`: the rules of folders, as a table or JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from rich.console import Console
from rich.table import Table

from console.output import write_record
from console.plain import cell

if TYPE_CHECKING:
    from contract.document import Document
    from correlate.sigma.rules import RuleSet
    from runtime.rule_files import RuleFiles

Row: TypeAlias = dict[str, Any]


@click.command("list", epilog="Example: opsonin rules list --level high rules/detection")
@click.option("--json", "as_json", is_flag=True, help="one object a line")
@click.option("--level", help="only of this level")
@click.option("--technique", help="only of this ATT&CK technique, e.g. T1059 (with its parts)")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
def command(
    as_json: bool, level: str | None, technique: str | None, paths: tuple[Path, ...]
) -> None:
    """List detections, correlations, chain patterns and playbooks below PATH (default: the shipped ones)."""
    from runtime.rule_cache import load_rules  # noqa: PLC0415  # start of --help stays quick
    from runtime.rule_files import RuleFiles, shipped  # noqa: PLC0415

    loaded = load_rules(paths or (shipped(),))
    files = RuleFiles()
    for document in loaded.others:
        files.add(document)
    found = (*_sigma(loaded.rules), *_patterns(files), *_playbooks(files))
    rows = [
        row for row in found
        if level in (None, row["level"]) and _has(tuple(row["techniques"]), technique)
    ]  # fmt: skip
    for error in (*loaded.rules.errors, *files.errors):
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


def _sigma(rules: RuleSet) -> Iterator[Row]:
    for rule in rules.detections.values():
        yield {
            "id": rule.id, "kind": "detection", "level": rule.level, "status": rule.status,
            "logsource": "/".join(part for part in rule.logsource if part), "techniques": rule.techniques,
            "title": rule.title, **_place(rule.document),
        }  # fmt: skip
    for id, document in rules.correlations.items():
        data = document.data
        tags = [str(tag) for tag in data.get("tags") or []]
        yield {
            "id": id, "kind": "correlation", "level": data.get("level", ""), "status": data.get("status", ""),
            "logsource": "", "techniques": [tag[7:].upper() for tag in tags if tag.startswith("attack.t")],
            "title": str(data.get("title", "")), **_place(document),
        }  # fmt: skip


def _patterns(files: RuleFiles) -> Iterator[Row]:
    from correlate.chain import patterns  # noqa: PLC0415

    for document in files.patterns:
        for pattern in patterns.load([document]).patterns.values():
            techniques = dict.fromkeys(one for step in pattern.steps for one in step.techniques)
            yield _plain("pattern", pattern.pattern, pattern.title, list(techniques), document)


def _playbooks(files: RuleFiles) -> Iterator[Row]:
    from respond import playbook  # noqa: PLC0415

    for document in files.playbooks:
        for one in playbook.load([document]).playbooks:
            yield _plain("playbook", one.name, one.description.partition(". ")[0], [], document)


def _plain(kind: str, id: str, title: str, techniques: list[str], document: Document) -> Row:
    return {
        "id": id, "kind": kind, "level": "", "status": "", "logsource": "", "techniques": techniques,
        "title": title, **_place(document),
    }  # fmt: skip


def _place(document: Document) -> Row:
    return {"file": document.file, "line": document.place()[0]}


def _has(techniques: tuple[str, ...], wanted: str | None) -> bool:
    if wanted is None:
        return True
    name = wanted.upper()
    return any(one == name or one.startswith(name + ".") for one in techniques)
