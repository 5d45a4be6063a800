"""The shortest way of links from each profile to where the explanation of its person begins.

Belongs here: walking links that hold. Does not belong here: which links hold (`graph`), or telling
a way in words (`explain`).
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

LINKS = pa.schema(
    [
        ("left_key", pa.string()),
        ("right_key", pa.string()),
        ("rule_id", pa.string()),
        ("evidence", pa.string()),
        ("tier", pa.int64()),
        ("precision", pa.float64()),
    ]
)
"""One row per pair of profiles, rule and evidence that holds; unmeasured precision is null."""

WAYS = pa.schema(
    [
        ("profile_key", pa.string()),
        ("next_key", pa.string()),
        ("rule_id", pa.string()),
        ("evidence", pa.string()),
        ("steps", pa.int64()),
        ("confidence", pa.float64()),
    ]
)
"""One row per profile: the link that leads it nearer, and what its whole way is worth.

`confidence` is the product of the precisions along the way; null where one was never measured.
"""

# Of ways equally short the surest one, then the one by stronger rules.
_STEP = """
insert into ways
select profile_key, next_key, rule_id, evidence, steps, confidence
from (
    select
        links.there as profile_key,
        links.here as next_key,
        links.rule_id,
        links.evidence,
        ways.steps + 1 as steps,
        ways.confidence * links.precision as confidence,
        row_number() over (
            partition by links.there
            order by ways.confidence * links.precision desc nulls last, links.tier, links.here,
                links.rule_id, links.evidence
        ) as rank
    from ways
    inner join links on ways.profile_key = links.here
    anti join (from ways) as reached on links.there = reached.profile_key
    where ways.steps = ?
)
where rank = 1
"""


def ways(links: pa.Table, ends: pa.Table) -> pa.Table:
    """Return the shortest way of every profile that links join to an end, in the shape `WAYS`.

    Args:
        links: in the shape `LINKS`, in any order.
        ends: one column `profile_key`; of profiles that links join at most one.
    """
    with duckdb.connect() as connection:
        connection.register("given_links", links.cast(LINKS))
        connection.register("ends", ends)
        connection.execute(
            "create table links as "
            "select left_key as here, right_key as there, * exclude (left_key, right_key) "
            "from given_links union all "
            "select right_key, left_key, * exclude (left_key, right_key) from given_links"
        )
        connection.execute(
            "create table ways as select profile_key, null::varchar as next_key, "
            "null::varchar as rule_id, null::varchar as evidence, 0::bigint as steps, "
            "1::double as confidence from ends"
        )
        steps = 0
        while connection.execute(_STEP, [steps]).fetchall()[0][0]:
            steps += 1
        return connection.sql("from ways where steps > 0 order by profile_key").to_arrow_table()
