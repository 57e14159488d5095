"""The checks behind `tuneloop doctor`. Read from metadata: no heavy library is imported, but what a launcher needs."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tuneloop.api import ConfigError, Launcher, PluginError, TuneloopError
from tuneloop.cli.project import load_survivors, probe_plugins
from tuneloop.config import Launch, load_project
from tuneloop.plugins import PluginManager, PluginRecord

Level = Literal["ok", "info", "warning", "problem"]
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was found, and what to do about it."""

    level: Level
    subject: str
    found: str
    advice: str = ""


def examine(project: Path | None) -> Iterator[Finding]:
    """All findings; `project` is the project file to look at, if there is one."""
    yield check_python()
    yield from check_extras()
    yield check_runtime()
    yield from check_torch()
    yield from check_tools()
    try:
        found = probe_plugins(project)
    except PluginError as error:
        yield Finding("problem", "plugins", "cannot be loaded", str(error))
        return
    yield from check_plugins(found.records)
    if project is not None:
        yield from check_project(project, load_survivors(project, found))


def check_python() -> Finding:
    """The interpreter against the range the distribution asks for."""
    version = platform.python_version()
    try:
        wanted = importlib.metadata.metadata("tuneloop")["Requires-Python"] or ""
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            "problem", "tuneloop", "not installed as a distribution", "pip install tuneloop, or pip install -e ."
        )
    if SpecifierSet(wanted).contains(version, prereleases=True):
        return Finding("ok", "python", version)
    return Finding("problem", "python", version, f"tuneloop needs {wanted}: make a virtual environment with such a one")


