from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tuneloop.api import DataError
from tuneloop.api.testing import DataSourceContract
from tuneloop.monitoring.store import PredictionStore
from tuneloop.monitoring.store_policy import CoveredStore, StorePolicy, cover
from tuneloop.monitoring.stored import Prediction
from tuneloop.sources import Feedback

NOW = time.time()


def asked(number: int, days: float = 0.0, model: str = "desk", **row: Any) -> Prediction:
    given = {"text": f"message {number}", **row}
    return Prediction(f"p{number}", model, "3", NOW - 86_400 * days, given, {"label": "it"})


def fill(url: str) -> None:
    store = PredictionStore(url)
    predictions = [asked(1, 3), asked(2, 2, urgent=True), asked(3, 1), asked(4), asked(5, model="other")]
    store.add_predictions(predictions)
    store.add_labels([("p1", "en"), ("p2", "it"), ("p3", "en"), ("p3", "fr"), ("p5", "en")])
    store.close()


class TestFeedback(DataSourceContract):
    plugin = Feedback
    options: ClassVar[Any] = {"model": "desk"}

    def files(self, root: Path) -> None:
        (root / ".tuneloop").mkdir()
        fill(f"sqlite:///{root}/.tuneloop/predictions.db")

    @pytest.fixture(autouse=True)
    def own_store(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("TUNELOOP_STORE_URL", raising=False)


@pytest.fixture
def load(database_url: str, tmp_path: Path) -> Callable[..., Any]:
    fill(database_url)

    def load(**options: Any) -> Any:
        return Feedback(Feedback.Options(model="desk", store=database_url, **options)).load(tmp_path)

    return load


def test_labelled_rows_with_their_last_label(load: Callable[..., Any]) -> None:
    rows = load().to_list()
    assert [(row["text"], row["label"], row["prediction_id"]) for row in rows] == [
        ("message 1", "en", "p1"),
        ("message 2", "it", "p2"),
        ("message 3", "fr", "p3"),
    ]
    assert [row["urgent"] for row in rows] == [None, True, None]
    assert [row["version"] for row in rows] == ["3"] * 3
    assert [row["asked"] for row in rows] == sorted(row["asked"] for row in rows)


def test_the_newest_of_them(load: Callable[..., Any]) -> None:
    assert load(days=2.5)["prediction_id"][:] == ["p2", "p3"]
    assert load(limit=1, label="language")["language"][:] == ["fr"]


def test_what_cannot_be_read_is_said(load: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no labelled row of model 'desk'"):
        load(days=0.5)
    with pytest.raises(DataError, match="an input named 'text', as a column of source 'feedback' is"):
        load(label="text")
    with pytest.raises(DataError, match="there is no prediction store; serve the model first"):
        Feedback(Feedback.Options(model="desk", store=f"sqlite:///{tmp_path}/absent.db")).load(tmp_path)
    assert not (tmp_path / "absent.db").exists()
    url = "postgresql+psycopg://me:geheim@127.0.0.1:1/x?connect_timeout=2"
    with pytest.raises(DataError, match=r"127\.0\.0\.1:1/x") as error:
        Feedback(Feedback.Options(model="desk", store=url)).load(tmp_path)
    assert "geheim" not in str(error.value)


def test_rows_without_their_inputs_are_not_learned_from(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    store = PredictionStore(url)
    covered = cover(StorePolicy(drop_columns=("text",)), b"")
    CoveredStore(store, covered).add_predictions([asked(1, urgent=True)])
    store.add_labels([("p1", "en")])
    store.close()
    with pytest.raises(DataError, match="1 have hashed or dropped inputs"):
        Feedback(Feedback.Options(model="desk", store=url)).load(tmp_path)
