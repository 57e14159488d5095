"""Data sources among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tuneloop.api.testing import (
    DataSourceContract,
)
from tuneloop_files import AudioFolder, AudioTranscripts, Csv, ImageFolder, Jsonl, Npz, Parquet

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGM4AQAAygDJmcpdfgAAAABJRU5ErkJggg=="


WAVE = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQQAAAABAAIA"


ROWS = ({"text": "good day", "stars": 4}, {"text": "", "stars": None}, {"text": 'a, "b"', "stars": 1})


class TestCsv(DataSourceContract):
    plugin = Csv
    options: ClassVar[Any] = {"path": "data/*.csv"}
    expected = (ROWS[0], {"text": None, "stars": None}, ROWS[2])
    broken = ({"path": "no.csv"}, {"path": "data"}, {"path": "data/bad.txt"})

    def files(self, root: Path) -> None:
        (root / "data").mkdir()
        (root / "data" / "a.csv").write_text('text,stars\ngood day,4\n,\n"a, ""b""",1\n')
        (root / "data" / "bad.txt").write_text("text,stars\n1,2,3\n")


class TestJsonl(DataSourceContract):
    plugin = Jsonl
    options: ClassVar[Any] = {"path": "rows.jsonl"}
    expected = ROWS
    broken = ({"path": "no.jsonl"}, {"path": "bad.jsonl"})

    def files(self, root: Path) -> None:
        (root / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS))
        (root / "bad.jsonl").write_text("{}\n[]\n")


class TestParquet(DataSourceContract):
    plugin = Parquet
    options: ClassVar[Any] = {"path": "rows.parquet"}
    expected = ROWS
    broken = ({"path": "bad.parquet"},)

    def files(self, root: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in ROWS]), root / "rows.parquet")
        (root / "bad.parquet").write_bytes(b"PAR1")


class TestNpz(DataSourceContract):
    plugin = Npz
    options: ClassVar[Any] = {
        "path": "rows.npz",
        "sounds": {"samples": "sound", "offsets": "ends", "rate": 8000},
        "names": {"who": "people"},
        "images": {"picture": "pixels"},
        "where": {"part": ["train"]},
    }
    expected = (
        {"audio": WAVE, "picture": DOT, "who": "ada", "part": "train", "x": [1.0, 2.0]},
        {"audio": WAVE, "picture": DOT, "who": "bob", "part": "train", "x": [5.0, 6.0]},
    )
    broken = (
        {"path": "rows.npy"},
        {"path": "bad.npz"},
        {"path": "rows.npz", "arrays": ["no"]},
        {"path": "rows.npz", "images": {"picture": "x"}},
        {"path": "rows.npz", "where": {"no": [1]}},
        {"path": "rows.npz", "names": {"who": "part"}},
        {"path": "rows.npz", "sounds": {"samples": "x", "offsets": "ends", "rate": 8000}},
        {"path": "rows.npz", "sounds": {"samples": "sound", "offsets": "x", "rate": 8000}},
        {"path": "pickle.npz", "arrays": ["x"]},
    )

    def files(self, root: Path) -> None:

        np.savez(
            root / "rows.npz",
            sound=np.array([1, 2] * 3, dtype=np.int16),
            ends=np.array([0, 2, 4, 6]),
            who=np.array([0, 0, 1]),
            people=np.array(["ada", "bob"]),
            part=np.array(["train", "test", "train"]),
            x=np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
            pixels=np.full((3, 1, 1), 200, dtype=np.uint8),
        )
        np.save(root / "rows.npy", np.zeros(3))
        np.savez(root / "pickle.npz", x=np.array([{}, []], dtype=object))
        (root / "bad.npz").write_bytes(b"PK")


class TestAudioFolder(DataSourceContract):
    plugin = AudioFolder
    options: ClassVar[Any] = {"path": "sounds"}
    expected = (
        {"audio": "Yg==", "label": "cat", "file": "cat/deep/b.flac"},
        {"audio": "YQ==", "label": "dog", "file": "dog/a.WAV"},
    )
    broken = ({"path": "no"}, {"path": "sounds/dog"}, {"path": "sounds", "suffixes": [".aiff"]})

    def files(self, root: Path) -> None:
        for name, content in (("dog/a.WAV", b"a"), ("cat/deep/b.flac", b"b"), ("cat/notes.txt", b"c")):
            path = root / "sounds" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


class TestAudioTranscripts(DataSourceContract):
    plugin = AudioTranscripts
    options: ClassVar[Any] = {"path": "said/*.jsonl"}
    expected = (
        {"file": "a.wav", "text": "yes", "audio": "YQ=="},
        {"file": "deep/b.wav", "text": "no", "audio": "Yg=="},
    )
    broken = (
        {"path": "no.jsonl"},
        {"path": "said/a.wav"},
        {"path": "said/rows.jsonl", "file": "no"},
        {"path": "said/rows.jsonl", "file": "text"},
        {"path": "said/rows.jsonl", "folder": "no"},
        {"path": "s3://bucket/rows.jsonl"},
    )

    def files(self, root: Path) -> None:
        (root / "said" / "deep").mkdir(parents=True)
        (root / "said" / "a.wav").write_bytes(b"a")
        (root / "said" / "deep" / "b.wav").write_bytes(b"b")
        rows = ({"file": "a.wav", "text": "yes"}, {"file": "deep/b.wav", "text": "no"})
        (root / "said" / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


class TestImageFolder(DataSourceContract):
    plugin = ImageFolder
    options: ClassVar[Any] = {"path": "pictures"}
    expected = (
        {"image": "Yg==", "label": "cat", "file": "cat/deep/b.jpeg"},
        {"image": "YQ==", "label": "dog", "file": "dog/a.PNG"},
    )
    broken = ({"path": "no"}, {"path": "pictures/dog"}, {"path": "pictures", "suffixes": [".tiff"]})

    def files(self, root: Path) -> None:
        for name, content in (("dog/a.PNG", b"a"), ("cat/deep/b.jpeg", b"b"), ("cat/notes.txt", b"c")):
            path = root / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
