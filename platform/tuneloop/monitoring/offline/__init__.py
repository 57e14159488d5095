"""Drift between two sets of rows at rest: a test for each signal, one for all together, and what explains it."""