def check_extras() -> Iterator[Finding]:
    """Each extra's libraries: all there, some, or none; and any whose version does not fit."""
    try:
        lines = importlib.metadata.requires("tuneloop") or []
        extras = importlib.metadata.metadata("tuneloop").get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return
    requirements = [Requirement(line) for line in lines]
    needed = [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    yield from _check_versions("tuneloop itself", needed, required=True)
    brings = {
        extra: [r for r in requirements if r not in needed and r.marker and r.marker.evaluate({"extra": extra})]
        for extra in extras
    }
    for extra, chosen in brings.items():
        own = [r for r in chosen if canonicalize_name(r.name) != "tuneloop"]
        names = {r.name for r in own}
        within = [e for e, parts in brings.items() if e != extra and {r.name for r in parts} < names]
        covered = {r.name for e in within for r in brings[e]}
        yield from _check_versions(f"extra {extra}", own, within=within, covered=covered)


def check_runtime() -> Finding:
    """Exactly one of the two ONNX Runtime distributions, which share one folder."""
    found = {name: version for name in RUNTIMES if (version := installed_version(name)) is not None}
    shown = ", ".join(f"{name} {version}" for name, version in found.items())
    if len(found) == 1:
        return Finding("ok", "onnx runtime", shown)
    if not found:
        return Finding("problem", "onnx runtime", "none", "pip install 'tuneloop[cpu]' or, with CUDA, 'tuneloop[gpu]'")
    return Finding(
        "problem",
        "onnx runtime",
        shown,
        "both write to one folder, so one is broken: pip uninstall -y onnxruntime onnxruntime-gpu, "
        "then pip install 'tuneloop[cpu]' or 'tuneloop[gpu]'",
    )


def check_torch() -> Iterator[Finding]:
    """Which build of torch, read from its version; and a torchvision that does not belong to it."""
    version = installed_version("torch")
    if version is None:
        yield Finding("info", "torch", "not installed", "needed to train: pip install 'tuneloop[train]'")
        return
    flavour = torch_flavour(version)
    yield Finding("ok", "torch", f"{version} ({flavour})")
    vision = installed_version("torchvision")
    if vision is not None and torch_flavour(vision) != flavour:
        yield Finding(
            "problem",
            "torchvision",
            f"{vision} ({torch_flavour(vision)})",
            f"beside a torch for {flavour} it breaks transformers' imports: pip uninstall torchvision",
        )


def torch_flavour(version: str) -> str:
    """`CPU`, `CUDA 12.6`, or what else the local part of a torch version says."""
    local = version.partition("+")[2]
    if local == "cpu":
        return "CPU"
    if local.startswith("cu") and local[2:].isdigit():
        return f"CUDA {local[2:-1]}.{local[-1]}"
    return local or "the default build: CUDA on Linux, CPU elsewhere"


def check_tools() -> Iterator[Finding]:
    """Prometheus and Alertmanager, which the demo uses where they are there."""
    for tool, commands in {
        "prometheus": ("prometheus",),
        "alertmanager": ("alertmanager", "prometheus-alertmanager"),
    }.items():
        path = next(filter(None, map(shutil.which, commands)), None)
        yield Finding("info", tool, path or "not on the PATH", "" if path else "the embedded watcher stands in for it")


def check_plugins(records: Sequence[PluginRecord]) -> Iterator[Finding]:
    """Every plugin that is not loaded."""
    for record in records:
        if record.status != "loaded":
            level: Level = "info" if record.status == "blocked" else "problem"
            found = f"{record.status}: {record.distribution} {record.version}"
            yield Finding(level, f"plugin {record.name}", found, record.reason)
    loaded = sum(record.status == "loaded" for record in records)
    yield Finding("ok" if loaded else "problem", "plugins", f"{loaded} loaded")


def check_project(file: Path, plugins: PluginManager) -> Iterator[Finding]:
    """The project file, and whether its ports are free."""
    try:
        project = load_project(file, plugins)
    except (ConfigError, PluginError) as error:
        yield Finding("problem", "project", str(file), str(error))
        return
    yield Finding("ok", "project", f"{project.name} ({file})")
    if project.launch is not None:
        yield check_launcher(project.launch, plugins)
    for user, host, port in (
        ("serve", project.serve.host, project.serve.port),
        ("loop", "127.0.0.1", project.retrain.port),
    ):
        if port_is_free(host, port):
            yield Finding("ok", f"port of {user}", f"{host}:{port} is free")
        else:
            section = "serve" if user == "serve" else "retrain"
            advice = f"unless that is this project's own, choose another: {section}.port in {file.name}"
            yield Finding("warning", f"port of {user}", f"{host}:{port} is in use", advice)


def check_launcher(chosen: Launch, plugins: PluginManager) -> Finding:
    """Whether training could start where the project says: a cluster answers, a device is there."""
    subject = f"launcher {chosen.launcher}"
    try:
        launcher: Launcher = plugins.create("launcher", chosen.launcher, chosen.options)
        return Finding("ok", subject, launcher.examine())
    except TuneloopError as error:
        return Finding("problem", subject, "cannot start training", str(error))


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError:
        return False
    return True


def installed_version(name: str) -> str | None:
    """The version of an installed distribution; None where there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _check_versions(
    subject: str,
    requirements: list[Requirement],
    *,
    required: bool = False,
    within: Sequence[str] = (),
    covered: Collection[str] = (),
) -> Iterator[Finding]:
    """Findings on one set of requirements; `within` names smaller extras it holds, which speak for `covered`."""
    there = {r.name: version for r in requirements if (version := installed_version(r.name)) is not None}
    absent = sorted(r.name for r in requirements if r.name not in there)
    wrong = [r for r in requirements if r.name in there and not r.specifier.contains(there[r.name], prereleases=True)]
    extra = subject.removeprefix("extra ")
    install = "pip install --force-reinstall tuneloop" if required else f"pip install 'tuneloop[{extra}]'"
    for requirement in (r for r in wrong if r.name not in covered):
        found = f"{requirement.name} {there[requirement.name]}"
        advice = f"{requirement.specifier} is needed: pip install '{requirement.name}{requirement.specifier}'"
        yield Finding("problem", subject, found, advice)
    if not requirements or (wrong and not absent):
        return
    if not absent:
        shown = [f"{name} {version}" for name, version in sorted(there.items()) if name not in covered]
        yield Finding("ok", subject, ", ".join([*shown, *(f"all of {extra}" for extra in within)]))
    elif required:
        yield Finding("problem", subject, f"lacks {', '.join(absent)}", install)
    elif there:
        yield Finding("info", subject, f"incomplete, lacks {', '.join(absent)}", install)
    else:
        yield Finding("info", subject, "not installed", install)
