"""Runs: their records, what their steps left, and how one is started, resumed, shared and cleaned up."""
