"""Pairs of profiles that their attributes, all together, show to be one person's."""

from rapport.identity.attributes import likenesses


def model(dbt, session):
    dbt.config(materialized="table")
    return likenesses(dbt.ref("identity_attribute").to_arrow_table())
