"""`deploy/compose.yaml` and what it mounts, as far as they can be checked without a container engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
from ruamel.yaml import YAML
from tests.deploy.composition import DEPLOY, OURS, REPOSITORY, composition, known, mounts, tuneloop_commands

from tuneloop.cli.main import cli
from tuneloop.loop.receiver import Receiver, create_app
from tuneloop.monitoring.grafana.source import DATASOURCE
from tuneloop.monitoring.rules import WatchValues, rule_file, rule_groups
from tuneloop.monitoring.stack import alertmanager_config, prometheus_config
from tuneloop.serving.trust.auth import role_of

SERVICES: dict[str, Any] = known()["services"]


def test_it_is_a_compose_file() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_must_be_said_is_asked_for() -> None:
    with pytest.raises(KeyError, match="set it to the folder of the project"):
        composition(POSTGRES_PASSWORD="secret")
    with pytest.raises(KeyError, match="set it to the password"):
        composition(TUNELOOP_PROJECT="/srv/project")


def test_services_volumes_and_secrets_are_declared() -> None:
    whole = known()
    used = {source for service in SERVICES.values() for source, _ in mounts(service) if "/" not in source}
    assert used == whole["volumes"].keys()
    assert {name for service in SERVICES.values() for name in service.get("secrets", ())} == whole["secrets"].keys()
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= SERVICES.keys() - {name}
        for secret in re.findall(r"/run/secrets/(\w+)", str(service)):
            assert secret in service["secrets"], name


def test_what_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for source, _ in mounts(service):
            assert not source.startswith("./") or (DEPLOY / source).exists(), source
    build = SERVICES["server"]["build"]
    assert (DEPLOY / build["context"]).resolve() == REPOSITORY
    assert (REPOSITORY / build["dockerfile"]).is_file()


def test_the_image_is_built_from_what_is_there() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    allowed = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().split() if line.startswith("!")}
    names = {name for line in copied for name in line.split()}
    assert names == allowed
    assert all((REPOSITORY / name).exists() for name in names)
    pinned = (DEPLOY / "constraints.txt").read_text().split()
    assert re.findall(r'ARG TORCH="(.+)"', (DEPLOY / "Dockerfile").read_text())[0] in pinned


def test_pages_are_on_this_machine_alone_and_ports_differ() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert len({port.split(":")[1] for port in published}) == len(published)


@pytest.mark.parametrize("name", [name for name in OURS if name != "mlflow"])
def test_commands_are_understood(name: str) -> None:
    commands = tuneloop_commands(SERVICES[name])
    assert commands
    for arguments in commands:
        with click.Context(cli) as parent:
            command = cli.get_command(parent, arguments[0])
            assert command is not None
            rest = [one for one in arguments[1:] if not one.startswith("/run/secrets/")]
            # Files of the container are not here; everything else is parsed as it stands.
            if len(rest) < len(arguments) - 1:
                rest.append(str(DEPLOY / "compose.yaml"))
            command.make_context(arguments[0], rest, parent=parent)


def test_variables_are_read_by_the_program() -> None:
    sources = "\n".join(path.read_text() for path in (REPOSITORY / "platform").rglob("*.py"))
    known_roles = {f"TUNELOOP_{role.upper()}_TOKEN_FILE" for role in ("predict", "feedback", "admin")}
    for name in OURS:
        for variable in SERVICES[name]["environment"]:
            if variable.startswith("TUNELOOP_") and variable not in known_roles:
                assert f'"{variable}"' in sources, variable
    assert known_roles <= SERVICES["server"]["environment"].keys()


def test_ports_in_commands_are_those_published_and_checked() -> None:
    for name, port in {"server": 3000, "loop": 3001, "mlflow": 5000}.items():
        service = SERVICES[name]
        assert re.findall(r"--port[ =](\d+)", " ".join(service["command"])) == [str(port)]
        assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert f"http://127.0.0.1:{port}/" in service["healthcheck"]["test"][3]
        # It answers other containers, which no address of the loop-back interface does.
        assert "0.0.0.0" in " ".join(service["command"])


def test_addresses_name_services_and_their_ports() -> None:
    """In commands, variables and the files that are mounted: `http://server:3000` and the like."""
    listening = {
        "server": 3000,
        "loop": 3001,
        "mlflow": 5000,
        "postgres": 5432,
        "prometheus": 9090,
        "alertmanager": 9093,
    }
    files = [path for folder in ("prometheus", "alertmanager", "grafana/provisioning") for path in files_in(folder)]
    text = "\n".join([str(SERVICES), *(path.read_text() for path in files)])
    found = {(name, int(port)) for name, port in re.findall(r"\b([a-z]+):(\d{4})\b", text) if name in SERVICES}
    assert found == set(listening.items())


def test_prometheus_reads_what_the_product_writes() -> None:
    pages, rules = ["http://server:3000/metrics", "http://loop:3001/metrics"], "/etc/prometheus/rules/rules.yml"
    values = WatchValues("any", window=3600)
    expected = prometheus_config(values, pages, "alertmanager:9093", rules, "/run/secrets/admin")
    assert (DEPLOY / "prometheus/prometheus.yml").read_text() == expected
    assert role_of("/metrics") == "admin"
    rules_volume = dict(mounts(SERVICES["prometheus"]))["rules"]
    assert rules.startswith(f"{rules_volume}/")
    [written] = [command for command in tuneloop_commands(SERVICES["train"]) if command[0] == "dashboards"]
    assert written[written.index("--output") + 1] == dict(mounts(SERVICES["train"]))["rules"]
    assert Path(rules).name == "rules.yml"


def test_alertmanager_posts_to_the_loop() -> None:
    expected = alertmanager_config("http://loop:3001/alerts", "/run/secrets/loop")
    assert (DEPLOY / "alertmanager/alertmanager.yml").read_text() == expected
    paths = {getattr(route, "path", "") for route in create_app(Receiver(None, "", ready=bool)).routes}  # type: ignore[arg-type]
    assert {"/alerts", "/metrics", "/readyz"} <= paths
    command = SERVICES["loop"]["command"]
    assert command[command.index("--token-file") + 1] == "/run/secrets/loop"


def test_grafana_finds_what_is_mounted() -> None:
    service = SERVICES["grafana"]
    folder = dict(mounts(service))["./grafana"]
    assert service["environment"]["GF_PATHS_PROVISIONING"] == f"{folder}/provisioning"
    provider = YAML(typ="safe").load(DEPLOY / "grafana/provisioning/dashboards/tuneloop.yaml")["providers"][0]
    assert provider["options"]["path"] == f"{folder}/dashboards"
    source = YAML(typ="safe").load(DEPLOY / "grafana/provisioning/datasources/tuneloop.yaml")["datasources"][0]
    assert (source["url"], source["uid"]) == ("http://prometheus:9090", DATASOURCE)


def test_images_are_pinned() -> None:
    images = {service["image"] for service in SERVICES.values() if "build" not in service}
    images |= set(re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    assert all(re.search(r":v?\d[\w.-]*$", image) for image in images), images


def test_mlflow_answers_to_the_names_it_is_called_by() -> None:
    allowed = next(one for one in SERVICES["mlflow"]["command"] if one.startswith("--allowed-hosts="))
    names = allowed.partition("=")[2].split(",")
    assert urlsplit(SERVICES["server"]["environment"]["MLFLOW_TRACKING_URI"]).netloc in names
    assert SERVICES["mlflow"]["ports"][0].rpartition(":")[0] in names


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on the PATH")
def test_promtool_takes_the_configuration(tmp_path: Path) -> None:
    values = WatchValues("desk", window=3600)
    (tmp_path / "rules.yml").write_text(rule_file(values))
    (tmp_path / "admin").write_text("token")
    text = (DEPLOY / "prometheus/prometheus.yml").read_text()
    text = text.replace("/etc/prometheus/rules", str(tmp_path)).replace("/run/secrets", str(tmp_path))
    (tmp_path / "prometheus.yml").write_text(text)
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    written = sum(len(group["rules"]) for group in rule_groups(values)["groups"])
    assert f"{written} rules found" in done.stdout


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not on the PATH")
def test_amtool_takes_the_configuration() -> None:
    command = ["amtool", "check-config", str(DEPLOY / "alertmanager/alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def files_in(folder: str) -> list[Path]:
    return [path for path in (DEPLOY / folder).rglob("*") if path.is_file()]
