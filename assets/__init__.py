"""Dagster: wiring only. The work is done in `connectors`, `rapport` and `dbt_project`."""
