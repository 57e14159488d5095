"""Detectors of the library river."""

from __future__ import annotations

from tuneloop.api import Detector, hookimpl
from tuneloop_river.adwin import Adwin
from tuneloop_river.page_hinkley import PageHinkley

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_detectors() -> list[type[Detector]]:
    """The detectors of this folder."""
    return [Adwin, PageHinkley]
