"""Benchmarks beside peers, run by hand: `make bench-serving` and others. Nothing here is collected as a test."""
