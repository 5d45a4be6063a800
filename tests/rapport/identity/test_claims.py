"""What people write of claims, suppressions and pins: taken as it is, or refused by its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from connectors.base import VOLUNTEERED
from connectors.errors import ConfigError
from rapport import config
from rapport.identity import claims, overrides, pins, suppressions
from rapport.identity.suppressions import kept_off, kept_out

CLAIMS = (
    "profile_left,profile_right,basis,evidence,asserted_at,expires_at,revoked_at,author\n"
    "wall:@Ann.Example,crm:contacts:1,self_declared_form,sign-up form,2026-01-02,,,dana\n"
    "wall:profiles:did:plc:2,crm:contacts:2,verified_sign_in,portal,2026-01-02,2026-12-31,,dana\n"
)
SUPPRESSIONS = (
    "subject,scope,basis,date\n"
    "crm:contacts:1,link_social,she asked,2026-06-30\n"
    f"{'A' * 64},all,objection of June,2026-06-30\n"
)
PINS = (
    "subject,field,value,reason,author,date\n"
    "crm:contacts:1,given_name,Anne,she spells it so,dana,2026-06-30\n"
    "per_0123456789abcdef,title,Weaver,told us,dana,2026-06-30\n"
)
TEXTS = {claims.CLAIMS: CLAIMS, suppressions.SUPPRESSIONS: SUPPRESSIONS, pins.PINS: PINS}


def written(folder: Path, **texts: str) -> Path:
    (folder / "identity").mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / "identity" / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_each_file_is_read_and_changes_the_fingerprint(tmp_path: Path) -> None:
    fingerprints = {overrides.fingerprint(tmp_path)}
    for name, text in TEXTS.items():
        written(tmp_path, **{Path(name).stem: text})
        fingerprints.add(overrides.fingerprint(tmp_path))
    assert len(fingerprints) == 4
    told = overrides.load(tmp_path, date(2026, 11, 22))
    assert told.counts() == "2 claims, 2 suppressions, 2 pins"
    first, second = told.claims
    assert (first.handle, first.revoked_at) == (("wall", "ann.example"), None)
    assert (second.handle, second.expires_at) == (None, date(2026, 12, 31))
    assert [(line.profile_key, line.digest) for line in told.suppressions] == [
        ("crm:contacts:1", None),
        (None, "a" * 64),
    ]


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        (
            claims.CLAIMS,
            "ann,crm:contacts:1,self_declared_form,a form,2026-01-02,,,dana",
            "identity/claims.csv:4: `profile_left` is `ann`; write a profile key like "
            "`crm:contacts:0035g00000AbCdEEAV`.",
        ),
        (
            claims.CLAIMS,
            "wall:@ann,crm:contacts:1,probably,a form,2026-01-02,,,dana",
            "identity/claims.csv:4: `basis` is `probably`. Write one of: self_declared_form, "
            "verified_sign_in, ticket_supplied, verified_same_email, staff_asserted.",
        ),
        (
            claims.CLAIMS,
            "wall:@ann,crm:contacts:1,ticket_supplied,a form,2026-01-02,,soon,dana",
            "identity/claims.csv:4: `revoked_at` is `soon`; write a day like `2026-06-30`.",
        ),
        (
            suppressions.SUPPRESSIONS,
            "shop:orders:mailto:ann@acme.com,all,she asked,2026-06-30",
            "identity/suppressions.csv:4: `subject` is neither a profile key like "
            "`crm:contacts:0035g00000AbCdEEAV` nor the SHA-256 of an e-mail address in small "
            "letters, 64 hexadecimal digits. Write one of them: an address itself must not stand "
            "here.",
        ),
        (
            suppressions.SUPPRESSIONS,
            "crm:contacts:1,everything,she asked,2026-06-30",
            "identity/suppressions.csv:4: `scope` is `everything`. Write one of: link_social, "
            "profile, all.",
        ),
        (
            pins.PINS,
            "Ann Miller,title,Weaver,told us,dana,2026-06-30",
            "identity/pins.csv:4: `subject` is `Ann Miller`; write the id of the person, "
            "like `per_0123456789abcdef`, or a profile key like `crm:contacts:0035g00000AbCdEEAV`.",
        ),
        (
            pins.PINS,
            "per_0123456789abcdef,industry,Weaving,told us,dana,2026-06-30",
            "identity/pins.csv:4: `subject` is `per_0123456789abcdef`; write the id of the "
            "organization, like `org_0123456789abcdef`, or a profile key like "
            "`crm:contacts:0035g00000AbCdEEAV`.",
        ),
        (
            pins.PINS,
            "crm:contacts:1,given_name,Ann,no,dana,2026-07-30",
            "identity/pins.csv:4: `given_name` of `crm:contacts:1` has another value in line 2. "
            "Remove one of them.",
        ),
        (
            pins.PINS,
            "crm:contacts:1,shoe_size,41,told us,dana,2026-06-30",
            "identity/pins.csv:4: `field` is `shoe_size`. Write one of: display_name, given_name, "
            "family_name, primary_email, primary_phone, title, name, industry.",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, name: str, line: str, message: str
) -> None:
    written(tmp_path, **{Path(name).stem: TEXTS[name] + line + "\n"})
    with pytest.raises(ConfigError) as caught:
        overrides.load(tmp_path, date(2026, 11, 22))
    assert str(caught.value) == message


def test_a_source_says_on_which_basis_it_may_be_linked(tmp_path: Path) -> None:
    exports = {"type": "files", "streams": {}}
    sources = {
        "wall": {"type": "bluesky", "handle": "acme.com", "app_password": "x"},
        "forum": {"type": "discourse", "url": "https://f.example", "api_key": "x"},
        "posts": exports | {"silo": "social"},
        "desk": exports,
    }
    found = config.parse({"sources": sources}, tmp_path / "rapport.yml")
    policies = claims.policies(found.sources.values())
    assert {source for source, is_own, _ in policies if not is_own} == {"wall", "posts"}
    for source in ("wall", "posts"):
        assert tuple(basis for name, _, basis in policies if name == source) == VOLUNTEERED
    assert ("forum", True, "staff_asserted") in policies


def test_whoever_is_kept_out_or_off_is_so_by_a_line() -> None:
    lines = [("crm:c:1", "link_social", "s:2"), ("wall:p:9", "link_social", "s:3"),
             ("crm:c:4", "profile", "s:4")]  # fmt: skip
    pairs = [("crm:c:1", "forum:u:1"), ("forum:u:1", "wall:p:1"), ("crm:c:2", "wall:p:9"),
             ("crm:c:3", "wall:p:3")]  # fmt: skip
    assert kept_out(lines) == {"crm:c:4": "it joins nobody by s:4"}
    assert kept_off(lines, pairs, {"wall"}) == {
        ("crm:c:1", "wall:p:1"): "kept off other networks by s:2",
        ("crm:c:2", "wall:p:9"): "kept off other networks by s:3",
    }
    assert kept_off(lines[2:], pairs, {"wall"}) == {}
