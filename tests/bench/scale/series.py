"""A real Prometheus: memory and processor time a series, and bytes on disk a sample."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import Server

from tuneloop.monitoring.rules import WatchValues, rule_file
from tuneloop.monitoring.stack import free_port

_FEW, _MANY = 2_000, 42_000
_STEP, _HOURS, _SERIES = 15, 8, 200
_WINDOW = 60.0
"""Seconds of the rules' window, and so samples of a series in it."""


@dataclass(frozen=True)
class Series:
    """What Prometheus takes.

    Attributes:
        resident: Bytes of memory a series that is scraped once a second for a minute.
        sample_cpu: Seconds of processor a sample that is scraped.
        sample: Bytes on disk a sample, in a block of counters like ours.
        judged: Seconds of an evaluation of the drift rules for each series, with 60 samples in the window.
    """

    resident: float
    sample_cpu: float
    sample: float
    judged: float


def measure_series(seconds: float, say: Callable[[str], None]) -> Series | None:
    """Let Prometheus look at pages of two sizes; the difference is what series cost. None where there is none."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="tuneloop-scale-") as place:
        few, many = (_watch(Path(place) / str(count), count, seconds) for count in (_FEW, _MANY))
        judged = _watch(Path(place) / "judged", _MANY, _WINDOW, rules=True)[3]
        more = _MANY - _FEW
        resident, cpu = (many[0] - few[0]) / more, (many[1] - few[1]) / (many[2] - few[2])
        say(f"Prometheus: {resident:,.0f} bytes of memory a series, {cpu * 1e6:.2f} us of processor a sample")
        sample = _block(Path(place))
        say(f"Prometheus: {sample:.2f} bytes on disk a sample, {judged * 1e6:.0f} us of rules a series")
    return Series(resident, cpu, sample, judged)


def _watch(folder: Path, count: int, seconds: float, *, rules: bool = False) -> tuple[int, float, float, float]:
    """Bytes of memory, seconds of processor, samples in a time of scrapes, one a second, and of rules a series."""
    folder.mkdir()
    target, port = free_port(), free_port()
    scrape = {"job_name": "many", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
    # JSON is YAML.
    pace = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = {"global": pace, "rule_files": ["rules.yml"] if rules else [], "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    (folder / "rules.yml").write_text(rule_file(WatchValues("desk", window=_WINDOW, scrape_interval=5)))
    page = Server.start(
        [sys.executable, "-m", "tests.bench.scale.page", str(target), str(count)],
        port=target,
        ready="/metrics",
        log=folder / "page.txt",
        environment={},
    )
    prometheus = Server.start(
        [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        port=port,
        ready="/-/ready",
        log=folder / "prometheus.txt",
        environment={},
    )
    try:
        _until(port, f"prometheus_tsdb_head_series > {count}")
        cpu, samples = prometheus.cpu_seconds(), _appended(port)
        time.sleep(seconds)
        judged = _page(port, "prometheus_rule_group_last_duration_seconds") / count
        return prometheus.resident_bytes(), prometheus.cpu_seconds() - cpu, _appended(port) - samples, judged
    finally:
        prometheus.stop()
        page.stop()


def _page(port: int, name: str) -> float:
    """A value on Prometheus' own page of metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition(" ")[0].partition("{")[0] == name)


def _appended(port: int) -> float:
    return _page(port, "prometheus_tsdb_head_samples_appended_total")


def _until(port: int, condition: str, patience: float = 60.0) -> None:
    name, _, bound = condition.partition(" > ")
    deadline = time.monotonic() + patience
    while _page(port, name) < float(bound):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Prometheus did not reach {condition} within {patience:g} s")
        time.sleep(0.5)


def _block(folder: Path) -> float:
    """Bytes a sample of counters that rise as those of traffic do: by a rate that varies over the day."""
    text = folder / "samples.txt"
    steps = _HOURS * 3600 // _STEP
    with text.open("w") as stream:
        stream.write("# TYPE tuneloop_signal_observations counter\n")
        for number in range(_SERIES):
            value = 0
            for step in range(steps):
                wave = 1 + 0.5 * math.sin(step / 300 + number)
                value += int((number % 20 + 1) * wave * 15 + (step * 7919 + number * 104_729) % 11)
                labels = f'model="desk",version="1",signal="column:{number // 12}",bin="{number % 12}"'
                line = f"tuneloop_signal_observations_total{{{labels}}} {value} {1_700_000_000 + step * _STEP}\n"
                stream.write(line)
        stream.write("# EOF\n")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "blocks")],
        check=True,
        capture_output=True,
    )
    size = sum(path.stat().st_size for path in (folder / "blocks").rglob("*") if path.is_file())
    return size / (_SERIES * steps)
