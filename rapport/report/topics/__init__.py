"""The pages that are questions alone: one module per page, one declaration per question.

Belongs here: what is asked, of which table, in a leader's words, and what a page finds in one
sentence. Does not belong here: how a question is answered (`rapport.report.questions`), pages
that draw or list something of their own (`rapport.report.pages`).

Amounts of money are read by the page `money` alone.
"""

from __future__ import annotations

from rapport.report.topics import journeys, lifetime, money, qualities, silence, tiers, ties

STRATEGY_WAITS = "it waits for strategy.yml, which says what the relationships are for"
TOPICS = (
    ties.TOPIC, silence.TOPIC, lifetime.TOPIC, journeys.TOPIC, qualities.TOPIC, money.TOPIC,
)  # fmt: skip

__all__ = ["STRATEGY_WAITS", "TOPICS", "tiers"]
