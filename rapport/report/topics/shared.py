"""Columns and words that several pages of questions share."""

from __future__ import annotations

from rapport.report.questions import Answer, Column

ORDERS = "map orders to `purchase` in rapport.yml"
OWNER = Column("Owner", "{owner_person_id:name}", kind="owner")
WHY = Column("Why", "{reason_1:sentence}", "{reason_2:sentence}", kind="text", absent="")
DO = Column("What to do", "{action:sentence}", kind="do", absent="")
ROLE = Column("Answers for it", "{owner:kind}", kind="role", absent="")


def unknown(answer: Answer, what: str) -> str:
    """Say that a page finds nothing, with what would light it where nothing is read."""
    return f"{what}: unknown{'' if answer.is_known else f', {answer.question.nothing}'}"
