"""Whether two profiles are one person: names, phone numbers, what holds together, stable ids.

Belongs here: plain functions that the identity models of `dbt_project` call, free of dbt and
vendors. Does not belong here: which values meet (that is SQL) or what a profile holds.
"""
