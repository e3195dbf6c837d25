"""Where the engine's files are, from the settings a command was given; options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from runtime.settings import Settings, load
from runtime.store import Store

STORE_NAME = "opsonin.db"


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config FILE`."""
    return click.option("--config", type=click.Path(path_type=Path), help="settings file (TOML)")(
        command
    )


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="JSON lines instead of a table")(
        command
    )


def kafka_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--kafka`."""
    text = "the engine runs as workers: read and speak through its topics"
    return click.option("--kafka", "on_kafka", is_flag=True, help=text)(command)


def settings_of(config: Path | None) -> Settings:
    """Load the settings as every command does."""
    return load(config, os.environ)


def open_store(settings: Settings, *, read_only: bool = True) -> Store:
    """Open the store that the settings name."""
    return Store(settings.engine.data_dir / STORE_NAME, read_only=read_only)
