"""Two names: can they be one person's?"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.identity.names import (
    UNKNOWN,
    Nicknames,
    comparable,
    is_shown_as_another,
    levenshtein,
    name_key,
    read_name,
    verdict,
)

NICKNAMES = Nicknames(
    [("bob", "robert"), ("rob", "robert"), ("chris", "christine"), ("chris", "christopher")]
)


def compare(left: str, right: str) -> str:
    return verdict(read_name(None, None, left), read_name(None, None, right), NICKNAMES)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Maria Garcia", "Maria Garcia", "agree"),
        ("Maria Garcia", "maría GARCÍA", "agree"),
        ("Garcia, Maria", "Maria Garcia", "agree"),
        ("Garcia Maria", "Maria Garcia", "agree"),
        ("Bob Miller", "Robert Miller", "agree"),
        ("Bob Miller", "Rob Miller", "agree"),
        ("B. Miller", "Robert Miller", "agree"),
        ("R. Miller", "Robert Miller", "agree"),
        ("Dr. Robert J. Miller Jr.", "Robert Miller", "agree"),
        ("Jonathan Smiht-Jones", "Jonathon Smith Jones", "agree"),
        ("Jürgen Strauß", "Jurgen Strauss", "agree"),
        ("Иван Петров", "Иван Петров", "agree"),
        ("Sinéad O'Connor", "Sinead O’Connor", "agree"),
        ("Maria", "Maria Garcia", "unknown"),
        ("xX_dragon_99", "Maria Garcia", "unknown"),
        ("", "Maria Garcia", "unknown"),
        ("Maria Garcia", "Maria Huber", "unknown"),
        ("B. Miller", "R. Miller", "unknown"),
        ("Юлия Соколова", "Yulia Sokolova", "agree"),
        ("Νίκος Παπαδόπουλος", "Nikos Papadopoulos", "agree"),
        ("Łukasz Żak", "Lukasz Zak", "agree"),
        ("Jørgen Kjær", "Jorgen Kjaer", "agree"),
        ("Сергей Иванов", "Serge Ivanoff", "unknown"),
        ("陽子 田中", "Yoko Tanaka", "unknown"),
        ("\u202eevil\u202c Ann", "Maria Garcia", "unknown"),
        ("A\nB", "Maria Garcia", "unknown"),
        ("TEST Maria", "Maria Garcia", "unknown"),
        ("Robert'); DROP TABLE users;--", "Ann Lee", "unknown"),
        ("Christine Smith", "Christopher Smith", "disagree"),
        ("Anna Lee", "Eva Lee", "disagree"),
        ("J. Miller", "Robert Miller", "disagree"),
        ("J. Miller", "John Huber", "disagree"),
        ("Maria Garcia", "Robert Miller", "disagree"),
        ("Ann Lee", "Ann Leo", "unknown"),
    ],
)
def test_verdicts(left: str, right: str, expected: str) -> None:
    assert compare(left, right) == expected
    assert compare(right, left) == expected


def test_parts_count_before_the_whole_name() -> None:
    assert read_name("Ana María", "de la Cruz", "Somebody Else") == (
        ("ana", "maria"),
        ("de", "la", "cruz"),
    )
    assert read_name("Ana", None, "Ana Cruz") == (("ana",), ("cruz",))
    assert read_name(None, "Cruz-Diaz", "Cruz-Diaz") == UNKNOWN, "a family name alone"


def key(text: str) -> str | None:
    return name_key(read_name(None, None, text), NICKNAMES)


def test_spellings_of_a_full_name_share_a_key() -> None:
    spellings = ("Bob Sokolov", "SOKOLOV, Robert", "Robért Соколов")
    assert {key(text) for text in spellings} == {"robert sokolov"}
    assert key("Chris Sokolov") == "chris sokolov", "it may stand for two names"
    assert key("R. Sokolov") is None
    assert key("Robert") is None


def test_an_address_or_a_number_is_no_name() -> None:
    assert read_name(None, None, "ann@globex.com Lee") == UNKNOWN
    assert read_name(None, None, "Room 12") == UNKNOWN
    assert read_name(None, None, "Ann " * 1_000_000) == UNKNOWN
    assert read_name("Ann", "Lee" * 1_000_000, None) == UNKNOWN


@given(st.text(max_size=30), st.text(max_size=30))
def test_the_order_of_two_names_never_matters(left: str, right: str) -> None:
    assert compare(left, right) == compare(right, left)


@given(st.text(max_size=30))
def test_no_full_name_disagrees_with_itself(text: str) -> None:
    assert compare(text, text) == ("agree" if read_name(None, None, text).is_full else "unknown")


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.integers(0, 6))
def test_edits_are_counted_up_to_the_limit(left: str, right: str, limit: int) -> None:
    unlimited = levenshtein(left, right, 6)
    assert levenshtein(left, right, limit) == min(unlimited, limit + 1)
    assert levenshtein(right, left, 6) == unlimited
    assert (unlimited == 0) == (left == right)


@given(st.text(max_size=20))
def test_comparable_text_stays_as_it_is(text: str) -> None:
    once = comparable(text)
    assert comparable(once) == once


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("Bob 🧶", False),
        ("stone", False),
        ("R.", False),
        ("🧶", False),
        ("山本 陽子", False),
        ("Joseph", True),
        ("Yarn Wizard", True),
    ],
)
def test_an_account_that_shows_no_word_of_a_name_is_shown_as_another(
    shown: str, expected: bool
) -> None:
    nicknames = Nicknames([("bob", "robert")])
    assert is_shown_as_another(shown, read_name("Robert", "Stone", None), nicknames) == expected
    assert not is_shown_as_another(shown, read_name(None, None, "Robert"), nicknames)


SHIPPED = Path(__file__).parents[3] / "dbt_project" / "seeds" / "nickname.csv"
FAMILIAR = """
alexander alex, alexandra lexi, amanda mandy, andrew andy, andrew drew, angela angie, ann annie,
anna annie, anne annie, anna ann, anthony tony, barbara barb, benjamin ben, catherine cathy,
catherine kate, charles charlie, charles chuck, christina tina, christine chris, christopher
chris, cynthia cindy, daniel dan, danielle dani, david dave, deborah debbie, debra deb, dennis
denny, diane di, donald don, dorothy dot, douglas doug, edward ed, edward ted, elizabeth beth,
elizabeth betsy, elizabeth liz, emily em, evelyn evie, frances fran, francis frank, frank frankie,
gabriel gabe, gerald jerry, gregory greg, harold harry, helen nell, henry hank, isabella bella,
jacob jake, jacqueline jackie, james jim, james jimmy, janet jan, janice jan, jeffrey jeff,
jennifer jen, jennifer jenny, jessica jess, joan jo, john jack, john johnny, jonathan jon, joseph
joe, joshua josh, judith judy, katherine kate, kathleen kathy, kathryn katie, kenneth ken, kevin
kev, kimberly kim, lawrence larry, linda lindy, margaret peggy, margaret maggie, martha marty,
mary molly, matthew matt, melissa mel, michael mike, michelle shelly, nancy nan, nathan nate,
nicholas nick, nicole nicki, olivia liv, pamela pam, patricia patty, patricia trish, patrick pat,
rachel rae, raymond ray, rebecca becky, richard dick, richard rick, robert bob, robert rob, ronald
ron, samantha sam, samuel sam, sandra sandy, sarah sally, sharon shari, sophia sophie, stephanie
steph, stephen steve, steven steve, susan sue, teresa terri, theresa terry, thomas tom, timothy
tim, victoria vicky, virginia ginny, walter walt, william bill, zachary zach
"""
"""Of the hundred commonest given names those that have a familiar form, with the usual ones."""


def test_the_shipped_table_knows_the_commonest_familiar_forms() -> None:
    with SHIPPED.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))[1:]
    assert lines == sorted(lines)
    assert len(set(map(tuple, lines))) == len(lines)
    shipped = Nicknames((familiar, formal) for familiar, formal in lines)
    pairs = [pair.split() for pair in FAMILIAR.split(",")]
    assert [pair for pair in pairs if not shipped.fit(*pair)] == []
    assert shipped.fit("annie", "ann")
    # a form that they share makes no two names one
    for one, other in (("anna", "anne"), ("christine", "christopher"), ("harold", "henry")):
        assert not shipped.fit(one, other)
