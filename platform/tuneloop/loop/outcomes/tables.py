"""The tables of the journal; they lie in the database of the prediction store."""

from __future__ import annotations

import sqlalchemy as sa

from tuneloop.monitoring.tables import labels

journal_schema = sa.MetaData()

outcomes = sa.Table(
    "tuneloop_outcomes",
    journal_schema,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("prediction_id", sa.String(100), nullable=False, unique=True),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("error", sa.Double),
    sa.Column("corrections", sa.Integer, nullable=False),
    sa.Index("tuneloop_outcomes_by_version", "model", "version", "seq"),
)
"""Each labelled answer once; `seq` is the order in which detectors read them. No error: the label did not fit."""

changes = sa.Table(
    "tuneloop_changes",
    journal_schema,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("version", sa.String(100), primary_key=True),
    sa.Column("detector", sa.String(200), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True),
    sa.Column("direction", sa.String(10), nullable=False),
    sa.Column("time", sa.Double, nullable=False),
)
"""What detectors said, and at which outcome."""

labels_by_time = sa.Index("tuneloop_labels_by_time", labels.c.time, labels.c.prediction_id)
"""The order in which labels came."""


def create_tables(connection: sa.Connection) -> None:
    """Create what is not there yet. On PostgreSQL a lock makes other loops wait."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7086512)"))
    journal_schema.create_all(connection)
    labels_by_time.create(connection, checkfirst=True)
