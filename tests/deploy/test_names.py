"""What the files under `deploy/` name is there: commands with their options, settings by variable, files where they are mounted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from console.cli import opsonin
from runtime.settings import load
from tests.elastic.api_keys import READER, SETUP, WRITER

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = ("compose.yaml", "compose.kafka.yaml")
K8S = ("k8s", "k8s-kafka")
IMAGE = "opsonin"
SETTINGS = "/etc/opsonin/opsonin.toml"
_CALL = re.compile(
    r"(?<![\w./-])(?<!-n )(?<!name: )opsonin ((?:[a-z-]+ )?[^&|>`\n;]*--[^&|>`\n;]*)"
)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def services() -> Iterator[tuple[str, Path, dict[str, Any], dict[str, Any]]]:
    """Yield name, folder, the service and the whole file, of all that runs our image."""
    for name in COMPOSE:
        compose = read(DEPLOY / name)
        for service, one in compose["services"].items():
            if one["image"].partition(":")[0] == IMAGE:
                yield f"{name}: {service}", DEPLOY, one, compose


def containers() -> Iterator[tuple[str, Path, dict[str, Any], dict[str, Any]]]:
    """Yield name, folder, the container and its pod, of all that runs our image."""
    for folder in K8S:
        for path in sorted((DEPLOY / folder).glob("*.yaml")):
            pod = read(path).get("spec", {}).get("template", {}).get("spec")
            for one in pod["containers"] if pod else ():
                yield f"{folder}/{path.name}", path.parent, one, pod


def calls() -> Iterator[tuple[str, list[str]]]:
    """Yield where the program is called, and with which words."""
    for name, _, service, _ in services():
        if "entrypoint" not in service and "command" in service:
            yield name, service["command"]
    for name, _, container, _ in containers():
        if "args" in container:
            yield name, container["args"]
    docker = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (command,) = re.findall(r"^CMD \[(.*)\]$", docker, re.MULTILINE)
    yield "Dockerfile", [word.strip(' "') for word in command.split(",")]
    others = (*(DEPLOY / "systemd").iterdir(), *map(DEPLOY.joinpath, (*COMPOSE, "README.md")))
    for path in (*others, *DEPLOY.glob("k8s*/*.yaml"), *DEPLOY.glob("kafka/*")):
        text = path.read_text(encoding="utf-8").replace("/opt/opsonin/.venv/bin/", "")
        for call in _CALL.findall(text.replace("%i", "detect").replace("%%", "%")):
            yield path.name, shlex.split(call)


CALLS = list(calls())


def test_calls_are_found_in_every_kind_of_file() -> None:
    found = {place.partition(":")[0].partition("/")[0] for place, _ in CALLS}
    assert found >= {"compose.kafka.yaml", "k8s-kafka", "Dockerfile", "opsonin.service", "opsonin-worker@.service"}  # fmt: skip
    assert len(CALLS) > 25


@pytest.mark.parametrize(("place", "words"), CALLS)
def test_the_program_has_the_command_and_takes_its_options(place: str, words: list[str]) -> None:
    command: click.Command = opsonin
    context = click.Context(command)
    rest = list(words)
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None, f"{place}: no command {rest[0]}"
        command, rest = found, rest[1:]
    command.make_context(words[0], rest)


def environments() -> Iterator[tuple[str, Path | None, dict[str, str]]]:
    """Yield where variables are given, the settings that they go over, and the variables."""
    for name, folder, service, compose in services():
        given = service.get("environment", {})
        file = folder / compose["configs"]["settings"]["file"] if "configs" in compose else None
        yield name, file, {key: str(value) for key, value in given.items()}
    for name, folder, container, _ in containers():
        given = {one["name"]: one.get("value", "pod-0") for one in container.get("env", ())}
        yield name, folder / "opsonin.toml", given
    for unit in (DEPLOY / "systemd").iterdir():
        lines = re.findall(r"^Environment=(\w+)=(.*)$", unit.read_text(), re.MULTILINE)
        yield unit.name, None, {key: value.replace("%", "") for key, value in lines}
    docker = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    yield "Dockerfile", None, dict(re.findall(r"(OPSONIN_\w+)=(\S+)", docker))


@pytest.mark.parametrize(("place", "file", "given"), list(environments()))
def test_variables_are_settings(place: str, file: Path | None, given: dict[str, str]) -> None:
    ours = {key: value for key, value in given.items() if key.startswith("OPSONIN_")}
    load(file, ours)  # a name that is no setting is an error
    with pytest.raises(Exception, match="no_such"):
        load(file, {**ours, "OPSONIN_KAFKA__NO_SUCH": "1"})


def needed(file: Path, words: list[str]) -> set[str]:
    """Return the secrets that a call reads by its settings."""
    settings = load(file, {})
    paths: list[Any] = [settings.kafka.ca_file, settings.kafka.certificate_file, settings.kafka.key_file]  # fmt: skip
    if words[:1] == ["console"] or "index" in words[1:2]:
        paths += [settings.elastic.api_key_file, settings.elastic.ca]
    if words[:2] == ["worker", "ingest"] or words[:1] == ["run"]:
        paths += [getattr(one.settings, "token_file", None) for one in settings.sources]
    return {str(path) for path in paths if path}


@pytest.mark.parametrize(("place", "folder", "service", "compose"), list(services()))
def test_files_that_a_service_reads_are_mounted(
    place: str, folder: Path, service: dict[str, Any], compose: dict[str, Any]
) -> None:
    if "saved_objects.py" in str(service.get("entrypoint")):
        return  # it reads no settings
    mounts = {one["target"] for one in service.get("secrets", ())}
    mounts |= {one["target"] for one in service.get("configs", ())}
    mounts |= {one.split(":")[1] for one in service.get("volumes", ())}
    assert SETTINGS in mounts
    kafka = folder / "kafka" / "opsonin.toml"
    file = kafka if "configs" in compose else folder / "k8s" / "opsonin.toml"
    words = service.get("command", ["run"])
    for path in needed(file, words):
        assert {path, str(Path(path).parent)} & mounts, path


@pytest.mark.parametrize(("place", "folder", "container", "pod"), list(containers()))
def test_files_that_a_pod_reads_are_mounted(
    place: str, folder: Path, container: dict[str, Any], pod: dict[str, Any]
) -> None:
    volumes = {one["name"]: one for one in pod["volumes"]}
    claims = {"state"}
    found = set()
    for mount in container["volumeMounts"]:
        assert mount["name"] in volumes.keys() | claims
        secret = volumes.get(mount["name"], {}).get("secret", {})
        for item in secret.get("items", ()):
            place_of = Path(mount["mountPath"])
            found.add(str(place_of if "subPath" in mount else place_of / item["path"]))
    assert needed(folder / "opsonin.toml", container.get("args", ["run"])) <= found
    assert str(Path(SETTINGS).parent) in {Path(one["mountPath"]).as_posix() for one in container["volumeMounts"]}  # fmt: skip


def test_keys_that_compose_makes_have_the_rights_that_were_tried_and_no_more() -> None:
    (script,) = read(DEPLOY / "compose.kafka.yaml")["services"]["elastic-keys"]["command"]
    said = set(re.findall(r'"([a-z_]+)"', script)) - {"names", "privileges", "cluster", "indices", "name", "role_descriptors", "role", "encoded"}  # fmt: skip
    tried = {
        right
        for role in (WRITER, SETUP, READER)
        for rights in (role["cluster"], role["indices"][0]["privileges"])
        for right in rights
    }
    assert said == tried
    assert set(re.findall(r'"(logs[^"]*)"', script)) == {"logs-opsonin.*"}
