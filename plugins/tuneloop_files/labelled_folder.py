"""Files in a folder for each label, as base64: what the sources of sounds and of images share."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pydantic

from tuneloop.api import DataError, DataSource, MissingExtraError

if TYPE_CHECKING:
    from datasets import Dataset


class LabelledFolderOptions(pydantic.BaseModel):
    """Options of a source of this kind."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    path: str = pydantic.Field(
        min_length=1, description="A folder, relative to the project folder or absolute, with a folder for each label."
    )
    suffixes: tuple[str, ...] = pydantic.Field((), description="The files that are read.")


class LabelledFolder(DataSource):
    """Columns `column` (base64 of the file), `label` and `file`."""

    column: ClassVar[str]
    """The column that gets the files."""

    options: LabelledFolderOptions

    def load(self, root: Path) -> Dataset:
        """All files, in order of their paths; the files themselves are not decoded here.

        Raises:
            DataError: There is no such folder, no such file below a folder of it, or a file cannot be read.
        """
        try:
            from datasets import Dataset
        except ImportError as error:
            raise MissingExtraError(f"data source {self.name!r}", error.name or "datasets", "train") from error
        folder = root / Path(self.options.path).expanduser()
        if not folder.is_dir():
            raise DataError(f"data.path {self.options.path!r}: there is no folder {folder}")
        suffixes = {suffix.lower() for suffix in self.options.suffixes}
        files = sorted(path for path in folder.glob("*/**/*") if path.is_file() and path.suffix.lower() in suffixes)
        if not files:
            raise DataError(
                f"data.path {self.options.path!r}: no folder in {folder} holds a file with the suffix "
                f"{', '.join(sorted(suffixes))}; expected one folder a label"
            )
        try:
            contents = [base64.b64encode(path.read_bytes()).decode("ascii") for path in files]
        except OSError as error:
            raise DataError(f"data.path {self.options.path!r}: a file cannot be read: {error}") from error
        names = [path.relative_to(folder) for path in files]
        return Dataset.from_dict(
            {
                self.column: contents,
                "label": [name.parts[0] for name in names],
                "file": [name.as_posix() for name in names],
            }
        )
