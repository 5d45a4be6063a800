"""Every message that a user can meet is on the page, and nothing else is."""

from __future__ import annotations

import re

from connectors.base import Rejected
from tests.docs.fences import DOCS
from tests.docs.messages import messages

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^`` ?(?P<message>.+?) ?``\n:   (?P<advice>.+(?:\n    .+)*)", re.M)


def entries() -> dict[str, str]:
    """Return message -> what the page says about it."""
    found = [(entry["message"], entry["advice"]) for entry in ENTRY.finditer(PAGE)]
    assert len(dict(found)) == len(found), "a message stands twice"
    return dict(found)


def test_every_message_in_the_source_is_explained() -> None:
    known = entries()
    absent = [f"{one.place}: {one.text}" for one in messages() if one.text not in known]
    assert not absent, "add to docs/troubleshooting.md:\n" + "\n".join(absent)


def test_no_message_is_explained_that_is_never_said() -> None:
    said = {one.text for one in messages()}
    assert not [entry for entry in entries() if entry not in said]


def test_every_reason_for_quarantine_is_explained() -> None:
    reasons = set(re.findall(r"`(\w+)`", (Rejected.__doc__ or "").partition("detail:")[0]))
    table = PAGE[PAGE.index("## Quarantine") : PAGE.index("## Build")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == reasons | {"untyped"}


def test_every_message_is_said_in_some_test(heard: set[str]) -> None:
    unsaid = {one.text for one in messages() if not any(map(one.fits, heard))}
    assert unsaid == NOT_SAID.keys(), unsaid ^ NOT_SAID.keys()
