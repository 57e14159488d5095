"""What must be installed to serve: the exact versions that are installed here and known to work together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tuneloop.api import ServingError

_FORBIDDEN = ("torch", "transformers", "mlflow", "datasets", "dbos")


def closure(roots: Mapping[str, Collection[str]]) -> dict[str, Distribution]:
    """All distributions that some need, themselves included, by canonical name.

    Args:
        roots: Name of a distribution to its extras.

    Raises:
        ServingError: One is not installed, or training libraries would come along.
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    pending = [(name, extra, "the Bento") for name, extras in roots.items() for extra in ("", *extras)]
    while pending:
        name, extra, wanted_by = pending.pop()
        key = canonicalize_name(name)
        if (key, extra) in seen:
            continue
        seen.add((key, extra))
        if key in _FORBIDDEN:
            raise ServingError(f"{wanted_by} needs {name}, which is for training and has no place in a Bento")
        installed = found[key] = _installed(name, wanted_by)
        for line in installed.requires or ():
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                pending += [(need.name, one, installed.name) for one in ("", *need.extras)]
    return found


def _installed(name: str, wanted_by: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise ServingError(
            f"{wanted_by} needs the distribution {name!r}, which is not installed here; "
            f"a Bento pins what is installed, so install it first: pip install {name}"
        ) from error
