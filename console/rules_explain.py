"""`opsonin rules explain`: a rule's condition as a tree over one event."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from console.output import write_record
from contract.errors import ParseError, SettingsError

if TYPE_CHECKING:
    from correlate.sigma.rules import Detection, RuleSet
    from correlate.window.rule import Correlation

    Asked: TypeAlias = tuple[Correlation | None, str, Detection]
    """A detection, and where it is asked for a correlation's sake, that and its reference."""


@click.command(
    "explain",
    epilog="Example: opsonin rules explain rules/detection/ids/suricata_exploit.yml event.json",
)
@click.option("--rules", "roots", multiple=True, type=click.Path(path_type=Path),
              help="where RULE is looked up by id, name or title, when it is no file")  # fmt: skip
@click.option("--pipeline", "pipelines", multiple=True, help="by name (shipped) or file")
@click.option("--json", "as_json", is_flag=True, help="the tree as one object")
@click.option("--all", "whole", is_flag=True, help="long lists whole")
@click.argument("rule")
@click.argument("event", type=click.Path(path_type=Path, allow_dash=True))
def command(
    roots: tuple[Path, ...],
    pipelines: tuple[str, ...],
    as_json: bool,
    whole: bool,
    rule: str,
    event: Path,
) -> None:
    """Show for RULE (a file, id, name or title) and each event of a JSON file (or -) what holds and what does not.

    Of a correlation: which of its detections hold, and the fields that it groups and counts by.

    Exit code 1 when a rule does not hold for an event.
    """
    from correlate.sigma.explain import explain, lines  # noqa: PLC0415  # --help stays quick
    from correlate.sigma.view import flat  # noqa: PLC0415
    from correlate.window.taking_part import part  # noqa: PLC0415

    asked = _asked(rule, roots, pipelines)
    all_hold = True
    for at, one in enumerate(_events(event)):
        fields = flat(one)
        held = []
        for correlation, reference, detection in asked:
            explained = explain(detection, fields)
            held.append(explained.holds)
            if as_json:
                write_record({"record": at, "rule": detection.id, **asdict(explained)})
                continue
            word = (
                "holds" if explained.holds else f"does not hold ({explained.score:.0%} of it does)"
            )
            click.echo(f"event {at}: {detection.title!r} {word}")
            if not explained.routed:
                wanted = "/".join(part for part in detection.logsource if part)
                said = ", ".join(explained.sources) or "unknown"
                click.echo(f"  the event is of {said}; the rule is for {wanted}")
            click.echo("\n".join(lines(explained.tree, 1, limit=10_000 if whole else 12)))
            if correlation is not None and explained.holds:
                click.echo(f"  in {correlation.title!r}:")
                for words in part(correlation, reference, fields):
                    click.echo(f"    {words}")
        # One of a correlation's detections is enough.
        all_hold = all_hold and (all(held) if asked[0][0] is None else any(held))
    if not all_hold:
        sys.exit(1)


def _asked(rule: str, roots: tuple[Path, ...], pipelines: tuple[str, ...]) -> list[Asked]:
    """Return what a file, id, name or title means: detections or, failing that, those of correlations.

    Raises:
        SettingsError: nothing.
    """
    from correlate.aggregate import check  # noqa: PLC0415
    from runtime.rule_cache import load_rules, pipelines_of  # noqa: PLC0415
    from runtime.rule_files import shipped  # noqa: PLC0415

    searched: list[Sequence[Path]] = [roots or (shipped(),)]
    if Path(rule).is_file():
        # The detections of a correlation may be shipped ones.
        searched = [[Path(rule), *roots], [Path(rule), shipped()]]
    refused: dict[str, None] = {}
    for paths in searched:
        rules = load_rules(paths, pipelines=pipelines_of(pipelines)).rules
        refused |= dict.fromkeys(map(str, (*rules.errors, *check(rules))))
        if asked := list(_meant(rules, rule)):
            return asked
    for error in refused:
        click.echo(error, err=True)
    raise SettingsError(
        f"no detection {rule!r}, and no correlation of detections that are found; "
        "expected a file, an id, a name or a title"
    )


def _meant(rules: RuleSet, rule: str) -> Iterator[Asked]:
    from correlate.window.taking_part import referred  # noqa: PLC0415

    found = False
    for detection in rules.detections.values():
        if rule in (detection.document.file, detection.id, detection.name, detection.title):
            found = True
            yield None, "", detection
    if found:
        return
    for id, document in rules.correlations.items():
        data = document.data
        if rule in (document.file, id, str(data.get("name", "")), str(data.get("title", ""))):
            yield from referred(id, rules)


def _events(event: Path) -> list[dict[str, Any]]:
    from correlate.sigma.trial import json_events  # noqa: PLC0415

    try:
        text = sys.stdin.read() if str(event) == "-" else event.read_text("utf-8")
        events = json_events(text)
    except (OSError, ValueError) as error:
        raise SettingsError(f"no JSON event: {error}", file=str(event)) from error
    if not events:
        raise ParseError(f"{event}: no event in it")
    return events
