"""Choosing a base model among candidates: what each reaches in a probe, and what it costs."""
