from __future__ import annotations

import subprocess
import sys

from tuneloop.monitoring.metrics import metrics


def test_collectors_are_made_once() -> None:
    assert metrics() is metrics()


def test_importing_monitoring_leaves_prometheus_client_alone() -> None:
    """BentoML sets the multiprocess folder before that import, and it must be first."""
    code = (
        "import sys, tuneloop.monitoring.counters, tuneloop.monitoring.writer, tuneloop.monitoring.feedback,"
        " tuneloop.monitoring.watcher, tuneloop.monitoring.stack;"
        " sys.exit('prometheus_client' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
