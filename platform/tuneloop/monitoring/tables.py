"""The tables of the prediction store."""

from __future__ import annotations

import sqlalchemy as sa

schema = sa.MetaData()

predictions = sa.Table(
    "tuneloop_predictions",
    schema,
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("row", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("subject", sa.String(200), index=True),
    sa.Index("tuneloop_predictions_by_time", "model", "time"),
)

labels = sa.Table(
    "tuneloop_labels",
    schema,
    sa.Column("prediction_id", sa.String(100), primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("corrections", sa.Integer, nullable=False),
    sa.Column("joined", sa.Boolean, nullable=False),
)
sa.Index("tuneloop_labels_waiting", labels.c.joined, sqlite_where=~labels.c.joined, postgresql_where=~labels.c.joined)

shadows = sa.Table(
    "tuneloop_shadows",
    schema,
    sa.Column("prediction_id", sa.String(100), primary_key=True),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("joined", sa.Boolean, nullable=False),
    sa.Index("tuneloop_shadows_by_time", "time"),
)
"""What a challenger in the shadow answered to the row of a prediction."""
sa.Index(
    "tuneloop_shadows_waiting", shadows.c.joined, sqlite_where=~shadows.c.joined, postgresql_where=~shadows.c.joined
)
