"""What a strategy does in its first step, seen from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def first_step(tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Options of a strategy to the gradients of its first step; dropout 0, so that calls can be compared.

    Gives `gradients` by parameter name, `loss`, `rates` (of the optimizer, by parameter name), and `model`.
    """
    from tuneloop_torch import Full
    from tuneloop_torch.loop import Loop

    original, calls = Loop.training_step, [0]

    class Enough(BaseException):
        pass

    def run(strategy: Any = Full, model: Any = None, data: Any = None, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def step(self: Any, module: Any, *rest: Any) -> Any:
            found["loss"] = float(original(self, module, *rest))
            named = dict(module.named_parameters())
            found["gradients"] = {name: p.grad.clone() for name, p in named.items() if p.grad is not None}
            rates = {id(p): group["initial_lr"] for group in self.optimizer.param_groups for p in group["params"]}
            found["rates"] = {name: rates[id(p)] for name, p in named.items() if id(p) in rates}
            raise Enough

        found["model"] = tiny.model(dropout=0.0) if model is None else model
        chosen = strategy(strategy.Options(**{"batch_size": 16, "epochs": 1, **options}))
        calls[0] += 1
        with monkeypatch.context() as patch:
            patch.setattr(Loop, "training_step", step)
            with pytest.raises(Enough):
                chosen.fit(found["model"], data or tiny.data(), tmp_path / str(calls[0]), 0, lambda _: None)
        return found

    return run
