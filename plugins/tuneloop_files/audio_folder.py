"""Data source `audio-folder`."""

from __future__ import annotations

import pydantic

from tuneloop_files.labelled_folder import LabelledFolder, LabelledFolderOptions

_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


class AudioFolderOptions(LabelledFolderOptions):
    """Options of data source `audio-folder`."""

    suffixes: tuple[str, ...] = pydantic.Field(_SUFFIXES, description="The files that are read.")


class AudioFolder(LabelledFolder):
    """Sound files in a folder for each label: columns `audio` (base64 of the file), `label` and `file`."""

    name, column = "audio-folder", "audio"
    Options = AudioFolderOptions
