"""The artifact: a sealed folder that holds a model and everything needed to serve, check and retrain it.

```
model.onnx        the graph that is served
encoder.onnx      of a model that reads a source and writes a text: the graph that reads; the other one then writes
manifest.json     what this is; the SHA-256 of every other file
preprocessor/     how rows become model inputs
reference.json    what each signal looked like on the holdout
examples.json     golden examples: rows with the answers the model must give
card.md           the model card
training/         the tuned weights, to start the next tuning from; never served
```

Nothing in it depends on time or place: equal runs give equal bytes, and so one SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

import pydantic

from tuneloop.api.errors import ArtifactError
from tuneloop.api.types import Column, Tensor

MANIFEST = "manifest.json"
MODEL = "model.onnx"
ENCODER = "encoder.onnx"
PREPROCESSOR = "preprocessor"
REFERENCE = "reference.json"
EXAMPLES = "examples.json"
CARD = "card.md"
TRAINING = "training"


class _Frozen(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class FileEntry(_Frozen):
    """Hash and size in bytes of one file of the folder."""

    sha256: str
    bytes: int


class Part(_Frozen):
    """A plugin class by its registered name, and the state it is rebuilt from."""

    name: str
    state: dict[str, Any] = {}


class PluginUse(_Frozen):
    """A distribution whose plugins this model was made with. `serving`: the server needs it too."""

    distribution: str
    version: str
    names: tuple[str, ...]
    serving: bool


class Signature(_Frozen):
    """What goes in and comes out: request columns, graph inputs and graph outputs."""

    columns: tuple[Column, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    output_names: tuple[str, ...]


class Variant(_Frozen):
    """One exported form of the model: its size, its figures, and whether and why it is the one served."""

    bytes: int
    metrics: dict[str, float]
    served: bool
    reason: str


class Temperature(_Frozen):
    """By what logits are divided before they become probabilities (1: by nothing), and why.

    `rows` it was fitted on; the expected calibration error on the test split without it and with it.
    """

    value: float = pydantic.Field(gt=0)
    rows: int
    reason: str
    error_before: float
    error_after: float


class Parity(_Frozen):
    """How far the exported float graph is from the tuned model, on real rows."""

    rows: int
    max_difference: float
    changed_answers: int


class DataUse(_Frozen):
    """What the model was made from: the content fingerprint of the rows, and their number by split."""

    fingerprint: str
    rows: dict[str, int]


class Teacher(_Frozen):
    """The model whose answers this one learned from: its name, and the SHA-256 of its artifact."""

    model: str
    sha256: str


class Lineage(_Frozen):
    """Where the model comes from.

    `parent` is the SHA-256 of the champion it was warm-started from, `pipeline` the fingerprint of its run.
    """

    parent: str | None
    pipeline: str
    teacher: Teacher | None = None


class Manifest(_Frozen):
    """`manifest.json`.

    `transforms` are those that change each request row before the preprocessor, in order; `chosen` is what candidates
    and a search left standing in place of the project file's values, by path.
    """

    format: Literal[1] = 1
    model: str
    task: Part
    preprocessor: str
    transforms: tuple[Part, ...] = ()
    base_model: str
    strategy: str
    chosen: dict[str, Any] = {}
    signature: Signature
    metrics: dict[str, float]
    variants: dict[str, Variant]
    parity: Parity
    data: DataUse
    lineage: Lineage
    plugins: tuple[PluginUse, ...]
    libraries: dict[str, str]
    intervals: dict[str, tuple[float, float]] = {}
    temperature: Temperature | None = None
    files: dict[str, FileEntry] = {}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified artifact folder. `sha256` is that of its manifest, and through it of all files."""

    folder: Path
    manifest: Manifest
    sha256: str

    @classmethod
    def open(cls, folder: Path, *, skip: tuple[str, ...] = ()) -> Artifact:
        """Read and verify the folder: every file is as it was sealed, none is missing, none was added.

        Args:
            folder: The artifact folder.
            skip: Top-level parts that may be absent, such as `training` inside a Bento.

        Raises:
            ArtifactError: The folder is no artifact, or was changed; names the file.
        """
        path = folder / MANIFEST
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"{folder} is no artifact: {MANIFEST} cannot be read ({error.strerror})") from error
        try:
            manifest = Manifest.model_validate_json(raw)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ArtifactError(f"{path} is not a manifest of format 1: {where}: {first['msg']}") from error
        _verify(folder, manifest, skip)
        return cls(folder, manifest, hashlib.sha256(raw).hexdigest())

    @property
    def model(self) -> Path:
        """The ONNX graph."""
        return self.folder / MODEL


def _verify(folder: Path, manifest: Manifest, skip: tuple[str, ...]) -> None:
    for name, entry in manifest.files.items():
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise ArtifactError(f"{folder / MANIFEST} names the file {name!r}, which lies outside the artifact")
        if relative.parts[0] in skip:
            continue
        path = folder / relative
        if path.is_symlink() or not path.is_file():
            raise ArtifactError(f"artifact {folder} lacks the file {name!r}; copy or register it again")
        found = sha256_file(path)
        if found != entry.sha256:
            raise ArtifactError(
                f"artifact {folder}: the file {name!r} was changed: its SHA-256 is {found}, "
                f"the manifest says {entry.sha256}"
            )
    extra = sorted(set(_files(folder)) - set(manifest.files))
    if extra:
        raise ArtifactError(f"artifact {folder} holds files that its manifest does not know: {', '.join(extra)}")


def _files(folder: Path) -> list[str]:
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    return sorted(name for name in found if name != MANIFEST)


def seal(folder: Path, manifest: Manifest) -> Artifact:
    """Write `manifest.json` with the hash of every file that lies in the folder, and give the artifact.

    Args:
        folder: Holds all files but the manifest.
        manifest: `files` is ignored and made anew.
    """
    files = {
        name: FileEntry(sha256=sha256_file(folder / name), bytes=(folder / name).stat().st_size)
        for name in _files(folder)
    }
    sealed = manifest.model_copy(update={"files": files})
    write_json(folder / MANIFEST, sealed.model_dump(mode="json"))
    return Artifact.open(folder)


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """Equal values give equal bytes: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def write_json(path: Path, value: Mapping[str, Any] | list[Any]) -> None:
    """Write indented JSON with sorted keys, atomically."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def write_atomic(path: Path, content: bytes) -> None:
    """Replace a file so that a reader, or a crash at any moment, sees the old content or the new, never a part."""
    with replacing(path) as stream:
        stream.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """As `write_atomic`, for a content written bit by bit: it takes the file's place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
