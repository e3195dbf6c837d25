"""`opsonin rules coverage`: an ATT&CK Navigator layer of what rules cover."""

from __future__ import annotations

from pathlib import Path

import click

from console.output import write_record


@click.command("coverage", epilog="Example: opsonin rules coverage rules > layer.json")
@click.option("--name", default="Opsonin detections", show_default=True, help="of the layer")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
def command(name: str, paths: tuple[Path, ...]) -> None:
    """Print a layer (format 4.5) of the techniques that the rules below PATH name; the score is their number."""
    from correlate.sigma.coverage import layer  # noqa: PLC0415  # start of --help stays quick
    from runtime.rule_cache import load_rules  # noqa: PLC0415
    from runtime.rule_files import shipped  # noqa: PLC0415

    loaded = load_rules(paths or (shipped(),)).rules
    for error in loaded.errors:
        click.echo(f"refused: {error}", err=True)
    write_record(layer(loaded.detections.values(), name))
