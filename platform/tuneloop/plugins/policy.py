"""Which distributions may be imported: decided from their names alone, before any import."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from packaging.utils import canonicalize_name

from tuneloop.plugins.checks import FaultError
from tuneloop.plugins.discovery import HOME, Candidate
from tuneloop.plugins.rules import PluginRules


class Policy:
    """Several places' rules, each of which can bar a plugin.

    Args:
        rules: What each place says.
        versions: The very version a distribution must have.
    """

    def __init__(self, rules: Sequence[PluginRules], versions: Mapping[str, str]) -> None:
        self._rules = tuple(rules)
        self._versions: dict[str, str] = {canonicalize_name(name): version for name, version in versions.items()}

    def bar(self, candidate: Candidate) -> FaultError | None:
        """Why a plugin may not be imported; None where it may."""
        for rule in self._rules:
            if candidate.key in _keys(rule.block):
                return FaultError("blocked", rule.block_reason.replace("{distribution}", candidate.distribution))
        for rule in self._rules:
            if rule.only is not None and candidate.key != HOME and candidate.key not in _keys(rule.only):
                return FaultError("blocked", rule.only_reason.replace("{distribution}", candidate.distribution))
        wanted = self._versions.get(candidate.key)
        if wanted is not None and wanted != candidate.version:
            return FaultError(
                "incompatible",
                f"version {wanted} is asked for and {candidate.version} is installed: "
                f"pip install '{candidate.distribution}=={wanted}'",
            )
        return None

    def absent(self, found: Collection[str]) -> Iterator[tuple[Candidate, FaultError]]:
        """The distributions asked for that have no installed plugin; `found` holds normalised names."""
        asked = {key: name for rule in self._rules for key, name in _keys(rule.only or ()).items()}
        for key, name in asked.items():
            if key in found or key == HOME:
                continue
            version = self._versions.get(key)
            line = f"pip install '{name}=={version}'" if version else f"pip install {name}"
            reason = f"it is asked for, but no installed distribution of this name has plugins: {line}"
            yield Candidate(name, "", name, version or "(absent)", "path"), FaultError("failed", reason)


def _keys(names: Collection[str]) -> dict[str, str]:
    """Normalised names to those written."""
    return {canonicalize_name(name): name for name in names}
