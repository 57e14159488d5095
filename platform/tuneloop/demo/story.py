"""The demo, stage by stage: tune, serve, watch the world change, retrain, and compare."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tuneloop.api import ServingError, TuneloopError
from tuneloop.artifact import Artifact
from tuneloop.config import load_project
from tuneloop.demo.display import Display
from tuneloop.demo.memory import PeakMemory
from tuneloop.demo.outcome import Outcome, Variant, accuracy, latency
from tuneloop.demo.processes import Command, answers, fetch
from tuneloop.demo.project import DemoData, write_project
from tuneloop.demo.traffic import Reply, Traffic
from tuneloop.plugins import default_manager
from tuneloop.registry import Registry

PACE = 30.0
"""Messages a second."""
LABEL_DELAY = 12.0
"""Seconds from an answer to its label."""
_TUNE_TIMEOUT, _START_TIMEOUT, _ALERT_TIMEOUT, _RETRAIN_TIMEOUT = 900.0, 120.0, 240.0, 900.0


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Where the demo works and on which ports of this machine it listens."""

    folder: Path
    serve_port: int
    loop_port: int


@dataclass(frozen=True, slots=True)
class _Running:
    """What stages share once the server and the loop are up."""

    traffic: Traffic
    server: Command
    loop: Command
    loop_url: str
    data: DemoData


@contextmanager
def play(settings: DemoSettings, console: Console) -> Iterator[Outcome]:
    """Play the whole demo; server and loop run on while the context lasts.

    Raises:
        TuneloopError: A stage failed; quotes the log of the command it happened in.
    """
    for port, option in ((settings.serve_port, "--port"), (settings.loop_port, "--loop-port")):
        _check_free(port, option)
    begun, memory = time.monotonic(), PeakMemory()
    display = Display(console, stages=6)
    with ExitStack() as stack:
        with display.stage("tune on English, Italian, Spanish and Portuguese messages"):
            data = _tune(settings, stack, display)
        with display.stage("serve the champion, and watch it"):
            running = _serve(settings, data, stack, display)
        with display.stage("messages in those languages arrive"):
            known_before = _quiet(running, display)
        with display.stage("Dutch, Turkish and Indonesian messages arrive, their labels late"):
            shift = time.monotonic()
            new_before, alert, to_alert = _shift(running, shift, display)
        with display.stage("the alert reaches the loop, which retrains and promotes under load"):
            to_live = _retrain(running, shift, display)
        with display.stage("messages that no version ever learned from arrive once more"):
            known_after = running.traffic.play(data.probe_known, labelled=False)
            new_after = running.traffic.play(data.probe_new, labelled=False)
            display.done(
                f"accuracy {accuracy(known_after):.3f} on the known languages, {accuracy(new_after):.3f} on the new"
            )
        running.traffic.close()
        artifact, report, bento = _champion(settings.folder)
        watched_by, pages = _watched_by(running.loop)
        yield Outcome(
            known_before=known_before,
            new_before=new_before,
            known_after=known_after,
            new_after=new_after,
            alert=alert,
            to_alert=to_alert,
            to_live=to_live,
            sent=running.traffic.sent,
            labels=running.traffic.labels,
            failures=tuple(running.traffic.failures),
            variants=tuple(Variant(n, v.bytes, v.served) for n, v in sorted(artifact.manifest.variants.items())),
            seconds=time.monotonic() - begun,
            peak_bytes=memory.stop(),
            report=report,
            bento=bento,
            folder=settings.folder,
            watched_by=watched_by,
            pages=pages,
        )


def _tune(settings: DemoSettings, stack: ExitStack, display: Display) -> DemoData:
    data = write_project(settings.folder, serve_port=settings.serve_port, loop_port=settings.loop_port)
    display.say(f"the project is in {settings.folder}")
    command = Command(["run", "--promote"], settings.folder, _log(settings, "run"))
    stack.callback(command.stop)
    command.finish(display.say, _TUNE_TIMEOUT)
    artifact, _, _ = _champion(settings.folder)
    figures = ", ".join(f"{name} {value:.3f}" for name, value in sorted(artifact.manifest.metrics.items())[:4])
    display.done(f"champion: {figures}")
    return data


def _serve(settings: DemoSettings, data: DemoData, stack: ExitStack, display: Display) -> _Running:
    server_url = f"http://127.0.0.1:{settings.serve_port}"
    loop_url = f"http://127.0.0.1:{settings.loop_port}"
    server = Command(["serve"], settings.folder, _log(settings, "serve"))
    stack.callback(server.stop)
    display.say("the server loads the model and answers its golden examples")
    server.until("the server was ready", lambda: answers(f"{server_url}/readyz"), _START_TIMEOUT)
    loop = Command(["loop", "--watch"], settings.folder, _log(settings, "loop"))
    stack.callback(loop.stop)
    display.say("the loop opens its records and starts what watches the server")
    loop.until("the loop was ready", lambda: answers(f"{loop_url}/readyz"), _START_TIMEOUT)
    traffic = Traffic(server_url, pace=PACE, label_delay=LABEL_DELAY)
    stack.callback(traffic.close)
    display.done(f"server at {server_url}, loop at {loop_url}")
    return _Running(traffic, server, loop, loop_url, data)


