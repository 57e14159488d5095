"""Pieces of PromQL and of rule files."""

from __future__ import annotations

from io import StringIO
from typing import Any

from tuneloop.monitoring.formula import CONFIDENCE_Z


def of_model(record: str, model: str) -> str:
    """A recorded series of this model alone: other projects record under the same names."""
    return f"{record}{{model={quote(model)}}}"


def quote(text: str) -> str:
    """Text as a PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def recording(name: str, expression: str, window: float) -> dict[str, Any]:
    """A recording rule about a window of so many seconds; its series say which in the label `window`."""
    return {"record": name, "expr": expression, "labels": {"window": duration(window)}}


def wilson_end(share: str, count: str, sign: str) -> str:
    """An end of the 95 % Wilson interval of a share among so many; `sign` is `-` or `+`."""
    z = f"{CONFIDENCE_Z:g}"
    return (
        f"({share} + {z}^2 / (2 * {count}) {sign} {z} * sqrt({share} * (1 - {share}) / {count}"
        f" + {z}^2 / (4 * {count}^2))) / (1 + {z}^2 / {count})"
    )


def duration(seconds: float) -> str:
    """Seconds as Prometheus writes them: `90s`, `1500ms`."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def to_yaml(value: Any) -> str:
    """Plain values as YAML, keys in their order."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 10_000
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()
