"""Private facts: fields that name what is nobody's business (politics, religion, health ...).

Belongs here: what a field's name suggests, and the refusal to take it. Does not belong here:
what a field shows of who somebody is (`pii`), and which fields there are (`rapport.custom`).

A name is a guess: `Health_Score__c` is mostly about an account. Whoever configures the field says
what it is with `private`, and that counts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from typing import get_args

from connectors.base import PrivateFact
from connectors.errors import ConfigError

CLASSES: tuple[PrivateFact, ...] = get_args(PrivateFact)
LOOKALIKES = ("0134578@$!", "oieastbasi")
"""Signs, and the letters that they are written for."""

STEMS: Mapping[str, Collection[str]] = {
    "politics": (
        *("politi", "partyaffil", "partymember", "votesfor", "votedfor", "ideology", "republican"),
        *("democrat", "socialis", "labourparty", "laborparty", "greenparty"),
    ),
    "religion": (
        *("religi", "faith", "church", "denomination", "mosque", "synagog", "worship", "catholic"),
        *("protestant", "lutheran", "muslim", "islam", "jewish", "judaism", "buddhis", "hindu"),
        "bible",
    ),
    "health": (
        *("health", "medical", "illness", "disease", "diagnos", "disabilit", "allerg", "pregnan"),
        *("diabet", "asthma", "cancer", "depression"),
    ),
    "children": (
        *("children", "childname", "childage", "kids", "sonsname", "daughter", "offspring"),
        *("toddler", "parenting"),
    ),
    "sports_fandom": (
        *("sport", "fanof", "fandom", "bundesliga", "premierleague", "superbowl"),
        *(f"{word}{of}" for word in ("favorite", "favourite") for of in ("team", "club")),
        *(
            f"{game}{of}"
            for game in ("football", "soccer", "baseball", "hockey")
            for of in ("team", "club")
        ),
    ),
}
"""Class -> what a name that suggests it contains, once everything but letters is dropped."""


def guess_private(name: str, classes: Collection[str] = CLASSES) -> str | None:
    """Return the class of private facts that a field's name suggests, however it is spelled."""
    plain = unicodedata.normalize("NFKD", name).casefold().translate(str.maketrans(*LOOKALIKES))
    letters = "".join(letter for letter in plain if "a" <= letter <= "z")
    return next(
        (kind for kind in classes if any(stem in letters for stem in STEMS[kind])),
        None,
    )


def refuse_private(
    place: str,
    field: str,
    private: str | None,
    classes: Collection[str] = CLASSES,
    way_out: str = "",
) -> None:
    """Raise `ConfigError`, naming `place`, if a field holds a private fact.

    Args:
        private: what the configuration says the field is: a class, `none`, or None (not said).
        classes: those that the strategy denies.
        way_out: what to write where the name misleads.
    """
    kind = private or guess_private(field, classes)
    if kind in classes:
        sure = "is" if private else "looks like"
        raise ConfigError(
            f"{place} takes `{field}`, which {sure} a private fact ({kind}). Leave it out.{way_out}"
        )
