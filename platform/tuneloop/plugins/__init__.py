"""Find, check and load plugins, resolve their names, and say what is wrong with those that do not load."""

from tuneloop.plugins.blocklist import block, blocked_distributions, blocklist_path, unblock
from tuneloop.plugins.kinds import KINDS, Kind, KindInfo, kind_info
from tuneloop.plugins.manager import PluginManager, default_manager, standard_manager
from tuneloop.plugins.names import nearest
from tuneloop.plugins.probe import Probe, probe
from tuneloop.plugins.record import Origin, PluginRecord, Status
from tuneloop.plugins.rules import PluginRules, as_environment, environment_rules, user_rules

__all__ = [
    "KINDS",
    "Kind",
    "KindInfo",
    "Origin",
    "PluginManager",
    "PluginRecord",
    "PluginRules",
    "Probe",
    "Status",
    "as_environment",
    "block",
    "blocked_distributions",
    "blocklist_path",
    "default_manager",
    "environment_rules",
    "kind_info",
    "nearest",
    "probe",
    "standard_manager",
    "unblock",
    "user_rules",
]
