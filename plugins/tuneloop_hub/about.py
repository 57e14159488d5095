"""What the README of a data set says of it: `datasets` reads it, and keeps neither licence nor address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import DatasetInfo

_README = "README.md"


def say(info: DatasetInfo, place: str, revision: str | None) -> None:
    """Write the licence of a data set, and the address of one on the hub, where `info` does not say them.

    Args:
        info: Of its rows; changed.
        place: Its name on the hub, or its folder.
        revision: Its commit; None: the newest that was read.
    """
    from huggingface_hub import constants

    readme = _readme(place, revision)
    if readme is not None:
        info.license = info.license or _license(readme)
    if not Path(place).is_absolute():
        at = f" at {revision}" if revision else ""
        info.homepage = info.homepage or f"{constants.ENDPOINT}/datasets/{place}{at}"


def _readme(place: str, revision: str | None) -> Path | None:
    """In the folder, or where the rows' own download has put it: nothing is asked of the hub again."""
    from huggingface_hub import try_to_load_from_cache

    if Path(place).is_absolute():
        path = Path(place) / _README
        return path if path.is_file() else None
    found = try_to_load_from_cache(place, _README, revision=revision, repo_type="dataset")
    return Path(found) if isinstance(found, str) else None


def _license(readme: Path) -> str:
    """Of the block of YAML at its head, as the hub's documentation has it: one name or several; `other` has a name."""
    from huggingface_hub import DatasetCard

    try:
        said: Any = DatasetCard.load(readme, ignore_metadata_errors=True).data
    except (OSError, ValueError):
        # Rows that could be read are worth more than what is said of them.
        return ""
    found = said.get("license") or ""
    names = [str(one) for one in (found if isinstance(found, list) else [found]) if one]
    extra = [str(said.get(name)) for name in ("license_name", "license_link") if said.get(name)]
    return ", ".join([*names, *extra])
