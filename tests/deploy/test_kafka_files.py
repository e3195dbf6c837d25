"""The files of the distributed deployment: what linters say, that they agree with the code, and, as far as a broker goes, that they work.

No container engine and no cluster is at hand in the tests: images are not pulled and nothing is applied.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession, TCPConnector
from click.testing import CliRunner

from runtime import clock
from runtime.metrics import PrometheusMeter
from runtime.settings import Settings, load, resolve
from runtime.web import Faces, told_app
from runtime.web_access import HEALTH
from tests.conftest import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KAFKA = DEPLOY / "kafka"
K8S = DEPLOY / "k8s-kafka"
sys.path.append(str(DEPLOY / "lab"))
KUBERNETES = "1.33"
Lint = Callable[..., str]


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


COMPOSE = read(DEPLOY / "compose.kafka.yaml")
RESOURCES: list[str] = read(K8S / "kustomization.yaml")["resources"]
ALL = {name: read(K8S / name) for name in RESOURCES}
PODS = {
    one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: one
    for one in ALL.values()
    if one["kind"] in ("Deployment", "StatefulSet")
}
CONSOLE = "console"
WORKLOADS = {role: one for role, one in PODS.items() if role != CONSOLE}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in ALL.values() if one["kind"] == kind]


def services() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield role and service of each worker in the compose file."""
    for service in COMPOSE["services"].values():
        if service.get("command", [""])[0] == "worker":
            yield service["command"][1], service


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("deploy") / "secrets"
    subprocess.run([str(KAFKA / "secrets.sh"), str(folder)], check=True, capture_output=True)
    return folder


# ------------------------------------------------------------------ compose


def test_compose_file_passes_the_schema_of_the_specification(lint: Lint) -> None:
    path = str(DEPLOY / "compose.kafka.yaml")
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


def test_every_role_has_a_service_and_a_workload() -> None:
    from runtime.kafka.worker import WORKER_ROLES  # noqa: PLC0415 - imports the client

    assert {role for role, _ in services()} == set(WORKER_ROLES)
    assert set(WORKLOADS) == set(WORKER_ROLES)


@pytest.mark.parametrize(("role", "service"), list(services()))
def test_service_of_a_role_has_its_own_certificate_and_no_rights(
    role: str, service: dict[str, Any]
) -> None:
    mounted = {one["target"]: one["source"] for one in service["secrets"]}
    assert mounted["/run/secrets/opsonin/role.pem"] == f"{role}_certificate"
    assert mounted["/run/secrets/opsonin/role.key"] == f"{role}_key"
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_no_service_carries_a_secret_in_its_environment() -> None:
    for name, service in COMPOSE["services"].items():
        for key, value in service.get("environment", {}).items():
            is_secret = any(word in key.lower() for word in ("password", "token", "secret"))
            assert not is_secret or key.endswith("_FILE"), (name, key)
            assert value, (name, key)


def test_images_of_others_are_pinned_and_every_long_service_restarts() -> None:
    for name, service in COMPOSE["services"].items():
        assert not service["image"].endswith(":latest"), name
        assert len(service["image"].rpartition(":")[2].split(".")) == 3, name
        assert service["restart"], name


def test_every_secret_is_a_file_that_the_script_makes_and_no_other(secrets: Path) -> None:
    named = {Path(one["file"]).name for one in COMPOSE["secrets"].values()}
    used = {
        one if isinstance(one, str) else one["source"]
        for service in COMPOSE["services"].values()
        for one in service.get("secrets", [])
    }
    assert named <= {path.name for path in secrets.iterdir()}
    assert used == set(COMPOSE["secrets"])
    assert (
        not (DEPLOY / "secrets").exists() or "/deploy/secrets/" in (ROOT / ".gitignore").read_text()
    )
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets.glob("*.key"))


