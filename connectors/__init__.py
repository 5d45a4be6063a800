"""Connectors: from vendors' APIs to landing files, usable from a notebook.

Belongs here: the public names. Nothing in this package knows of Dagster or dbt.
"""
