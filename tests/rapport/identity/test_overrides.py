"""What people write in identity/*.csv: taken as it stands, or refused with its line."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from connectors.errors import ConfigError
from rapport.identity.overrides import (
    Flag,
    Overrides,
    fingerprint,
    load,
    pattern,
    refuse_crowds,
    side,
)
from rapport.identity.verdicts import Review

TODAY = date(2026, 11, 22)
LINKS = "action,left,right,reason,author,date,expires\n"
FLAGS = "id_type,value,flag,reason,author,date\n"
REVIEWS = "rule_id,left,right,verdict,reason,author,date\n"
ANN, BOB, EVE = "crm:contacts:1", "forum:users:2", "shop:orders:3"


def written(folder: Path, links: str = "", flags: str = "", reviews: str = "") -> Path:
    (folder / "identity").mkdir(exist_ok=True)
    for name, text in (("links", links), ("identifiers", flags), ("reviews", reviews)):
        if text:
            (folder / "identity" / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def linked(*lines: str) -> str:
    return LINKS + "".join(f"{line},they said so,dana,2026-06-30,\n" for line in lines)


def test_files_that_are_not_there_say_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, TODAY) == Overrides(links=[], flags=[], reviews=[])
    assert load(written(tmp_path, LINKS, FLAGS), TODAY) == Overrides(links=[], flags=[], reviews=[])


def test_lines_are_read_with_the_place_where_they_stand(tmp_path: Path) -> None:
    text = (
        "\ufeffreason,author,date,action,left,right\n"
        '"one, he\nsays",dana,2026-06-30,link,crm:contacts:1, email:a@b.c \n'
        "\n"
        "two mailboxes,dana,2026-06-30,unlink,email:a@b.c,phone:+14155550123\n"
    )
    first, second = load(written(tmp_path, text), TODAY).links
    assert (first.line, first.left, first.right) == (3, ANN, "email:a@b.c")
    assert (first.reason, first.expires) == ("one, he\nsays", None)
    assert (second.line, second.action) == (5, "unlink")
    assert [side(first.left), side(second.right)] == [("profile", ANN), ("phone", "+14155550123")]


def test_a_profile_may_be_named_by_an_address_that_no_table_holds(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"ann@example.org").hexdigest()
    links = linked("link,shop:orders:mailto: Ann@Example.org,crm:contacts:1")
    reviews = REVIEWS + f"any,{BOB},crm:cases:mailto:ann@example.org,no,two,dana,2026-06-30\n"
    told = load(written(tmp_path, links, reviews=reviews), TODAY)
    assert told.links[0].left == f"shop:orders:mailto:{digest}"
    assert told.reviews[0].left == f"crm:cases:mailto:{digest}"


def test_a_link_ends_after_its_last_day(tmp_path: Path) -> None:
    text = LINKS + f"link,{ANN},{BOB},for a while,dana,2026-06-30,2026-11-22\n"
    assert len(load(written(tmp_path, text), TODAY).links) == 1
    assert not load(tmp_path, date(2026, 11, 23)).links


def test_what_has_expired_contradicts_nothing(tmp_path: Path) -> None:
    text = linked(f"link,{ANN},{BOB}") + f"unlink,{ANN},{BOB},no,dana,2026-01-01,2026-02-01\n"
    assert load(written(tmp_path, text), TODAY).counts() == "1 link"


def test_a_flag_is_of_a_value_or_of_all_like_it(tmp_path: Path) -> None:
    flags = (
        "email,Help@Acme.com,trust,it is Ann's,dana,2026-06-30\n"
        "email,support@*,block,never a person,dana,2026-06-30\n"
    )
    one, other = load(written(tmp_path, flags=FLAGS + flags), TODAY).flags
    assert one == Flag(line=2, id_type="email", value="help@acme.com", flag="ok",
                       reason="it is Ann's")  # fmt: skip
    assert other.flag == "blocked"
    assert pattern(one.value) == ("help@acme.com", None, None)
    assert pattern(other.value) == (None, "support@", "")


WHY = "why,dana,2026-06-30"


@pytest.mark.parametrize(
    ("links", "message"),
    [
        (
            "left,rigth\n",
            "identity/links.csv:1: unknown column `rigth`. Did you mean `right`? Columns: action, "
            "left, right, reason, author, date, expires.",
        ),
        (
            "action,left,right,reason,date\n",
            "identity/links.csv:1: the column `author` is missing. Add it.",
        ),
        (
            f"{LINKS}\nlink,{ANN},{BOB},one, two,dana,2026-06-30,\n",
            "identity/links.csv:3: 8 cells under 7 columns. Put quotes around text that holds a "
            "comma.",
        ),
        (
            f"{LINKS}link,{ANN},{BOB}, ,dana,2026-06-30,\n",
            "identity/links.csv:2: `reason` is empty. Fill it in.",
        ),
        (
            f"{LINKS}links,{ANN},{BOB},{WHY},\n",
            "identity/links.csv:2: `action` is `links`. Did you mean `link`? Write one of: link, "
            "unlink.",
        ),
        (
            f"{LINKS}link,{ANN},ann@acme.com,{WHY},\n",
            "identity/links.csv:2: `right` is `ann@acme.com`; write a profile key like "
            "`crm:contacts:0035g00000AbCdEEAV` or an identifier like `email:ann@acme.com`.",
        ),
        (
            f"{LINKS}link,{ANN},{ANN},{WHY},\n",
            "identity/links.csv:2: `left` and `right` are the same. Remove the line.",
        ),
        (
            f"{LINKS}link,{ANN},{BOB},{WHY},soon\n",
            "identity/links.csv:2: `expires` is `soon`; write a day like `2026-06-30`.",
        ),
        (
            linked(f"link,{ANN},{BOB}", f"link,{EVE},email:a@b.c", f"unlink,{BOB},{ANN}"),
            f"identity/links.csv:4: it keeps `{BOB}` and `{ANN}` apart, which these lines make "
            "one: identity/links.csv:2. Remove one of them.",
        ),
        (
            linked(f"unlink,{ANN},{EVE}", f"link,{EVE},email:a@b.c", f"link,{ANN},email:a@b.c"),
            f"identity/links.csv:2: it keeps `{ANN}` and `{EVE}` apart, which these lines make "
            "one: identity/links.csv:3, identity/links.csv:4. Remove one of them.",
        ),
    ],
)
def test_what_is_wrong_with_a_link_is_said_with_its_line(
    tmp_path: Path, links: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, links), TODAY)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            f"handle,x,role,{WHY}\n",
            "identity/identifiers.csv:2: `id_type` is `handle`. Write one of: email, phone, "
            "external_id, domain.",
        ),
        (
            f"email,*@*,role,{WHY}\n",
            "identity/identifiers.csv:2: `value` is `*@*`; write a value, or one `*` beside at "
            "least 3 characters for all values like it.",
        ),
        (
            f"email,a@*,role,{WHY}\n",
            "identity/identifiers.csv:2: `value` is `a@*`; write a value, or one `*` beside at "
            "least 3 characters for all values like it.",
        ),
        (
            f"email,A@b.c,role,{WHY}\nemail,a@b.c,trust,{WHY}\n",
            "identity/identifiers.csv:3: `a@b.c` has another flag in line 2. Remove one of them.",
        ),
    ],
)
def test_what_is_wrong_with_a_flag_is_said_with_its_line(
    tmp_path: Path, flags: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, flags=FLAGS + flags), TODAY)
    assert str(caught.value) == message


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    written(tmp_path, LINKS)
    (tmp_path / "identity" / "links.csv").write_bytes("é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"identity/links.csv: it is not UTF-8 text\."):
        load(tmp_path, TODAY)


def test_an_identifier_of_a_crowd_links_nobody() -> None:
    refuse_crowds({("identity/links.csv:2", "left"): 12})
    with pytest.raises(ConfigError) as caught:
        refuse_crowds({("identity/links.csv:2", "left"): 13})
    assert str(caught.value) == (
        "identity/links.csv:2: `left` is an identifier of more than 12 profiles. "
        "Name the profiles instead."
    )


def test_a_changed_line_changes_the_fingerprint(tmp_path: Path) -> None:
    before = fingerprint(tmp_path)
    written(tmp_path, LINKS)
    assert before != (empty := fingerprint(tmp_path))
    written(tmp_path, linked(f"link,{ANN},{BOB}"))
    assert fingerprint(tmp_path) not in (before, empty)


def test_a_verdict_stands_for_a_pair_and_the_rules_it_was_drawn_for(tmp_path: Path) -> None:
    text = f"{REVIEWS}place_and_name rare_name,{BOB},{ANN},no,namesakes,dana,2026-06-30\n"
    [review] = load(written(tmp_path, reviews=text), TODAY).reviews
    assert review == Review(line=2, rules=("place_and_name", "rare_name"), left=ANN, right=BOB,
                            verdict="no", reason="namesakes")  # fmt: skip


@pytest.mark.parametrize(
    ("reviews", "message"),
    [
        (
            f"rare_name,{ANN},{BOB},maybe,{WHY}\n",
            "identity/reviews.csv:2: `verdict` is `maybe`. Write one of: yes, no, unsure.",
        ),
        (
            f"rare_name,{ANN},email:a@b.c,yes,{WHY}\n",
            "identity/reviews.csv:2: `right` is `email:a@b.c`; write a profile key like "
            "`crm:contacts:0035g00000AbCdEEAV`.",
        ),
        (
            f"rare_name,{ANN},{ANN},yes,{WHY}\n",
            "identity/reviews.csv:2: `left` and `right` are the same. Remove the line.",
        ),
        (
            f"rare_name,{ANN},{BOB},yes,why,dana,today\n",
            "identity/reviews.csv:2: `date` is `today`; write a day like `2026-06-30`.",
        ),
        (
            f"rare_name,{ANN},{BOB},yes,{WHY}\nrare_name,{BOB},{ANN},no,{WHY}\n",
            f"identity/reviews.csv:3: it keeps `{ANN}` and `{BOB}` apart, which these lines make "
            "one: identity/reviews.csv:2. Remove one of them.",
        ),
        (
            f"rare_name,{ANN},{EVE},no,{WHY}\n",
            f"identity/reviews.csv:2: it keeps `{ANN}` and `{EVE}` apart, which these lines make "
            "one: identity/links.csv:2, identity/links.csv:3. Remove one of them.",
        ),
    ],
)
def test_what_is_wrong_with_a_verdict_is_said_with_its_line(
    tmp_path: Path, reviews: str, message: str
) -> None:
    links = linked(f"link,{ANN},{BOB}", f"link,{EVE},{BOB}") if EVE in reviews else ""
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, links, reviews=REVIEWS + reviews), TODAY)
    assert str(caught.value) == message
