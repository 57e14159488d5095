"""Data sources that read files: CSV, JSON lines, Parquet, NumPy archives, folders of sounds and of pictures."""

from __future__ import annotations

from tuneloop.api import DataSource, hookimpl
from tuneloop_files.audio_folder import AudioFolder
from tuneloop_files.audio_transcripts import AudioTranscripts
from tuneloop_files.csv import Csv
from tuneloop_files.image_folder import ImageFolder
from tuneloop_files.jsonl import Jsonl
from tuneloop_files.npz import Npz
from tuneloop_files.parquet import Parquet

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_data_sources() -> list[type[DataSource]]:
    """The data sources of this folder."""
    return [Csv, Jsonl, Parquet, Npz, AudioFolder, AudioTranscripts, ImageFolder]
