"""Data source `feedback`: production traffic whose labels came back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pydantic

from tuneloop.api import DataError, DataSource, MissingExtraError, ServingError

if TYPE_CHECKING:
    from datasets import Dataset

    from tuneloop.monitoring.stored import Labelled

ID, ASKED, VERSION = "prediction_id", "asked", "version"


class FeedbackOptions(pydantic.BaseModel):
    """Options of data source `feedback`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    model: str = pydantic.Field(min_length=1, description="The model that was asked: the `name` of its project.")
    store: str | None = pydantic.Field(
        None,
        min_length=1,
        description="The prediction store, a SQLAlchemy URL; by default `TUNELOOP_STORE_URL`, or the project's own.",
    )
    days: float | None = pydantic.Field(
        None, gt=0, description="Only predictions of so many days until now; by default all."
    )
    limit: int | None = pydantic.Field(None, ge=1, description="At most so many rows, the newest; by default all.")
    label: str = pydantic.Field("label", min_length=1, description="The column that gets the labels.")


class Feedback(DataSource):
    """Rows that a deployed model was asked about, with the last label of each.

    Beside the inputs and the label there are `prediction_id`, `asked` (seconds since 1970, for `data.split.time`) and
    `version`. Rows of which the store hashed or left out something are not among them.
    """

    name = "feedback"
    Options = FeedbackOptions

    options: FeedbackOptions

    def load(self, root: Path) -> Dataset:
        """All labelled rows, in order of the time they were asked.

        Raises:
            DataError: The store cannot be read, holds no usable row of the model, or an input has a column's name.
        """
        try:
            import sqlalchemy as sa
            from datasets import Dataset

            from tuneloop.monitoring.store import PredictionStore
            from tuneloop.monitoring.store_policy import hidden
        except ImportError as error:
            raise MissingExtraError(f"data source {self.name!r}", error.name or "datasets", "train") from error
        from tuneloop.serving.server import default_store_url

        url = self.options.store or default_store_url(root / ".tuneloop")
        where = sa.make_url(url).render_as_string(hide_password=True)
        if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
            raise DataError(f"data.store {where!r}: there is no prediction store; serve the model first")
        since = None if self.options.days is None else time.time() - self.options.days * 86_400
        try:
            store = PredictionStore(url)
            try:
                found = store.labelled_rows(self.options.model, since, self.options.limit)
            finally:
                store.close()
        except (sa.exc.SQLAlchemyError, ServingError) as error:
            raise DataError(f"data.store {where!r} cannot be read: {error}") from error
        usable = [pair for pair in found if not hidden(pair.prediction.row)]
        if not usable:
            kept_back = f" ({len(found)} have hashed or dropped inputs)" if found else ""
            raise DataError(
                f"data.store {where!r} holds no labelled row of model {self.options.model!r}{kept_back}; labels come "
                "back by POST /feedback"
            )
        return Dataset.from_dict(self._columns(usable))

    def _columns(self, pairs: list[Labelled]) -> dict[str, list[object]]:
        # Rows of an older version may lack a column that a newer one takes.
        names = dict.fromkeys(name for pair in pairs for name in pair.prediction.row)
        own = (self.options.label, ID, ASKED, VERSION)
        if taken := [name for name in own if name in names]:
            raise DataError(
                f"the model takes an input named {taken[0]!r}, as a column of source 'feedback' is; "
                "name the labels otherwise with `label`"
            )
        return {
            **{name: [pair.prediction.row.get(name) for pair in pairs] for name in names},
            self.options.label: [pair.label for pair in pairs],
            ID: [pair.prediction.id for pair in pairs],
            ASKED: [pair.prediction.time for pair in pairs],
            VERSION: [pair.prediction.version for pair in pairs],
        }
