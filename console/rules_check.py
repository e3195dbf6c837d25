"""`opsonin rules check`: faults of rules as text, JSON lines or SARIF."""

from __future__ import annotations

import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from console.output import write_record
from contract.errors import InputError

if TYPE_CHECKING:
    from correlate.sigma.conventions import Finding

_SARIF_LEVEL = {"error": "error", "warning": "warning", "note": "note"}
_RANK = {"error": 0, "warning": 1, "note": 2}


@click.command("check", epilog="Example: opsonin rules check --format sarif rules > rules.sarif")
@click.option("--pipeline", "pipelines", multiple=True, help="by name (shipped) or file")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text")
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@click.option(
    "--severity", type=click.Choice(list(_RANK)), default="warning", show_default=True,
    help="the least that is printed",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="warnings, too, give exit code 1")
@click.option("--slow-patterns", is_flag=True, help="allow look-around, under a time limit")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
def command(
    pipelines: tuple[str, ...],
    form: str,
    as_json: bool,
    severity: str,
    strict: bool,
    slow_patterns: bool,
    paths: tuple[Path, ...],
) -> None:
    """Name every fault of the rules, chain patterns and playbooks below PATH (default: the shipped ones), and what to do about it.

    Exit code 1 when a rule is refused.
    """
    from correlate.chain import patterns  # noqa: PLC0415  # start of --help stays quick
    from correlate.sigma.check import check  # noqa: PLC0415
    from correlate.sigma.conventions import Finding  # noqa: PLC0415
    from correlate.sigma.rules import Options  # noqa: PLC0415
    from respond import playbook  # noqa: PLC0415
    from runtime.rule_cache import pipelines_of  # noqa: PLC0415
    from runtime.rule_files import read_rules, shipped  # noqa: PLC0415

    files = read_rules(paths or (shipped(),))
    findings = [_unread(error, Finding) for error in files.errors]
    findings += check(
        files.sigma,
        pipelines=pipelines_of(pipelines),
        options=Options(allow_slow=slow_patterns),
        clock=time.perf_counter,
    )
    others = (*patterns.load(files.patterns).errors, *playbook.load(files.playbooks).errors)
    findings += [_refused(error, Finding) for error in others]
    shown = [one for one in findings if _RANK[one.severity] <= _RANK[severity]]
    if form == "sarif":
        write_record(_sarif(shown))
    elif form == "json" or as_json:
        for one in shown:
            write_record({name: getattr(one, name) for name in one.__slots__})
    else:
        for one in shown:
            click.echo(
                f"{one.file}:{one.line}:{one.column}: {one.severity}: {one.message} [{one.code}]"
            )
    counts = Counter(one.severity for one in findings)
    click.echo(
        f"{len(files.sigma) + len(files.patterns) + len(files.playbooks)} documents: {counts['error']} refused, {counts['warning']} warnings, "
        f"{counts['note']} notes",
        err=True,
    )
    if counts["error"] or (strict and counts["warning"]):
        sys.exit(1)


def _unread(error: InputError, finding: type[Finding]) -> Finding:
    return _of(error, finding, "unreadable")


def _refused(error: InputError, finding: type[Finding]) -> Finding:
    return _of(error, finding, "refused")


def _of(error: InputError, finding: type[Finding], code: str) -> Finding:
    return finding(
        "error", code, error.message, error.file, max(error.line, 1), max(error.column, 1)
    )


def _uri(file: str) -> str:
    """Return a path as a URI: relative as it was given, or whole."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _sarif(findings: list[Finding]) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log, as code hosts read it."""
    codes = sorted({one.code for one in findings})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "opsonin",
                        "version": version("opsonin"),
                        "rules": [{"id": code} for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    {
                        "ruleId": one.code,
                        "ruleIndex": codes.index(one.code),
                        "level": _SARIF_LEVEL[one.severity],
                        "message": {"text": one.message},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": _uri(one.file)},
                                    "region": {
                                        "startLine": max(one.line, 1),
                                        "startColumn": max(one.column, 1),
                                    },
                                }
                            }
                        ],
                        **({"properties": {"rule": one.rule}} if one.rule else {}),
                    }
                    for one in findings
                ],
            }
        ],
    }
