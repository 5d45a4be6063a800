"""The shortest way of links from every joined profile to the one that was there first."""

from rapport.identity.ways import LINKS, ways


def model(dbt, session):
    dbt.config(materialized="table")
    links = dbt.ref("identity_pair").filter("state = 'live'").project(", ".join(LINKS.names))
    ends = (
        dbt.ref("identity_component")
        .filter("n_profiles > 1 and profile_key = anchor_key")
        .project("profile_key")
    )
    return ways(links.to_arrow_table(), ends.to_arrow_table())
