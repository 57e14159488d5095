"""The border: where training runs."""

from __future__ import annotations

from pydantic import Field

from tuneloop.config.section import Text, WithOptions


class LaunchShape(WithOptions):
    """`launch`; all other keys are options of the launcher."""

    launcher: Text = Field("local", description="Where training runs: in this process, in several, on a cluster.")
