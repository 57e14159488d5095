"""Serving: one predictor, one engine, two doors. Knows artifacts, not projects."""
