"""Data source `image-folder`."""

from __future__ import annotations

import pydantic

from tuneloop_files.labelled_folder import LabelledFolder, LabelledFolderOptions

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")


class ImageFolderOptions(LabelledFolderOptions):
    """Options of data source `image-folder`."""

    suffixes: tuple[str, ...] = pydantic.Field(_SUFFIXES, description="The files that are read.")


class ImageFolder(LabelledFolder):
    """Image files in a folder for each label: columns `image` (base64 of the file), `label` and `file`."""

    name, column = "image-folder", "image"
    Options = ImageFolderOptions
