from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tuneloop.monitoring.metrics import forget_dead_workers

WORKER = """
import sys
from tuneloop.monitoring.metrics import metrics
m = metrics()
m.signal_observations.labels("desk", "1", "length", "low").inc(3)
m.signal_reference_ratio.labels("desk", "1", "length", "low").set(float(sys.argv[1]))
m.live_version.labels("desk", "1", "abc").set(1)
print("ready", flush=True)
sys.stdin.read()
"""


def test_workers_are_merged_and_killed_ones_forgotten(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, ratio], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        for ratio in ("0.25", "0")
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
        assert forget_dead_workers(tmp_path) == ()
        assert _merged(tmp_path) == {"observations": 6.0, "ratio": 0.25, "live": 2.0}
        workers[0].kill()
        workers[0].wait()
        assert forget_dead_workers(tmp_path) == (workers[0].pid,)
        assert _merged(tmp_path) == {"observations": 6.0, "ratio": 0.0, "live": 1.0}
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert forget_dead_workers() == ()


def _merged(folder: Path) -> dict[str, float]:
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    one = {"model": "desk", "version": "1"}
    length = {**one, "signal": "length", "bin": "low"}
    found = {
        "observations": registry.get_sample_value("tuneloop_signal_observations_total", length),
        "ratio": registry.get_sample_value("tuneloop_signal_reference_ratio", length),
        "live": registry.get_sample_value("tuneloop_live_version", {**one, "sha256": "abc"}),
    }
    return {name: value for name, value in found.items() if value is not None}
