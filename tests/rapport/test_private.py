"""Private facts: fields that hold them are refused before anything is fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from rapport import config as configuration
from rapport.custom import checked_strategy
from rapport.private import STEMS, guess_private

SPELLED = {
    "politics": ["Political_Party__c", "politics", "partyAffiliation", "P0l1tical View"],
    "religion": ["Religion__c", "RELIGIOUS_VIEWS", "r3ligion", "Réligion", "church-member"],
    "health": ["Health_Condition__c", "medicalHistory", "disability", "H E A L T H", "healt\uff48"],
    "children": ["Children__c", "number of kids", "Children's names", "child_age", "Daughter"],
    "sports_fandom": ["Favorite_Team__c", "favouriteClub", "sports_team", "Football Club"],
}
SPELLINGS = [(name, kind) for kind, names in SPELLED.items() for name in names]

SALESFORCE = """
sources:
  crm: {{type: salesforce, domain: x.my, client_id: a, client_secret: b,
        fields: {{Contact: [{field}]}}}}
"""
EXPORT = """
sources:
  shop:
    type: files
    streams:
      people: {{path: people.csv, key: [id], map: {{to: {to}, columns: {columns}}}}}
"""


def check(folder: Path, text: str) -> None:
    path = folder / "rapport.yml"
    path.write_text(text)
    checked_strategy(configuration.load(path))


@pytest.mark.parametrize(("name", "kind"), SPELLINGS)
def test_a_name_is_seen_through_however_it_is_spelled(name: str, kind: str) -> None:
    assert guess_private(name) == kind


@given(st.sampled_from(SPELLINGS), st.text("_- .\u00a0", max_size=3), st.booleans())
def test_what_stands_between_letters_hides_nothing(
    spelled: tuple[str, str], between: str, upper: bool
) -> None:
    name, kind = spelled
    hidden = between.join(name.upper() if upper else name)
    assert guess_private(hidden) == kind


@pytest.mark.parametrize(
    "name", ["Tier__c", "support_plan", "Renewal_Date__c", "Party_Size", "Team", "Parent_Account"]
)
def test_what_is_about_business_is_taken(name: str) -> None:
    assert guess_private(name) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            SALESFORCE.format(field="Religion__c"),
            "rapport.yml: crm.contacts takes `Religion__c`, which looks like a private fact "
            "(religion). Leave it out. If it is about something else, write "
            "`{name: Religion__c, private: none}`.",
        ),
        (SALESFORCE.format(field="{name: Code__c, private: health}"), "is a private fact (health)"),
        (EXPORT.format(to="person", columns="{name: n, custom: [Kids]}"), "(children)"),
        (EXPORT.format(to="interest", columns="{person: p, interest: politics}"), "(politics)"),
        (
            EXPORT.format(
                to="interest",
                columns="{person: p, interest: {first_of: [hobby, favorite_team]}}",
            ),
            "`favorite_team`",
        ),
        (
            EXPORT.format(to="organization", columns="{name: n, industry: church}"),
            "If it is about something else, write `{column: church, private: none}`.",
        ),
        (
            EXPORT.format(to="person", columns="{name: n, kind: {column: k, private: health}}"),
            "shop.people takes `k`, which is a private fact (health)",
        ),
    ],
)
def test_a_configured_private_fact_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        SALESFORCE.format(field="{name: Health_Score__c, private: none}"),
        EXPORT.format(to="person", columns="{name: n, custom: [{name: Church, private: none}]}"),
        EXPORT.format(to="interest", columns="{person: p, interest: hobby}"),
        EXPORT.format(
            to="organization", columns="{name: n, industry: {column: healthcare, private: none}}"
        ),
    ],
)
def test_who_says_that_it_is_none_has_the_last_word(tmp_path: Path, text: str) -> None:
    check(tmp_path, text)


@pytest.mark.parametrize(
    ("denied", "is_taken"), [("[politics, health]", True), ("[religion]", False)]
)
def test_the_strategy_says_which_classes_are_denied(
    tmp_path: Path, denied: str, is_taken: bool
) -> None:
    (tmp_path / "strategy.yml").write_text(
        "version: 1\nvision: {statement: s, archetype: community}\n"
        f"privacy: {{fetched_personal: deny, deny_classes: {denied}}}\n"
    )
    taken = SALESFORCE.format(field="Religion__c")
    if is_taken:
        check(tmp_path, taken)
    else:
        with pytest.raises(ConfigError):
            check(tmp_path, taken)


def test_what_a_stem_denies_is_spelled_as_names_are_read() -> None:
    """A stem with anything but small letters would never be found in a name."""
    for kind, stems in STEMS.items():
        for stem in stems:
            assert guess_private(stem) is not None, (kind, stem)
            assert stem.isascii()
            assert stem.isalpha()
            assert stem.islower()
