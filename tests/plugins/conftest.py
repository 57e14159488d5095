"""Tiny models and rows that the tests of all plugins share."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

_TINY = Path(__file__).with_name("tiny.py")


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """Functions of `tiny.py`; loaded by path, because a subprocess runs the same file."""
    spec = importlib.util.spec_from_file_location("tiny", _TINY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run_tiny() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `tiny.py` in a process of its own."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **environment}
        return subprocess.run(
            [sys.executable, str(_TINY), *arguments],
            env=env,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    return run


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The thread count changes the last bits of a sum, so every run here uses one."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
