"""Challenger against champion on the same rows: differences, how certain they are, slices, and repeated attempts."""
