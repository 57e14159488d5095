"""Which distributions may be imported, as one place says it: the project, the user, or the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from tuneloop.plugins.blocklist import blocked_distributions


@dataclass(frozen=True, slots=True)
class PluginRules:
    """What one place says about distributions. Built-ins of Tuneloop itself stand above `only`.

    Attributes:
        block: Distributions never imported.
        only: Where given, no other distribution is imported.
        block_reason: Why a blocked one is not imported; `{distribution}` stands for its name.
        only_reason: The same for one that `only` leaves out.
    """

    block: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    block_reason: str = "it is blocked"
    only_reason: str = "it is not among the only distributions allowed"


def user_rules() -> PluginRules:
    """What `tuneloop plugins block` wrote into the user's configuration."""
    return PluginRules(
        block=tuple(sorted(blocked_distributions())),
        block_reason="you blocked it: `tuneloop plugins unblock {distribution}` allows it again",
    )


def environment_rules() -> PluginRules:
    """Comma-separated distributions in `TUNELOOP_PLUGINS_DISABLE` and `TUNELOOP_PLUGINS_ONLY`."""
    only = _listed("TUNELOOP_PLUGINS_ONLY")
    return PluginRules(
        block=_listed("TUNELOOP_PLUGINS_DISABLE") or (),
        only=only,
        block_reason="TUNELOOP_PLUGINS_DISABLE names it",
        only_reason=f"TUNELOOP_PLUGINS_ONLY allows no others than: {', '.join(only or ()) or 'none'}",
    )


def as_environment(rules: PluginRules) -> dict[str, str]:
    """Rules as variables for a process that reads no project, such as a server; those of this process stay in force."""
    here = environment_rules()
    variables = {"TUNELOOP_PLUGINS_DISABLE": ",".join(dict.fromkeys([*here.block, *rules.block]))}
    lists = [names for names in (here.only, rules.only) if names is not None]
    if lists:
        keys: list[set[str]] = [set(map(canonicalize_name, names)) for names in lists]
        variables["TUNELOOP_PLUGINS_ONLY"] = ",".join(sorted(set.intersection(*keys)))
    return variables


def _listed(variable: str) -> tuple[str, ...] | None:
    text = os.environ.get(variable)
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
