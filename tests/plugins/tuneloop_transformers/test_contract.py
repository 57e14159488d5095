"""The base model passes the contract tests that strangers run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tuneloop.api.testing import BaseModelContract
from tuneloop_transformers import Transformers


class TestTransformers(BaseModelContract):
    plugin = Transformers
    options: ClassVar[Any] = {"checkpoint": "models/tiny"}

    @pytest.fixture
    def root(self, checkpoint: Path, tmp_path: Path) -> Path:
        self.source = checkpoint
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def files(self, root: Path) -> None:
        shutil.copytree(self.source, root / "models" / "tiny", dirs_exist_ok=True)