def _quiet(running: _Running, display: Display) -> list[Reply]:
    running.traffic.play(running.data.usual)
    replies = running.traffic.play(running.data.probe_known, labelled=False)
    alerts = _decisions(running)
    if alerts:
        raise ServingError(f"there was an alert although nothing had changed: {alerts[0]['sentence']}")
    display.done(f"{len(replies)} answered, accuracy {accuracy(replies):.3f}, {latency(replies):.0f} ms, no alarm")
    return replies


def _shift(running: _Running, shift: float, display: Display) -> tuple[list[Reply], str, float]:
    arrived = running.traffic.play(running.data.arriving)
    display.say(f"{len(arrived)} answered, accuracy {accuracy(arrived):.3f}")
    running.traffic.keep_going([*running.data.arriving, *running.data.usual])
    replies = running.traffic.play(running.data.probe_new, labelled=False)
    first = running.loop.until("an alert reached the loop", lambda: _first_alert(running), _ALERT_TIMEOUT)
    # `first_received` is in Unix seconds, as is the difference of the two clocks now.
    to_alert = first["first_received"] - (time.time() - (time.monotonic() - shift))
    what = f"{first['alert']} of {first['signal']}" if first["signal"] else str(first["alert"])
    display.done(f"accuracy {accuracy(replies):.3f}; {what} after {to_alert:.0f} s")
    return replies, what, to_alert


def _retrain(running: _Running, shift: float, display: Display) -> float:
    said, live = "", dict[str, float]()

    def finished() -> dict[str, Any] | None:
        nonlocal said
        status = fetch(f"{running.loop_url}/status") or {}
        running_now = status.get("running") or {}
        stage = str((running_now.get("stages") or [{}])[-1].get("stage", ""))
        step = str(running_now.get("step", "")) if stage in ("", "freeze", "train") else stage
        if stage == "watch":
            live.setdefault("since", running_now["stages"][-1]["started"])
        if step and step != said:
            said = step
            display.say(f"retraining: {step}")
        return next((run for run in status.get("runs", ()) if run["ended"] is not None), None)

    run = running.loop.until("the loop had retrained", finished, _RETRAIN_TIMEOUT)
    if run["outcome"] != "promoted":
        raise ServingError(f"the loop did not promote the new version: {run['outcome']}: {run['reason']}")
    # It serves since before the watch over it began.
    to_live = live.get("since", run["ended"]) - (time.time() - (time.monotonic() - shift))
    running.traffic.pause()
    display.done(f"version {run['version']} is live; {len(running.traffic.failures)} failed requests")
    return float(to_live)


def _first_alert(running: _Running) -> dict[str, Any] | None:
    found = [record for record in _decisions(running) if record["outcome"] != "ignored"]
    return min(found, key=lambda record: record["first_received"]) if found else None


def _decisions(running: _Running) -> list[dict[str, Any]]:
    return list((fetch(f"{running.loop_url}/status") or {}).get("decisions", ()))


def _champion(folder: Path) -> tuple[Artifact, Path | None, str]:
    from tuneloop.pipeline.delivering.package import bento_home
    from tuneloop.pipeline.runs.records import REPORT, run_folder
    from tuneloop.serving.packaging.bento import bento_folder

    project = load_project(folder / "tuneloop.yaml", default_manager())
    registry = Registry(project)
    version = registry.resolve("champion")
    report = run_folder(project.state, version.run) / REPORT
    bento = bento_folder(bento_home(project.state), f"{project.name}:{version.number}")
    return registry.fetch(version.number), report if report.exists() else None, str(bento)


def _check_free(port: int, option: str) -> None:
    try:
        with socket.create_server(("127.0.0.1", port)):
            pass
    except OSError as error:
        raise TuneloopError(
            f"port {port} of 127.0.0.1 cannot be used: {error.strerror}. "
            f"Choose another with {option}; 0 takes a free one."
        ) from error


def _watched_by(loop: Command) -> tuple[str, tuple[str, ...]]:
    """What the loop said watches the server, and the addresses it named."""
    marker = "watched by "
    lines = loop.log.read_text(errors="replace").splitlines()
    what = next((line.partition(marker)[2] for line in lines if line.startswith(marker)), "unknown")
    return what, tuple(line.strip() for line in lines if line.startswith("  ") and "http://" in line)


def _log(settings: DemoSettings, name: str) -> Path:
    return settings.folder / ".tuneloop" / "logs" / f"{name}.log"
