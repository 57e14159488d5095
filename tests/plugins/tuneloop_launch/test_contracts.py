"""The launchers of this machine keep the contract that strangers' launchers keep."""

from typing import Any, ClassVar

from tuneloop.api.testing import LauncherContract
from tuneloop_launch import Local, Torchrun


class TestLocal(LauncherContract):
    plugin = Local


class TestTorchrun(LauncherContract):
    plugin = Torchrun
    options: ClassVar[Any] = {"processes": 1}
