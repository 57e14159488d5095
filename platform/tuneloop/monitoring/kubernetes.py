"""What the Prometheus operator and kustomize are told of a project: its rules as a resource, dashboards as config maps.

Formats: `PrometheusRule` of monitoring.coreos.com/v1 (the groups are those of a rule file), and a kustomization whose
config maps carry the label that the sidecar of Grafana's Helm chart looks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tuneloop.monitoring.rules import WatchValues, rule_groups, to_yaml

RULE = "prometheusrule.yaml"
KUSTOMIZATION = "kustomization.yaml"


def prometheus_rule(values: WatchValues) -> str:
    """The rules of one model as a resource."""
    return to_yaml(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": f"tuneloop-{values.model}", "labels": {"app.kubernetes.io/name": "tuneloop"}},
            "spec": rule_groups(values),
        }
    )


def kustomization(dashboards: Iterable[str], *, rules: bool) -> str:
    """A kustomization of the folder that dashboards are written into.

    Args:
        dashboards: Their paths in it, such as `dashboards/drift.json`.
        rules: Whether `RULE` is there too.
    """
    maps: list[dict[str, Any]] = [
        {"name": f"tuneloop-dashboard-{path.rpartition('/')[2].removesuffix('.json')}", "files": [path]}
        for path in sorted(dashboards)
    ]
    return to_yaml(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            **({"resources": [RULE]} if rules else {}),
            "generatorOptions": {"disableNameSuffixHash": True, "labels": {"grafana_dashboard": "1"}},
            "configMapGenerator": maps,
        }
    )
