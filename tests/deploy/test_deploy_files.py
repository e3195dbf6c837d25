"""The files under `deploy/`: what linters say of them, and that they agree with the project and each other.

No container engine and no cluster is at hand in the tests: images are not built and nothing is applied.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.settings import load

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
K8S = DEPLOY / "k8s"
KUBERNETES = "1.33"
Lint = Callable[..., str]
EXPOSURE = "20"  # systemd-analyze's scale times ten: 0 is sealed, 100 is unprotected


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def instructions(word: str) -> list[str]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    return re.findall(rf"^{word} (.+)$", text, re.MULTILINE)


def resources() -> list[str]:
    found: list[str] = read(K8S / "kustomization.yaml")["resources"]
    return found


# ------------------------------------------------------------------ systemd


@pytest.fixture(params=["opsonin.service", "opsonin-worker@.service"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit with a program that is there, so that only the rest is judged; of a template, an instance."""
    text = (DEPLOY / "systemd" / request.param).read_text(encoding="utf-8")
    path = tmp_path / request.param.replace("@", "@detect")
    path.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text), encoding="utf-8")
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("OPSONIN_REQUIRE") == "all":
            pytest.fail("systemd-analyze is not installed")
        pytest.skip("systemd-analyze is not installed")
    return path


def test_unit_is_understood_by_systemd(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "opsonin" in line]
    assert (done.returncode, ours) == (0, [])


def test_unit_is_hardened(unit: Path) -> None:
    line = ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", str(unit)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:]


# ------------------------------------------------------------------ container


def test_dockerfile_passes_its_linter(lint: Lint) -> None:
    lint("hadolint", "--failure-threshold", "style", str(DEPLOY / "Dockerfile"))


def test_images_are_pinned_and_the_last_user_is_not_root() -> None:
    tag = re.search(r"ARG PYTHON=(\S+)", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    assert tag
    assert re.match(r"3\.\d+\.\d+-", tag[1])
    assert {image.split()[0] for image in instructions("FROM")} == {"python:${PYTHON}"}
    assert not instructions("USER")[-1].startswith(("root", "0"))


def test_image_holds_every_package_of_the_wheel_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    copied = {line.split()[0] for line in instructions("COPY") if len(line.split()) == 2}
    assert packages == copied & packages
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert kept[0] == "*"
    assert {line[1:] for line in kept if line.startswith("!")} >= packages


def test_image_is_built_with_the_uv_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    version = re.search(r"UV_VERSION := (\S+)", makefile)
    assert version
    assert f"uv=={version[1]}" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


# ------------------------------------------------------------------ compose


def test_compose_file_passes_the_schema_of_the_specification(lint: Lint) -> None:
    compose = str(DEPLOY / "compose.yaml")
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", compose)


def test_compose_service_has_no_rights_no_default_secret_and_listens_on_loopback() -> None:
    compose = read(DEPLOY / "compose.yaml")
    engine = compose["services"]["opsonin"]
    assert engine["cap_drop"] == ["ALL"]
    assert engine["read_only"] is True
    assert "environment" not in engine
    assert all(port.startswith("127.0.0.1:") for port in engine["ports"])
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())
    assert not any((DEPLOY / secret["file"]).exists() for secret in compose["secrets"].values())


# ------------------------------------------------------------------ Kubernetes


def test_resources_pass_the_schemas_of_kubernetes(lint: Lint) -> None:
    files = [str(K8S / name) for name in resources()]
    said = lint("kubernetes-validate", "--strict", "-k", KUBERNETES, *files)
    # A kind that it does not know it lets pass.
    assert said.count(" passed for resource ") == len(files), said


def test_every_file_of_the_kustomization_is_there_and_none_is_left_out() -> None:
    kustomization = read(K8S / "kustomization.yaml")
    named = {*resources(), *kustomization["configMapGenerator"][0]["files"], "kustomization.yaml"}
    assert named == {path.name for path in K8S.iterdir()}


def test_pod_keeps_the_restricted_security_standard() -> None:
    pod = read(K8S / "engine.yaml")["spec"]["template"]["spec"]
    container = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert container["allowPrivilegeEscalation"] is False
    assert str(pod["securityContext"]["runAsUser"]) in instructions("USER")[-1]


def test_service_and_network_policy_name_ports_that_the_pod_has() -> None:
    template = read(K8S / "engine.yaml")["spec"]["template"]
    ports = {port["name"]: port["protocol"] for port in template["spec"]["containers"][0]["ports"]}
    served = read(K8S / "service.yaml")["spec"]
    allowed = read(K8S / "network-policy.yaml")["spec"]
    assert {port["targetPort"]: port["protocol"] for port in served["ports"]} == ports
    assert {port["port"]: port["protocol"] for port in allowed["ingress"][0]["ports"]} == ports
    assert served["selector"] == allowed["podSelector"]["matchLabels"]
    assert served["selector"].items() <= template["metadata"]["labels"].items()


def test_settings_of_the_container_load_and_listen_where_pod_and_compose_say() -> None:
    settings = load(K8S / "opsonin.toml", {})
    listening = {
        (source.settings.port, "UDP" if source.type.name == "syslog_udp" else "TCP")  # type: ignore[attr-defined]
        for source in settings.sources
    }
    pod = read(K8S / "engine.yaml")["spec"]["template"]["spec"]
    ports = pod["containers"][0]["ports"]
    assert {(port["containerPort"], port["protocol"]) for port in ports} == listening
    published = read(DEPLOY / "compose.yaml")["services"]["opsonin"]["ports"]
    assert {
        (int(port.rpartition(":")[2].split("/")[0]), port.rpartition("/")[2].upper())
        for port in published
    } == listening
    assert settings.policy.mode == "observe"
    mounts = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert {str(settings.engine.data_dir), "/etc/opsonin", "/run/secrets/opsonin"} <= mounts
