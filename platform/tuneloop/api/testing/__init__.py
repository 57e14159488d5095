"""Contract tests for plugin authors: derive one class, set `plugin`, run pytest.

```python
from tuneloop.api.testing import MetricContract
from tuneloop_exact_share import ExactShare


class TestExactShare(MetricContract):
    plugin = ExactShare
```

Each contract's attributes and methods without `test_` are hooks: override those whose default does not fit, such as
`options` or `rows`. Nothing else of Tuneloop imports pytest, and `tuneloop.api` does not import this package.
"""

try:
    import hypothesis  # noqa: F401
    import pytest
except ImportError as missing:
    raise ImportError(
        f"tuneloop.api.testing needs the Python package {missing.name!r}, which is not installed. "
        "Install it with: pip install pytest hypothesis"
    ) from missing

_MODULES = (
    "base_model",
    "checks",
    "data_source",
    "detector",
    "exporter",
    "launcher",
    "metric",
    "observer",
    "plugin",
    "preprocessor",
    "signal",
    "strategy",
    "task",
    "transform",
)
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _MODULES))

from tuneloop.api.testing.base_model import BaseModelContract  # noqa: E402
from tuneloop.api.testing.data_source import DataSourceContract  # noqa: E402
from tuneloop.api.testing.detector import DetectorContract  # noqa: E402
from tuneloop.api.testing.exporter import ExporterContract  # noqa: E402
from tuneloop.api.testing.launcher import LauncherContract  # noqa: E402
from tuneloop.api.testing.metric import MetricContract  # noqa: E402
from tuneloop.api.testing.observer import ObserverContract  # noqa: E402
from tuneloop.api.testing.plugin import PluginContract  # noqa: E402
from tuneloop.api.testing.preprocessor import PreprocessorContract  # noqa: E402
from tuneloop.api.testing.signal import SignalContract  # noqa: E402
from tuneloop.api.testing.strategy import StrategyContract  # noqa: E402
from tuneloop.api.testing.task import TaskContract  # noqa: E402
from tuneloop.api.testing.transform import TransformContract  # noqa: E402

__all__ = [
    "BaseModelContract",
    "DataSourceContract",
    "DetectorContract",
    "ExporterContract",
    "LauncherContract",
    "MetricContract",
    "ObserverContract",
    "PluginContract",
    "PreprocessorContract",
    "SignalContract",
    "StrategyContract",
    "TaskContract",
    "TransformContract",
]
