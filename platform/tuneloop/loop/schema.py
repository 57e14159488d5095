"""The loop's tables beside alerts and runs: what people decided, and the stages of each run. SQLAlchemy Core."""

from __future__ import annotations

import sqlalchemy as sa

schema = sa.MetaData()

approvals = sa.Table(
    "tuneloop_loop_approvals",
    schema,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("run", sa.String(100), primary_key=True),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("asked", sa.Double, nullable=False),
    sa.Column("decided", sa.Double),
    sa.Column("approved", sa.Boolean),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)
pauses = sa.Table(
    "tuneloop_loop_pauses",
    schema,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("since", sa.Double, primary_key=True),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("until", sa.Double),
    sa.Column("resumed_by", sa.String(200)),
)
stages = sa.Table(
    "tuneloop_loop_stages",
    schema,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("run", sa.String(100), primary_key=True),
    sa.Column("stage", sa.String(60), primary_key=True),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("figures", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
)
schedules = sa.Table(
    "tuneloop_loop_schedules",
    schema,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("expression", sa.String(200), nullable=False),
    sa.Column("timezone", sa.String(100), nullable=False),
    sa.Column("since", sa.Double, nullable=False),
)
