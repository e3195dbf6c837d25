"""`opsonin rules test`: the tests beside rules, and SigmaHQ's regression data."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from console.output import write_record
from contract.errors import SettingsError


@click.command(
    "test",
    epilog="Example: opsonin rules test --changed rules\n\n"
    "Beside rule.yml stands rule.test.yml, with 'match' and 'no_match' (events), 'cases' (events and the alerts "
    "they give) or 'trials' (chains and decisions). A rule's regression_tests_path is followed.",
)
@click.option("--pipeline", "pipelines", multiple=True, help="by name (shipped) or file")
@click.option(
    "--changed",
    "only_changed",
    is_flag=True,
    help="only what git says differs from the last commit",
)
@click.option("--regression", type=click.Path(path_type=Path, exists=True),
              help="root that regression_tests_path starts from")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="one object a rule file")
@click.option("--require-tests", is_flag=True, help="a rule without a test fails")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
def command(
    pipelines: tuple[str, ...],
    only_changed: bool,
    regression: Path | None,
    as_json: bool,
    require_tests: bool,
    paths: tuple[Path, ...],
) -> None:
    """Run the tests of the rules below PATH (default: the shipped rules). Exit code 1 when one fails."""
    from runtime.rule_cache import pipelines_of  # noqa: PLC0415  # start of --help stays quick
    from runtime.rule_files import shipped  # noqa: PLC0415
    from runtime.rule_tests import RuleTests, changed  # noqa: PLC0415

    roots = paths or (shipped(),)
    tests = RuleTests(roots, pipelines=pipelines_of(pipelines), regression=regression)
    try:
        only = changed(roots) if only_changed else None
    except (OSError, ValueError) as error:
        raise SettingsError(f"--changed: {error}") from error
    failed = ran = untested = 0
    for fault in (*tests.errors, *tests.rules.errors):
        failed += 1
        click.echo(f"refused: {fault}", err=True)
    for outcome in tests.run(only):
        ran += outcome.tests
        untested += not outcome.tests
        bad = bool(outcome.problems) or (require_tests and not outcome.tests)
        failed += bad
        if as_json:
            write_record({name: getattr(outcome, name) for name in outcome.__slots__})
            continue
        for problem in outcome.problems:
            click.echo(f"FAIL {problem}")
        if require_tests and not outcome.tests:
            click.echo(f"FAIL {outcome.file}: no test")
        for note in outcome.notes:
            click.echo(f"note {note}", err=True)
        if outcome.tests and not bad:
            reached = (
                f", {outcome.selections_reached} of {outcome.selections} selections reached"
                if outcome.selections
                else ""
            )
            click.echo(
                f"ok   {outcome.file}: {outcome.tests} tests, {outcome.seconds * 1000:.0f} ms{reached}"
            )
    click.echo(f"{ran} tests, {failed} failed, {untested} rule files without a test", err=True)
    if failed:
        sys.exit(1)
