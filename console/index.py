"""`opsonin index`: the templates of Elasticsearch, put in place and checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from elasticsearch import Elasticsearch

from console.output import write_record
from console.places import config_option, settings_of
from runtime.elastic import setup as templates
from runtime.elastic.client import connect
from runtime.elastic.settings import ElasticSettings
from runtime.elastic.templates import templates as wanted


@click.group(epilog="Example: opsonin index setup --config opsonin.toml")
def index() -> None:
    """Data streams, indices and templates in the Elasticsearch that the settings name."""


@index.command("setup")
@config_option
@click.option("--print", "only_print", is_flag=True, help="write the templates as JSON lines; send nothing")  # fmt: skip
def setup_(config: Path | None, only_print: bool) -> None:
    """Put templates and indices in place, and change what differs: `opsonin index setup`.

    Repeating it does no harm. Indices that exist keep their documents.
    """
    settings = settings_of(config).elastic
    if only_print:
        all_templates = wanted(settings)
        for kind, bodies in (
            ("component_template", all_templates.components),
            ("index_template", all_templates.indices),
        ):
            for name, body in bodies.items():
                write_record({"kind": kind, "name": name, "body": body})
        return
    with _client(settings) as client:
        done = templates.apply(client, settings)
    for one in done:
        click.echo(one)
    click.echo(f"{len(done)} changes" if done else "nothing to change", err=True)


@index.command("check")
@config_option
def check(config: Path | None) -> int:
    """Tell in what the templates in place differ from those wanted; exit 1 when they do: `opsonin index check`."""
    settings = settings_of(config).elastic
    with _client(settings) as client:
        faults = templates.check(client, settings)
    for fault in faults:
        click.echo(fault)
    if not faults:
        click.echo("templates and indices are as wanted", err=True)
    return 1 if faults else 0


@contextmanager
def _client(settings: ElasticSettings) -> Iterator[Elasticsearch]:
    client = connect(settings)
    try:
        yield client
    finally:
        client.close()
