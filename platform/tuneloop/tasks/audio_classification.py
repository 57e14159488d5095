"""`audio-classification`: one sound in, one label out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tuneloop.tasks.classification import Classification


class AudioClassification(Classification):
    """One label for one sound."""

    name = "audio-classification"
    roles: ClassVar[Mapping[str, str]] = {"audio": "The column that holds the sound: base64 of a sound file."}
