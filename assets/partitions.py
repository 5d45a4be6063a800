"""The one partitioning there is: the day whose end a metric snapshot describes.

Belongs here: the partitions of `as_of`. Does not belong here: what a build does for a past
day (`rapport.build`). Streams are not partitioned: records change after the day they were
made, so they are read by cursor.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from rapport.config import Config

# Fixed, so that a partition never disappears; early enough for any import worth looking back on.
FIRST_DAY = date(2015, 1, 1)
HISTORY_BEFORE_FIXED_DAY = timedelta(days=5 * 365)


def as_of_days(config: Config) -> dg.DailyPartitionsDefinition:
    """Return one partition per day, up to the configured `as_of` or, for `now`, today (UTC).

    Dagster ends daily partitions with the last complete day; `end_offset` adds the days from
    there to the last one wanted. A fixed `as_of` may lie ahead: a sandbox's clock does.
    """
    if config.as_of is None:
        return dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=1)
    days_ahead = (config.as_of - datetime.now(UTC).date()).days
    return dg.DailyPartitionsDefinition(
        start_date=min(FIRST_DAY, config.as_of - HISTORY_BEFORE_FIXED_DAY).isoformat(),
        end_date=(config.as_of + timedelta(days=1)).isoformat(),
        end_offset=max(1, days_ahead + 1),
    )
