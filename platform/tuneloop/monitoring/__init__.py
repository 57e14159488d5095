"""Watching a served model: signals and their bins, metrics, late labels, alert rules and who evaluates them."""
