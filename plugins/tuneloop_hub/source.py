"""Data source `hub`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from tuneloop.api import DataError, DataSource, MissingExtraError
from tuneloop_hub.about import say

if TYPE_CHECKING:
    from datasets import Dataset


class HubOptions(pydantic.BaseModel):
    """Options of data source `hub`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    dataset: str = pydantic.Field(
        min_length=1,
        description="Name on the hub, such as `mteb/banking77`, or a folder, `./data/desk`, laid out as there.",
    )
    subset: str | None = pydantic.Field(None, description="One of the data set's configurations.")
    part: str = pydantic.Field(
        "train", min_length=1, description="Which part; `train+test` joins two, `train[:1000]` takes the first rows."
    )
    revision: str | None = pydantic.Field(
        None, description="Commit of the data set: only with one are tomorrow's rows those of today."
    )


class Hub(DataSource):
    """A data set of the Hugging Face hub, read through `datasets`; no code of the data set is run.

    Columns of class numbers come as the names of the classes. What was read once is kept in the cache of `datasets`.
    The licence and address of the data set go into the model card.
    """

    name = "hub"
    Options = HubOptions

    def load(self, root: Path) -> Dataset:
        """All rows of the part.

        Raises:
            DataError: There is no such data set, subset or split, or the hub cannot be reached.
        """
        try:
            from datasets import ClassLabel, Dataset, load_dataset
            from datasets.exceptions import DatasetsError
        except ImportError as error:
            raise MissingExtraError("data source 'hub'", error.name or "datasets", "train") from error
        options, place = self.options, self.options.dataset
        if place.startswith((".", "/", "~")):
            folder = root / Path(place).expanduser()
            if not folder.is_dir():
                raise DataError(f"data.dataset {place!r}: there is no such folder (looked for {folder})")
            place = str(folder)
        try:
            rows = load_dataset(place, options.subset, split=options.part, revision=options.revision)
        except (DatasetsError, ValueError, OSError, RuntimeError) as error:
            raise DataError(f"{self._named()} cannot be read: {_first_line(error)}") from error
        assert isinstance(rows, Dataset)
        if not len(rows):
            raise DataError(f"{self._named()} has no rows")
        for name, feature in rows.features.items():
            if isinstance(feature, ClassLabel):
                rows = _named_classes(rows, name, feature)
        say(rows.info, place, options.revision)
        return rows

    def _named(self) -> str:
        subset = f", subset {self.options.subset!r}" if self.options.subset else ""
        return f"data set {self.options.dataset!r}{subset}, part {self.options.part!r}"


def _named_classes(rows: Dataset, column: str, feature: Any) -> Dataset:
    """The column with names in place of numbers; -1 and null, which mean that a label is unknown, become null."""
    from datasets import Value

    names = [None if number is None or number < 0 else feature.int2str(number) for number in rows[column]]
    order = rows.column_names
    changed = rows.remove_columns(column).add_column(column, names, feature=Value("string"))
    return changed.select_columns(order)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
