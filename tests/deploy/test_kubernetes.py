"""`deploy/kubernetes`: what its files say of the program is true of it."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest
from tests.deploy.composition import DEPLOY, REPOSITORY
from tests.deploy.manifests import FOLDER, Resource, documents, environment, find, pod_of, resources, workloads

from tuneloop.cli.main import cli
from tuneloop.config import load_project
from tuneloop.loop.watch import watch_values
from tuneloop.monitoring.kubernetes import prometheus_rule
from tuneloop.monitoring.stack import alertmanager_config
from tuneloop.plugins import standard_manager
from tuneloop.serving.limits import DEFAULT_LIMITS
from tuneloop.serving.trust.tokens import VARIABLES

NAMES = [one["metadata"]["name"] for one in workloads()]


def test_kustomizations_name_files_that_are_there() -> None:
    found = list(FOLDER.rglob("kustomization.yaml"))
    assert len(found) == 5
    for path in [*found, DEPLOY / "grafana/kustomization.yaml"]:
        [content] = documents(path)
        named = [*content.get("resources", ()), *content.get("components", ())]
        named += [file for one in content.get("configMapGenerator", ()) for file in one.get("files", ())]
        missing = [name for name in named if not (path.parent / name).exists()]
        assert not missing, path


@pytest.mark.parametrize("workload", workloads(), ids=NAMES)
def test_pods_are_sealed(workload: Resource) -> None:
    pod = pod_of(workload)["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"].keys() == {"requests", "limits"}
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    # What is not mounted cannot be written, so home and scratch files go where something is.
    assert environment(container)["HOME"] in {one["mountPath"] for one in container["volumeMounts"]}


def test_pods_run_as_the_users_of_their_images() -> None:
    from bentoml._internal.container import generate

    users = {one["metadata"]["name"]: pod_of(one)["spec"]["securityContext"]["runAsUser"] for one in workloads()}
    user = int(re.findall(r"^USER (\d+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[0])
    assert users == {"tuneloop-server": generate.BENTO_UID_GID, "tuneloop-loop": user, "tuneloop-train": user}


@pytest.mark.parametrize("workload", workloads(), ids=NAMES)
def test_variables_are_read_by_the_program(workload: Resource) -> None:
    sources = "\n".join(path.read_text() for path in (REPOSITORY / "platform").rglob("*.py"))
    [container] = pod_of(workload)["spec"]["containers"]
    [overlay] = documents(FOLDER / "example/kustomization.yaml")
    [settings] = [one["literals"] for one in overlay["configMapGenerator"] if one["name"] == "tuneloop-settings"]
    names = [one["name"] for one in container["env"]] + [one.partition("=")[0] for one in settings]
    for name in names:
        if name.startswith("TUNELOOP_") and name not in VARIABLES.values():
            assert f'"{name}"' in sources, name


def test_secrets_are_the_ones_that_the_example_makes() -> None:
    text = (FOLDER / "example/kustomization.yaml").read_text()
    made = {
        name: set(re.findall(r"--from-(?:file|literal)=(\w+)", rest))
        for name, rest in re.findall(r"create secret generic (\S+)((?:.*\\\n)*.*)", text)
    }
    asked: dict[str, set[str]] = {"tuneloop-objects": made["tuneloop-objects"]}
    for one in resources():
        for name, key in secret_keys(one):
            asked.setdefault(name, set()).add(key)
    assert asked == made


def secret_keys(value: Any) -> list[tuple[str, str]]:
    """Every secret and key that a resource names."""
    if isinstance(value, list):
        return [pair for one in value for pair in secret_keys(one)]
    if not isinstance(value, dict):
        return []
    found = [pair for one in value.values() for pair in secret_keys(one)]
    if "secretName" in value:
        found += [(value["secretName"], item["key"]) for item in value["items"]]
    for key in ("secretKeyRef", "credentials"):
        if key in value:
            found.append((value[key]["name"], value[key]["key"]))
    return found


def test_token_files_are_where_variables_and_arguments_say() -> None:
    for one in workloads():
        pod = pod_of(one)["spec"]
        [container] = pod["containers"]
        mounted = [volume["secret"]["items"] for volume in pod["volumes"] if volume["name"] == "tokens"]
        files = {f"/run/secrets/tuneloop/{item['path']}" for items in mounted for item in items}
        said = re.findall(r"/run/secrets/[\w/]+", str([container.get("args"), container["env"]]))
        assert set(said) == files


@pytest.mark.parametrize("name", ["tuneloop-loop", "tuneloop-train"])
def test_commands_are_understood(name: str) -> None:
    [workload] = [one for one in workloads() if one["metadata"]["name"] == name]
    [container] = pod_of(workload)["spec"]["containers"]
    program, command, *rest = [*container["command"], *container.get("args", ())]
    assert program == "tuneloop"
    with click.Context(cli) as parent:
        found = cli.get_command(parent, command)
        assert found is not None
        # The file of the container is not here; everything else is parsed as it stands.
        rest = [re.sub(r"/run/secrets/\S+", str(FOLDER / "base/loop.yaml"), one) for one in rest]
        found.make_context(command, rest, parent=parent)


def test_services_select_pods_and_their_ports() -> None:
    pods = [pod_of(one) for one in workloads()]
    for service in (one for one in resources() if one["kind"] == "Service"):
        [pod] = [one for one in pods if service["spec"]["selector"].items() <= one["metadata"]["labels"].items()]
        ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    selected = [
        *(one["spec"]["podSelector"] for one in resources() if one["kind"] == "NetworkPolicy"),
        *(one["spec"]["selector"] for one in resources() if one["kind"] in ("Deployment", "PodDisruptionBudget")),
    ]
    labels = [pod["metadata"]["labels"] for pod in pods]
    assert all(any(one["matchLabels"].items() <= label.items() for label in labels) for one in selected)


def test_ports_are_those_the_processes_listen_on() -> None:
    server = pod_of(find("Deployment", "tuneloop-server"))["spec"]["containers"][0]
    assert server["args"][-2:] == ["--port", str(server["ports"][0]["containerPort"])]
    loop = pod_of(find("Deployment", "tuneloop-loop"))["spec"]["containers"][0]
    assert f"--port={loop['ports'][0]['containerPort']}" in loop["args"]


def test_addresses_are_services_and_their_ports() -> None:
    ports = {
        one["metadata"]["name"]: one["spec"]["ports"][0]["port"] for one in resources() if one["kind"] == "Service"
    }
    text = "\n".join(path.read_text() for path in FOLDER.rglob("*.yaml"))
    named = {(name, int(port)) for name, port in re.findall(r"http://(tuneloop-[a-z]+):(\d+)", text)}
    assert named == {("tuneloop-loop", 3001), ("tuneloop-replicas", 3000)}
    assert all(ports[name] == port for name, port in named)


def test_prometheus_scrapes_services_by_their_port_names() -> None:
    services = [one for one in resources() if one["kind"] == "Service"]
    for monitor in (one for one in resources() if one["kind"] == "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        # A second service before the same pods would count everything twice.
        [service] = [one for one in services if wanted.items() <= one["metadata"]["labels"].items()]
        assert {one["port"] for one in monitor["spec"]["endpoints"]} == {
            port["name"] for port in service["spec"]["ports"]
        }


def test_alerts_go_where_those_of_the_embedded_stack_go() -> None:
    said = find("AlertmanagerConfig", "tuneloop")["spec"]
    [own] = documents_of(alertmanager_config("http://tuneloop-loop:3001/alerts", None))
    assert said["route"]["groupBy"] == own["route"]["group_by"]
    assert said["receivers"][0]["webhookConfigs"][0]["url"] == own["receivers"][0]["webhook_configs"][0]["url"]
    assert said["receivers"][0]["webhookConfigs"][0]["sendResolved"] is True


def documents_of(text: str) -> list[Any]:
    from ruamel.yaml import YAML

    return list(YAML(typ="safe").load_all(text))


def test_the_example_has_the_rules_of_its_project() -> None:
    project = load_project(FOLDER / "example/tuneloop.yaml", standard_manager().load())
    expected = prometheus_rule(watch_values(project))
    assert (FOLDER / "example/prometheusrule.yaml").read_text() == expected, (
        "run, in a copy of deploy/kubernetes/example: tuneloop dashboards --output monitoring --kubernetes"
    )


def test_there_is_time_to_drain() -> None:
    pod = pod_of(find("Deployment", "tuneloop-server"))["spec"]
    [container] = pod["containers"]
    drain = float(environment(container)["TUNELOOP_DRAIN_SECONDS"])
    probe = container["readinessProbe"]
    assert drain > probe["periodSeconds"] * probe["failureThreshold"]
    assert pod["terminationGracePeriodSeconds"] > drain + DEFAULT_LIMITS.deadline_seconds
