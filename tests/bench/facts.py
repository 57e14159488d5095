"""What the figures were taken on: machine and versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

_HERE = ("tuneloop", "onnxruntime", "bentoml", "fastapi", "uvicorn", "uvloop", "httptools", "numpy", "torch")


def facts(pythons: Mapping[str, Path]) -> dict[str, str]:
    """Name to value, for the head of the report.

    Args:
        pythons: Interpreter by peer, for those with an environment of their own.
    """
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _HERE},
    }
    for name, python in pythons.items():
        found[name] = f"{_version(python, name)}, with onnxruntime {_version(python, 'onnxruntime')}"
    return found


def load_average() -> float:
    """Runnable processes of the last minute: above what is measured, somebody else was at work."""
    return os.getloadavg()[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(python: Path, name: str) -> str:
    code = f"import importlib.metadata; print(importlib.metadata.version({name!r}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()
