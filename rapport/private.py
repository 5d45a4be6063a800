"""Private facts: fields that name what is nobody's business (politics, religion, health ...).

Belongs here: what a field's name suggests, and the refusal to take it. Does not belong here:
what a field shows of who somebody is (`pii`), and which fields there are (`rapport.custom`).

A name is a guess: `Health_Score__c` is mostly about an account. Whoever configures the field says
what it is with `private`, and that counts.
"""

from __future__ import annotations

import re
import unicodedata

from connectors.errors import ConfigError

_LOOKALIKES = str.maketrans("0134578@$!", "oieastbasi")
_STEMS: dict[str, re.Pattern[str]] = {
    "politics": re.compile(r"politi|partyaffil|partymember|votesfor|votedfor|ideology"),
    "religion": re.compile(r"religi|faith|church|denomination|mosque|synagog|worship"),
    "health": re.compile(r"health|medical|illness|disease|diagnos|disabilit|allerg|pregnan"),
    "children": re.compile(r"children|childname|childage|kids|sonsname|daughter|offspring"),
    "sports_fandom": re.compile(
        r"sport|favou?rite(team|club)|(football|soccer|baseball|hockey)(team|club)|fanof|fandom"
    ),
}


def guess_private(name: str) -> str | None:
    """Return the class of private facts that a field's name suggests, however it is spelled."""
    plain = unicodedata.normalize("NFKD", name).casefold().translate(_LOOKALIKES)
    letters = re.sub(r"[^a-z]", "", plain)
    return next((kind for kind, stem in _STEMS.items() if stem.search(letters)), None)


def refuse_private(place: str, field: str, private: str | None, way_out: str = "") -> None:
    """Raise `ConfigError`, naming `place`, if a field holds a private fact.

    Args:
        private: what the configuration says the field is: a class, `none`, or None (not said).
        way_out: what to write where the name misleads.
    """
    kind = private or guess_private(field)
    if kind not in (None, "none"):
        sure = "is" if private else "looks like"
        raise ConfigError(
            f"{place} takes `{field}`, which {sure} a private fact ({kind}). Leave it out.{way_out}"
        )
