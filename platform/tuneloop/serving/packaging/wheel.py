"""An installed distribution as a wheel file again, without network or build backend.

A Bento carries the runtime and plugins that no index has. What is installed here may be an editable checkout or
the result of a wheel; either way its files and metadata are enough to write the wheel anew (PEP 427).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import io
import logging
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

from tuneloop.api import ServingError

logger = logging.getLogger(__name__)

_LEFT_OUT = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def repack(distribution: Distribution, folder: Path) -> Path:
    """Write the wheel of an installed distribution; equal files give equal bytes.

    Args:
        distribution: What is installed.
        folder: Where the wheel file goes.

    Returns:
        The wheel file.

    Raises:
        ServingError: Its packages cannot be found.
    """
    name = re.sub(r"[-_.]+", "_", distribution.name).lower()
    stem = f"{name}-{distribution.version}"
    info = f"{stem}.dist-info"
    wheel = distribution.read_text("WHEEL") or _PLAIN_WHEEL
    metadata = distribution.read_text("METADATA")
    if metadata is None:
        raise ServingError(f"{distribution.name} was installed in a way that leaves no METADATA; install it with pip")
    content = dict(_package_files(distribution))
    content |= dict(_info_files(distribution, info))
    content |= {f"{info}/METADATA": metadata.encode(), f"{info}/WHEEL": wheel.encode()}
    path = folder / f"{stem}-{_tag(wheel)}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_zip(content, f"{info}/RECORD"))
    return path


_PLAIN_WHEEL = "Wheel-Version: 1.0\nGenerator: tuneloop\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def is_editable(distribution: Distribution) -> bool:
    """Whether it is installed as a link to a checkout."""
    return '"editable": true' in re.sub(r"\s*:\s*", ": ", distribution.read_text("direct_url.json") or "")


def is_from_index(distribution: Distribution) -> bool:
    """Whether pip found it by name on an index, so that it will find it again."""
    return distribution.read_text("direct_url.json") is None


def _package_files(distribution: Distribution) -> Iterator[tuple[str, bytes]]:
    recorded = [file for file in distribution.files or () if _is_package_file(file)]
    if recorded and not is_editable(distribution):
        for file in recorded:
            yield file.as_posix(), Path(str(file.locate())).read_bytes()
        return
    for name in sorted(_top_level(distribution)):
        yield from _module_files(distribution, name)


def _is_package_file(file: PurePosixPath) -> bool:
    outside = file.is_absolute() or ".." in file.parts
    metadata = file.parts[0].endswith((".dist-info", ".pth"))
    return not outside and not metadata and _is_source(file)


def _is_source(file: PurePosixPath) -> bool:
    return file.suffix != ".pyc" and not any(part == "__pycache__" or part.startswith(".") for part in file.parts)


def _top_level(distribution: Distribution) -> set[str]:
    names = {entry.value.partition(":")[0].partition(".")[0] for entry in distribution.entry_points}
    names |= set((distribution.read_text("top_level.txt") or "").split())
    own = re.sub(r"[-.]+", "_", distribution.name)
    if importlib.util.find_spec(own) is not None:
        names.add(own)
    if not names:
        raise ServingError(f"no package of the editable distribution {distribution.name} can be found")
    return names


def _module_files(distribution: Distribution, name: str) -> Iterator[tuple[str, bytes]]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        # An entry point may name a package that this checkout lacks; it is as absent in the wheel as it is here.
        logger.warning("the package %r of %s is not installed and left out of its wheel", name, distribution.name)
        return
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        yield origin.name, origin.read_bytes()
        return
    for path in sorted(origin.parent.rglob("*")):
        relative = PurePosixPath(path.relative_to(origin.parent).as_posix())
        if path.is_file() and _is_source(relative):
            yield f"{name}/{relative}", path.read_bytes()


def _info_files(distribution: Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    for file in distribution.files or ():
        if not file.parts[0].endswith(".dist-info") or file.name in _LEFT_OUT:
            continue
        path = Path(str(file.locate()))
        if path.is_file():
            yield "/".join((info, *file.parts[1:])), path.read_bytes()
    entry_points = distribution.read_text("entry_points.txt")
    if entry_points is not None:
        yield f"{info}/entry_points.txt", entry_points.encode()


def _tag(wheel: str) -> str:
    tags = re.findall(r"^Tag:\s*(\S+)-(\S+)-(\S+)\s*$", wheel, re.MULTILINE) or [("py3", "none", "any")]
    return "-".join(".".join(sorted(set(part))) for part in zip(*tags, strict=True))


def _zip(content: dict[str, bytes], record: str) -> bytes:
    names = sorted(content, key=lambda name: (".dist-info/" in name, name))
    rows: list[Iterable[str]] = [(name, _digest(content[name]), str(len(content[name]))) for name in names]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*rows, (record, "", "")])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*((name, content[name]) for name in names), (record, text.getvalue().encode())]:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
