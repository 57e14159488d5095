"""Grafana's dashboards as code: what each shows (plain values), how it is built, and the files that provision it."""
