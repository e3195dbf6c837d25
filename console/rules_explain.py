"""`opsonin rules explain`: a rule's condition as a tree over one event."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from console.output import write_record
from contract.errors import ParseError, SettingsError


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

    Exit code 1 when a rule does not hold for an event.
    """
    from correlate.sigma.explain import explain, lines  # noqa: PLC0415  # --help stays quick
    from correlate.sigma.trial import json_events  # noqa: PLC0415
    from correlate.sigma.view import flat  # noqa: PLC0415
    from runtime.rule_cache import load_rules, pipelines_of  # noqa: PLC0415
    from runtime.rule_files import shipped  # noqa: PLC0415

    file = Path(rule)
    loaded = load_rules(
        [file] if file.is_file() else roots or (shipped(),), pipelines=pipelines_of(pipelines)
    ).rules
    found = [
        one
        for one in loaded.detections.values()
        if file.is_file() or rule in (one.id, one.name, one.title)
    ]
    if not found:
        for error in loaded.errors:
            click.echo(str(error), err=True)
        raise SettingsError(f"no detection {rule!r}; expected a file, an id, a name or a title")
    try:
        text = sys.stdin.read() if str(event) == "-" else event.read_text("utf-8")
        events = json_events(text)
    except (OSError, ValueError) as error:
        raise SettingsError(f"no JSON event: {error}", file=str(event)) from error
    if not events:
        raise ParseError(f"{event}: no event in it")
    holds = True
    for at, one in enumerate(events):
        for detection in found:
            explained = explain(detection, flat(one))
            holds = holds and explained.holds
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
    if not holds:
        sys.exit(1)
