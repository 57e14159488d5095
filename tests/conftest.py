"""How property-based tests run: by chance at a desk, the same way every time in CI, and never against a clock."""

from __future__ import annotations

import os

from hypothesis import settings

# A machine that is busy for a moment would fail a test that a deadline guards.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

# Servers stop in nearly every file, and nobody there waits for a balancer to turn away.
os.environ.setdefault("TUNELOOP_DRAIN_SECONDS", "0")
