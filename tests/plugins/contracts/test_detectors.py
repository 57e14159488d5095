"""Detectors among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

import tuneloop_river
from tuneloop.api.testing import (
    DetectorContract,
)

for _cls in tuneloop_river.tuneloop_detectors():
    globals()[f"Test{_cls.__name__}"] = type(f"Test{_cls.__name__}", (DetectorContract,), {"plugin": _cls})
