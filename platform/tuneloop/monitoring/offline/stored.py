"""Recent rows of the prediction store, read and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import sqlalchemy as sa

from tuneloop.api import DataError, Row, ServingError
from tuneloop.monitoring.tables import predictions


def recent_rows(url: str, model: str, *, since: float | None = None, most: int = 5000) -> list[Row]:
    """The rows a model answered last, oldest first.

    Args:
        url: SQLAlchemy URL of the store.
        model: Whose rows.
        since: Only rows answered at or after this Unix second.
        most: Only so many, the newest.

    Raises:
        ServingError: The store cannot be read.
        DataError: It holds no such row.
    """
    try:
        place = sa.make_url(url)
        if place.drivername.startswith("sqlite") and not Path(place.database or "").is_file():
            raise ServingError(f"there is no prediction store {place.database!r}; it appears when a server answers")
        engine = sa.create_engine(place)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise ServingError(f"the prediction store cannot be opened: {error}. Check its URL.") from error
    query = sa.select(predictions.c.row).where(predictions.c.model == model)
    if since is not None:
        query = query.where(predictions.c.time >= since)
    query = query.order_by(predictions.c.time.desc(), predictions.c.id.desc()).limit(most)
    try:
        with engine.connect() as connection:
            found = [json.loads(text) for text in connection.scalars(query)]
    except sa.exc.SQLAlchemyError as error:
        shown = place.render_as_string(hide_password=True)
        raise ServingError(f"the prediction store {shown!r} cannot be read: {error}") from error
    finally:
        engine.dispose()
    if not found:
        raise DataError(f"the prediction store holds no row of model {model!r}" + (" in this time" if since else ""))
    return found[::-1]
