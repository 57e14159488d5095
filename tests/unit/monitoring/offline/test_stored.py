from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.api import DataError, ServingError
from tuneloop.monitoring.offline.stored import recent_rows
from tuneloop.monitoring.store import Prediction, PredictionStore


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'predictions.db'}"
    store = PredictionStore(url)
    store.add_predictions(
        [Prediction(f"p{i}", "desk" if i % 2 else "other", "1", 100.0 + i, {"n": i}, {"label": "a"}) for i in range(10)]
    )
    store.close()
    return url


def test_the_newest_rows_of_a_model_oldest_first(url: str) -> None:
    assert [row["n"] for row in recent_rows(url, "desk")] == [1, 3, 5, 7, 9]
    assert [row["n"] for row in recent_rows(url, "desk", most=2)] == [7, 9]
    assert [row["n"] for row in recent_rows(url, "desk", since=105.0)] == [5, 7, 9]


def test_what_is_not_there(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row of model 'nobody'"):
        recent_rows(url, "nobody")
    with pytest.raises(DataError, match="in this time"):
        recent_rows(url, "desk", since=1e9)
    absent = tmp_path / "absent.db"
    with pytest.raises(ServingError, match=r"there is no prediction store .*absent\.db"):
        recent_rows(f"sqlite:///{absent}", "desk")
    assert not absent.exists()
    with pytest.raises(ServingError, match="cannot be opened"):
        recent_rows("no url", "desk")
    (tmp_path / "empty.db").write_bytes(b"")
    with pytest.raises(ServingError, match="cannot be read"):
        recent_rows(f"sqlite:///{tmp_path / 'empty.db'}", "desk")