def test_script_keeps_what_is_there(secrets: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    subprocess.run([str(KAFKA / "secrets.sh"), str(secrets)], check=True, capture_output=True)
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before


def test_roles_have_certificates_in_the_names_that_the_rights_are_for(secrets: Path) -> None:
    from cryptography import x509  # noqa: PLC0415

    from runtime.kafka.rights import ACCESS, PRINCIPAL, TOPICS_ROLE  # noqa: PLC0415

    for role in (*ACCESS, TOPICS_ROLE):
        found = x509.load_pem_x509_certificate((secrets / f"{role}.pem").read_bytes())
        assert f"User:{found.subject.rfc4514_string().removeprefix('CN=')}" == PRINCIPAL.format(
            role=role
        )


def test_console_is_published_on_loopback_and_asks_for_the_token(secrets: Path) -> None:
    service = COMPOSE["services"][CONSOLE]
    mounted = {
        one["target"]: secrets / Path(COMPOSE["secrets"][one["source"]]["file"]).name
        for one in service["secrets"]
    }
    given = {key: str(mounted.get(value, value)) for key, value in service["environment"].items()}
    web = load(KAFKA / "opsonin.toml", given).web
    assert not web.is_open
    assert service["ports"] == [f"127.0.0.1:{web.port}:{web.port}/tcp"]
    served: list[int] = []

    async def ask() -> None:
        faces = Faces()
        app = told_app(PrometheusMeter(), lambda: (True, {}))
        free = web.model_copy(update={"host": "127.0.0.1", "port": 0})
        port = await faces.listen_tcp(app, free, PrometheusMeter())
        trust = ssl.create_default_context(cafile=secrets / "ca.pem")
        token = (secrets / "web_token").read_text().strip()
        async with ClientSession(connector=TCPConnector(ssl=trust)) as client:
            for password in ("wrong", token):
                auth = "Basic " + base64.b64encode(f"any:{password}".encode()).decode()
                async with client.get(
                    f"https://localhost:{port}/metrics", headers={"Authorization": auth}
                ) as answer:
                    served.append(answer.status)
        await faces.close()

    asyncio.run(ask())
    assert served == [401, 200]


# ------------------------------------------------------------------ settings


def test_settings_of_both_differ_only_in_the_servers_and_in_who_looks() -> None:
    theirs, ours = (tomllib.loads((one / "opsonin.toml").read_text()) for one in (K8S, KAFKA))
    for table, key in (("kafka", "bootstrap"), ("elastic", "urls")):
        assert theirs[table].pop(key) != ours[table].pop(key)
    # In a pod others ask for metrics, over the network; in compose nobody asks a role but itself.
    assert theirs.pop("web") != ours.pop("web")
    assert theirs == ours
    for folder in (KAFKA, K8S):
        settings = load(folder / "opsonin.toml", {})
        assert settings.policy.mode == "observe"
        assert settings.kafka.security == "ssl"
        assert settings.kafka.replication == 3


def test_ingest_listens_where_compose_and_pod_say() -> None:
    settings = load(KAFKA / "opsonin.toml", {})
    listening = {
        (source.settings.port, "UDP" if source.type.name == "syslog_udp" else "TCP")  # type: ignore[attr-defined]
        for source in settings.sources
    }
    published = dict(services())["ingest"]["ports"]
    assert {
        (int(one.rpartition(":")[2].split("/")[0]), one.rpartition("/")[2].upper())
        for one in published
    } == listening
    ports = [one for one in container("ingest")["ports"] if one["name"] != "web"]
    assert {(one["containerPort"], one["protocol"]) for one in ports} == listening
    named = {one["name"]: one["protocol"] for one in ports}
    service = ALL["service.yaml"]
    assert {one["targetPort"]: one["protocol"] for one in service["spec"]["ports"]} == named
    policy = ALL["network-policy-sources.yaml"]
    assert {one["port"]: one["protocol"] for one in policy["spec"]["ingress"][0]["ports"]} == named


# ------------------------------------------------------------------ Kubernetes


def container(role: str) -> dict[str, Any]:
    (found,) = PODS[role]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_resources_pass_the_schemas_of_kubernetes(lint: Lint) -> None:
    files = [str(K8S / name) for name in RESOURCES]
    said = lint("kubernetes-validate", "--strict", "-k", KUBERNETES, *files)
    # A kind that it does not know it lets pass.
    assert said.count(" passed for resource ") == len(files), said


def test_every_file_of_the_kustomization_is_there_and_none_is_left_out() -> None:
    kustomization = read(K8S / "kustomization.yaml")
    named = {*RESOURCES, *kustomization["configMapGenerator"][0]["files"], "kustomization.yaml"}
    assert named == {path.name for path in K8S.iterdir()}


@pytest.mark.parametrize("role", sorted(WORKLOADS))
def test_pod_of_a_role_has_a_name_of_its_own(role: str) -> None:
    one = container(role)
    assert one["args"][:2] == ["worker", role]
    assert one["env"][0]["name"] == "OPSONIN_KAFKA__MEMBER"


@pytest.mark.parametrize("role", sorted(PODS))
def test_pod_keeps_the_restricted_standard_and_is_asked_how_it_is(role: str) -> None:
    spec = PODS[role]["spec"]["template"]["spec"]
    one = container(role)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert one["securityContext"]["readOnlyRootFilesystem"] is True
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert one[probe]["httpGet"] == {"path": HEALTH, "port": "web", "scheme": "HTTPS"}
    secrets = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    assert {f"opsonin-{role}", "opsonin-web"} <= secrets
    shared = {"opsonin-webhook", "opsonin-elastic", "opsonin-elastic-reader", "opsonin-web"}
    assert secrets - shared == {f"opsonin-{role}"}
    assert ("opsonin-elastic-reader" in secrets) == (role == CONSOLE), "it may only read"


@pytest.mark.parametrize("role", sorted(PODS))
def test_pod_serves_the_web_face_where_the_settings_say_with_files_that_it_mounts(
    role: str,
) -> None:
    web = load(K8S / "opsonin.toml", {}).web
    ports = {one["name"]: one["containerPort"] for one in container(role)["ports"]}
    assert ports["web"] == web.port
    assert not web.is_open
    mounts = {mount["mountPath"] for mount in container(role)["volumeMounts"]}
    assert web.token_file is not None
    assert web.tls is not None
    for file in (web.token_file, web.tls.certificate, web.tls.key):
        assert str(Path(str(file)).parent) in mounts


def test_prometheus_may_ask_every_pod_and_people_the_console() -> None:
    everyone = ALL["network-policy-metrics.yaml"]["spec"]
    assert everyone["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "opsonin"}}
    people = ALL["network-policy-console.yaml"]["spec"]
    service = ALL["console-service.yaml"]["spec"]
    labels = PODS[CONSOLE]["spec"]["selector"]["matchLabels"]
    assert people["podSelector"]["matchLabels"] == service["selector"] == labels
    for policy in (everyone, people):
        assert policy["ingress"][0]["ports"] == [{"port": "web", "protocol": "TCP"}]
    assert service["ports"][0]["targetPort"] == "web"


def test_budgets_and_scalers_name_workloads_that_are_there() -> None:
    for budget in of_kind("PodDisruptionBudget"):
        labels = budget["spec"]["selector"]["matchLabels"]
        workload = PODS[labels["app.kubernetes.io/component"]]
        assert workload["spec"]["selector"]["matchLabels"] == labels
        assert workload["spec"].get("replicas", 2) > 1
    partitions = load(K8S / "opsonin.toml", {}).kafka.partitions
    for scaler in of_kind("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        role = target["name"].removeprefix("opsonin-")
        assert WORKLOADS[role]["kind"] == target["kind"]
        assert "replicas" not in WORKLOADS[role]["spec"], (
            "applying it would undo what the scaler did"
        )
        assert scaler["spec"]["minReplicas"] > 1
        assert scaler["spec"]["maxReplicas"] <= partitions
        external = scaler["spec"]["metrics"][0]["external"]["metric"]
        assert external["selector"]["matchLabels"] == {"role": role}


def test_metric_that_scales_is_one_that_workers_show() -> None:
    from runtime.metrics import PREFIX  # noqa: PLC0415

    source = (ROOT / "runtime" / "kafka" / "health.py").read_text()
    for scaler in of_kind("HorizontalPodAutoscaler"):
        name = scaler["spec"]["metrics"][0]["external"]["metric"]["name"]
        assert f'"{name.removeprefix(PREFIX)}"' in source


def test_stateful_sets_have_the_service_that_names_their_pods() -> None:
    headless = {
        one["metadata"]["name"]: one
        for one in of_kind("Service")
        if one["spec"].get("clusterIP") == "None"
    }
    sets = of_kind("StatefulSet")
    assert {one["spec"]["serviceName"] for one in sets} == set(headless)
    for one in sets:
        service = headless[one["spec"]["serviceName"]]
        assert service["spec"]["selector"] == one["spec"]["selector"]["matchLabels"]


# ------------------------------------------------------------------ a real broker with these files


@pytest.mark.kafka
def test_broker_with_our_properties_takes_our_certificates_rights_and_roles(
    secrets: Path, tmp_path: Path
) -> None:
    from kafka_broker import Broker  # noqa: PLC0415
    from kafka_jars import missing  # noqa: PLC0415
    from ports import free_ports  # noqa: PLC0415

    from console.topics import topics  # noqa: PLC0415
    from contract.meter import MemoryMeter  # noqa: PLC0415
    from runtime.kafka.ingest import Ingest  # noqa: PLC0415

    if reason := missing():
        (pytest.fail if os.environ.get("OPSONIN_REQUIRE") == "all" else pytest.skip)(reason)
    client, controller = free_ports(2)
    lines = (KAFKA / "server.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    # What the container gives, as it is here: names, ports, paths.
    properties |= {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"CERTIFICATE://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CERTIFICATE://127.0.0.1:{client}",
        "log.dirs": str(tmp_path / "data"),
        "ssl.keystore.location": str(secrets / "broker.pem"),
        "ssl.truststore.location": str(secrets / "ca.pem"),
    }

    def settings(user: str) -> dict[str, Any]:
        return {
            "bootstrap": [f"127.0.0.1:{client}"], "security": "ssl", "replication": 1, "min_in_sync": 1,
            "ca_file": str(secrets / "ca.pem"), "certificate_file": str(secrets / f"{user}.pem"),
            "key_file": str(secrets / f"{user}.key"), "member": "one",
        }  # fmt: skip

    file = tmp_path / "opsonin.toml"
    file.write_text(
        "[kafka]\n"
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings("admin").items())
    )
    log = tmp_path / "auth.log"
    log.write_text(
        "2026-03-01T12:00:00Z web sshd[1]: Accepted password for root from 192.0.2.7 port 22 ssh2\n"
    )
    ingest: Settings = resolve(
        {
            "engine": {"data_dir": str(tmp_path / "var"), "stop_at_end": True},
            "kafka": settings("ingest"),
            "source": [
                {
                    "name": "auth",
                    "type": "file",
                    "path": str(log),
                    "adapter": "linux.auth",
                    "follow": False,
                }
            ],
        }
    )
    with Broker(settings=properties):
        for words in (["acls", "--apply"], ["apply"], ["check"]):
            done = CliRunner(mix_stderr=False).invoke(
                topics, [*words, "--config", str(file)], standalone_mode=False
            )
            assert (done.exception, done.return_value) == (None, 0), words
        meter = MemoryMeter()
        asyncio.run(asyncio.wait_for(Ingest(ingest, meter, clock.now_us).run(), PATIENCE_S))
        assert meter.total("events_total") == 1
        assert meter.total("kafka_transactions_total") >= 2
