"""Dagster assets: thin shells over the zones. Everything that decides or computes stands below this package."""
