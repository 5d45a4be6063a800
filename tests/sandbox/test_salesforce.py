"""The emulated Salesforce, asked by the vendor's usual Python client over real HTTP."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.salesforce import ApiError, Org, app
from sandbox.salesforce.schema import long_id, mint_id
from sandbox.salesforce.soql import run

NOW = datetime(2026, 11, 22, tzinfo=UTC)
EARLIER = NOW - timedelta(days=30)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


class ToEmulator(HTTPAdapter):
    """Leads `https://` calls of a client that insists on them to a plain server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.target = urlsplit(url)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        asked = urlsplit(request.url)
        request.headers["Host"] = asked.netloc
        request.url = urlunsplit((*self.target[:2], asked.path, asked.query, ""))
        return super().send(request, **kwargs)


@dataclass
class Tenant:
    """A running emulator and its parts."""

    org: Org
    clock: Clock
    faults: Faults
    url: str

    def client(self, **changed: str) -> Salesforce:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", ToEmulator(self.url))
        login = {
            "consumer_key": self.org.client_id,
            "consumer_secret": self.org.client_secret,
            "domain": self.org.domain,
        }
        return Salesforce(**(login | changed), version="62.0", session=session)

    def token(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.org.client_id,
            "client_secret": self.org.client_secret,
        }
        answer = requests.post(f"{self.url}/services/oauth2/token", data=form, timeout=5)
        return str(answer.json()["access_token"])

    def call(self, method: str, path: str, **how: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token()}"}
        url = f"{self.url}/services/data/v62.0/{path}"
        return requests.request(method, url, headers=headers, timeout=5, **how)

    def get(self, path: str, **headers: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token()}"} | headers
        return requests.get(f"{self.url}/services/data/v62.0/{path}", headers=headers, timeout=5)


@pytest.fixture
def tenant(on_stage: Callable[[Any], str]) -> Tenant:
    org, clock, faults = Org(), Clock(NOW), Faults()
    return Tenant(org, clock, faults, on_stage(app(org, clock, faults)))


def ask(org: Org, text: str, now: datetime = NOW, *, deleted: bool = False) -> list[dict[str, Any]]:
    found = run(org, text, now, include_deleted=deleted)
    return [found.project(row, "v62.0") for row in found.rows]


def names(org: Org, text: str, **how: Any) -> list[Any]:
    return [record["Name"] for record in ask(org, text, **how)]


def acme(org: Org, people: int = 0) -> tuple[str, list[str]]:
    account = org.insert("Account", {"Name": "Acme"}, EARLIER)
    contacts = [
        org.insert(
            "Contact",
            {"LastName": f"No {n:04d}", "AccountId": account, "Email": f"n{n}@acme.example"},
            EARLIER + n * SECOND,
        )
        for n in range(people)
    ]
    return account, contacts


# Ids


def test_a_15_character_id_gets_the_check_characters_of_the_vendor():
    assert long_id("001D000000IRFma") == "001D000000IRFmaIAH"
    assert long_id("001D000000IRFmaIAH") == "001D000000IRFmaIAH"


@given(st.integers(0, 62**9 - 1), st.integers(0, 62**9 - 1))
def test_ids_differ_without_regard_to_case_and_sort_as_minted(one: int, other: int):
    first, second = mint_id("003", one), mint_id("003", other)
    assert (first.lower() == second.lower()) == (one == other)
    assert (first < second) == (one < other)


def test_the_same_writes_give_the_same_ids():
    assert acme(Org(), 3) == acme(Org(), 3)


# Login


def test_the_client_logs_in_with_client_credentials_and_asks(tenant: Tenant):
    acme(tenant.org, 2)
    client = tenant.client()
    answer = client.query("SELECT Id, Name, Account.Name, Title FROM Contact ORDER BY Name")
    assert answer["totalSize"] == 2
    assert answer["done"] is True
    first = answer["records"][0]
    assert list(first) == ["attributes", "Id", "Name", "Account", "Title"]
    assert first["attributes"]["url"] == f"/services/data/v62.0/sobjects/Contact/{first['Id']}"
    assert first["Account"]["Name"] == "Acme"
    assert first["Title"] is None
    assert client.api_usage["api-usage"] == (1, 100_000)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"consumer_secret": "wrong"}, "invalid_client"),
        ({"consumer_key": "wrong"}, "invalid_client_id"),
    ],
)
def test_a_wrong_credential_is_refused_in_words(tenant: Tenant, changed: dict, error: str):
    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        tenant.client(**changed)
    assert refused.value.code == error


def test_a_token_answer_names_the_instance_and_no_expiry(tenant: Tenant):
    form = {"grant_type": "client_credentials"}
    answer = requests.post(
        f"{tenant.url}/services/oauth2/token",
        data=form,
        auth=(tenant.org.client_id, tenant.org.client_secret),
        timeout=5,
    ).json()
    assert answer["instance_url"] == tenant.url
    assert answer["token_type"] == "Bearer"
    assert "expires_in" not in answer
    assert "refresh_token" not in answer


def test_a_session_lives_from_its_last_use_and_the_client_logs_in_again(tenant: Tenant):
    client = tenant.client()
    token = client.session_id
    for _ in range(3):
        tenant.clock.advance(seconds=1.5 * 3600)
        client.limits()
    assert client.session_id == token
    tenant.clock.advance(seconds=2 * 3600)
    client.limits()
    assert client.session_id != token


def test_without_a_token_the_answer_is_the_vendors_401(tenant: Tenant):
    answer = requests.get(f"{tenant.url}/services/data/v62.0/limits", timeout=5)
    assert answer.status_code == 401
    assert answer.json() == [
        {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
    ]


@pytest.fixture(scope="session")
def key_pair() -> tuple[str, str]:
    """A private key and its public half, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def claims(tenant: Tenant) -> dict[str, Any]:
    return {
        "iss": tenant.org.client_id,
        "sub": tenant.org.get("User", tenant.org.user_id)["Username"],
        "aud": "https://login.salesforce.com",
        "exp": f"{tenant.clock.now().timestamp() + 180:.0f}",
    }


def signed_login(tenant: Tenant, assertion: str) -> dict[str, str]:
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    form = {"grant_type": grant, "assertion": assertion}
    answer = requests.post(f"{tenant.url}/services/oauth2/token", data=form, timeout=5)
    return dict(answer.json())


def test_the_client_logs_in_with_a_signed_assertion(tenant: Tenant, key_pair: tuple[str, str]):
    tenant.clock.advance(seconds=(datetime.now(UTC) - tenant.clock.now()).total_seconds())
    private, tenant.org.certificate = key_pair
    acme(tenant.org, 2)
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", ToEmulator(tenant.url))
    client = Salesforce(
        username=tenant.org.get("User", tenant.org.user_id)["Username"],
        consumer_key=tenant.org.client_id,
        privatekey=private,
        domain="login",
        version="62.0",
        session=session,
    )
    assert client.sf_instance == f"{tenant.org.domain}.salesforce.com"
    assert client.query("SELECT Id FROM Contact")["totalSize"] == 2


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"iss": "somebody"}, "invalid_client_id", "client identifier invalid"),
        ({"sub": "nobody@x.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"aud": "https://elsewhere.example"}, "invalid_grant", "audience is invalid"),
        ({"exp": "1"}, "invalid_grant", "expired authorization code"),
        ({"exp": "99999999999"}, "invalid_grant", "expired authorization code"),
    ],
)
def test_an_assertion_has_to_say_the_right_things(
    tenant: Tenant, key_pair: tuple[str, str], changed: dict, error: str, words: str
):
    private, tenant.org.certificate = key_pair
    assertion = jwt.encode(claims(tenant) | changed, private, algorithm="RS256")
    assert signed_login(tenant, assertion) == {"error": error, "error_description": words}


def test_an_assertion_signed_by_another_key_or_none_is_refused(
    tenant: Tenant, key_pair: tuple[str, str]
):
    private, tenant.org.certificate = key_pair
    right = jwt.encode(claims(tenant), private, algorithm="RS256")
    assert "access_token" in signed_login(tenant, right)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    wrong = jwt.encode(claims(tenant), other, algorithm="RS256")
    unsigned = jwt.encode(claims(tenant), "", algorithm="none")
    for assertion in (wrong, unsigned, right[:-4] + "AAAA", "nonsense"):
        assert signed_login(tenant, assertion)["error_description"] == "invalid assertion"
    tenant.org.certificate = None
    assert signed_login(tenant, right)["error_description"] == "invalid assertion"


# Pages


def test_pages_are_uneven_below_the_batch_size_and_lose_nothing(tenant: Tenant):
    _, contacts = acme(tenant.org, 2_500)
    client = tenant.client()
    headers = {"Sforce-Query-Options": "batchSize=500"}
    page = client.query("SELECT Id FROM Contact ORDER BY Id", headers=headers)
    sizes, seen = [], []
    while True:
        assert page["totalSize"] == 2_500
        sizes.append(len(page["records"]))
        seen += [record["Id"] for record in page["records"]]
        if page["done"]:
            break
        assert page["nextRecordsUrl"].startswith("/services/data/v62.0/query/0r8")
        page = client.query_more(page["nextRecordsUrl"], identifier_is_url=True, headers=headers)
    assert seen == contacts
    assert max(sizes) < 500
    assert len(set(sizes)) > 2


def test_a_page_can_be_asked_for_again_and_is_the_same(tenant: Tenant):
    acme(tenant.org, 700)
    client = tenant.client()
    first = client.query(
        "SELECT Id FROM Contact", headers={"Sforce-Query-Options": "batchSize=200"}
    )
    again = [client.query_more(first["nextRecordsUrl"], True) for _ in range(2)]
    assert again[0] == again[1]


def test_a_query_keeps_the_rows_it_found_while_records_change(tenant: Tenant):
    _, contacts = acme(tenant.org, 600)
    client = tenant.client()
    pages = client.query_all_iter(
        "SELECT Id FROM Contact ORDER BY Id", headers={"Sforce-Query-Options": "batchSize=200"}
    )
    seen = [next(pages)["Id"]]
    tenant.org.delete("Contact", contacts[-1], NOW)
    seen += [record["Id"] for record in pages]
    assert seen == contacts


def test_wide_rows_come_in_smaller_pages(tenant: Tenant):
    acme(tenant.org, 1_900)
    for n in range(80):
        tenant.org.add_custom_field("Contact", {"name": f"F{n}__c", "type": "string", "length": 9})
    client = tenant.client()
    every = ", ".join(tenant.org.readable_fields("Contact"))
    wide = client.query(f"SELECT {every} FROM Contact")
    assert len(wide["records"]) < 0.55 * 1_900


def test_an_expired_or_made_up_locator_is_refused(tenant: Tenant):
    acme(tenant.org, 2_100)
    client = tenant.client()
    following = client.query("SELECT Id FROM Contact")["nextRecordsUrl"]
    made_up = following.replace("0r8", "0r9")
    tenant.clock.advance(seconds=3_600)
    client.query_more(following, True)
    tenant.clock.advance(days=2)
    for locator in (following, made_up, following[:-1]):
        with pytest.raises(SalesforceMalformedRequest) as refused:
            client.query_more(locator, True)
        assert refused.value.content[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_a_locator_is_of_no_use_to_another_session(tenant: Tenant):
    acme(tenant.org, 2_100)
    following = tenant.client().query("SELECT Id FROM Contact")["nextRecordsUrl"]
    with pytest.raises(SalesforceMalformedRequest) as refused:
        tenant.client().query_more(following, True)
    assert refused.value.content[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_too_many_open_queries_close_the_one_unused_for_longest(tenant: Tenant):
    acme(tenant.org, 2_100)
    client = tenant.client()
    opened = [client.query("SELECT Id FROM Contact")["nextRecordsUrl"] for _ in range(10)]
    client.query_more(opened[0], True)
    client.query("SELECT Id FROM Contact")
    client.query_more(opened[0], True)
    with pytest.raises(SalesforceMalformedRequest):
        client.query_more(opened[1], True)


# SOQL


@pytest.fixture(scope="module")
def office() -> Org:
    """Three accounts, five contacts, an opportunity; read only."""
    org = Org()
    acme_id = org.insert(
        "Account", {"Name": "Acme", "BillingCity": "Oslo", "AnnualRevenue": 1000}, EARLIER
    )
    beta = org.insert("Account", {"Name": "beta", "ParentId": acme_id}, EARLIER + DAY)
    org.insert("Account", {"Name": "Gamma", "Description": "50% off_x"}, EARLIER + 2 * DAY)
    for n, (name, account) in enumerate(
        [("Ada", acme_id), ("Ben", beta), ("Cleo", beta), ("Dan", None), ("eve", None)]
    ):
        org.insert(
            "Contact",
            {
                "LastName": name,
                "AccountId": account,
                "Title": "CEO" if n == 0 else None,
                "DoNotCall": n == 1,
                "Birthdate": date(1980 + n, 1, 1),
            },
            EARLIER + n * DAY,
        )
    org.insert(
        "Opportunity",
        {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-02-03", "Amount": 12.5},
        EARLIER,
    )
    return org


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Name = 'ADA'", ["Ada"]),
        ("Name != 'ada' AND Account.Name != 'acme'", ["Ben", "Cleo", "Dan", "eve"]),
        ("Title = null", ["Ben", "Cleo", "Dan", "eve"]),
        ("Title != 'CEO'", ["Ben", "Cleo", "Dan", "eve"]),
        ("NOT Title = 'CEO'", ["Ben", "Cleo", "Dan", "eve"]),
        ("NOT (Name = 'Ada' OR Name = 'Ben')", ["Cleo", "Dan", "eve"]),
        ("Name IN ('ada', 'EVE')", ["Ada", "eve"]),
        ("Title NOT IN ('CEO')", ["Ben", "Cleo", "Dan", "eve"]),
        ("Name LIKE '%e%'", ["Ben", "Cleo", "eve"]),
        ("Name LIKE 'a_a'", ["Ada"]),
        ("DoNotCall = TRUE", ["Ben"]),
        ("Birthdate > 1982-06-01 AND Birthdate <= 1984-01-01", ["Dan", "eve"]),
        ("Account.Parent.Name = 'Acme'", ["Ben", "Cleo"]),
        ("AccountId IN (SELECT Id FROM Account WHERE Name = 'acme')", ["Ada"]),
        ("CreatedDate = LAST_N_DAYS:27", ["Dan", "eve"]),
        ("CreatedDate < THIS_MONTH", ["Ada", "Ben", "Cleo", "Dan", "eve"]),
        ("SystemModstamp >= 2026-10-24T01:00:00+01:00 AND SystemModstamp < 2026-10-26T00:00:00Z",
         ["Ben", "Cleo"]),
        ("SystemModstamp > 2026-10-24T00:00:00.500Z", ["Cleo", "Dan", "eve"]),
        ("Contact.Name = 'Ada'", ["Ada"]),
    ],
)  # fmt: skip
def test_where_finds_what_the_vendor_would(office: Org, where: str, expected: list[str]):
    assert names(office, f"SELECT Name FROM Contact WHERE {where} ORDER BY Name") == expected


def test_order_puts_null_first_unless_told_and_ignores_case(office: Org):
    query = "SELECT Name FROM Contact ORDER BY Account.Name {}, Name DESC"
    assert names(office, query.format("")) == ["eve", "Dan", "Ada", "Cleo", "Ben"]
    assert names(office, query.format("DESC")) == ["eve", "Dan", "Cleo", "Ben", "Ada"]
    assert names(office, query.format("NULLS LAST"))[-2:] == ["eve", "Dan"]
    assert names(office, query.format("") + " LIMIT 2 OFFSET 2") == ["Ada", "Cleo"]


def test_aggregates_count_and_group(office: Org):
    assert run(office, "SELECT COUNT() FROM Contact", NOW).total == 5
    assert run(office, "SELECT COUNT() FROM Contact", NOW).rows == ()
    counted = ask(office, "SELECT COUNT(Title), MAX(SystemModstamp) newest FROM Contact")
    assert counted == [
        {
            "attributes": {"type": "AggregateResult"},
            "expr0": 1,
            "newest": "2026-10-27T00:00:00.000+0000",
        }
    ]
    grouped = ask(office, "SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name")
    assert {row["Name"]: row["n"] for row in grouped} == {"Acme": 1, "beta": 2, None: 2}
    ordered = "SELECT Account.Name FROM Contact GROUP BY Account.Name ORDER BY Account.Name DESC"
    assert names(office, ordered) == [None, "beta", "Acme"]


def test_children_nest_and_no_child_is_null(office: Org):
    records = ask(office, "SELECT Name, (SELECT LastName FROM Contacts) FROM Account ORDER BY Name")
    assert records[1]["Contacts"]["totalSize"] == 2
    assert records[1]["Contacts"]["done"] is True
    assert [c["LastName"] for c in records[1]["Contacts"]["records"]] == ["Ben", "Cleo"]
    assert records[2]["Contacts"] is None


def test_a_compound_address_is_an_object_or_null(office: Org):
    records = ask(office, "SELECT BillingAddress, BillingCity FROM Account ORDER BY Name")
    assert records[0]["BillingAddress"]["city"] == records[0]["BillingCity"] == "Oslo"
    assert records[0]["BillingAddress"]["street"] is None
    assert records[1]["BillingAddress"] is None


def test_amounts_are_json_numbers_and_stages_decide(office: Org):
    deal = ask(office, "SELECT Amount, IsWon, IsClosed, Probability, FiscalYear FROM Opportunity")
    assert deal[0] | {"attributes": None} == {
        "attributes": None,
        "Amount": 12.5,
        "IsWon": True,
        "IsClosed": True,
        "Probability": 100.0,
        "FiscalYear": 2026,
    }


@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ("SELECT Id, Nme FROM Contact", "INVALID_FIELD", "No such column 'Nme' on entity"),
        ("SELECT Acct.Name FROM Contact", "INVALID_FIELD", "Didn't understand relationship 'Acct'"),
        ("SELECT Id FROM Contakt", "INVALID_TYPE", "sObject type 'Contakt' is not supported"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id, FROM Contact", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
        ("SELECT Id FROM Contact WHERE Name = 'a' AND Name = 'b' OR Name = 'c'",
         "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ("SELECT Id FROM Contact WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD",
         "must be of type dateTime and should not be enclosed in quotes"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2026-01-01", "INVALID_FIELD",
         "value of filter criterion for field 'CreatedDate' must be of type dateTime"),
        ("SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-01T00:00:00 00:00",
         "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2026-13-01T00:00:00Z",
         "MALFORMED_QUERY", "Invalid date"),
        ("SELECT Id FROM Contact WHERE AccountId IN (SELECT Name FROM Account)",
         "MALFORMED_QUERY", "must be an ID or reference"),
        ("SELECT Id FROM Contact WHERE Name = 5", "INVALID_FIELD", "should be enclosed in quotes"),
        ("SELECT Id FROM Contact WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR",
         "invalid ID field: x"),
        ("SELECT Id FROM Contact WHERE Id LIKE '003%'", "INVALID_QUERY_FILTER_OPERATOR",
         "invalid operator on id field"),
        ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD",
         "field 'Description' can not be filtered in a query call"),
        ("SELECT Id FROM Contact ORDER BY Description", "MALFORMED_QUERY",
         "field 'Description' can not be sorted in a query call"),
        ("SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT FIELDS(CUSTOM) FROM Contact LIMIT 201", "MALFORMED_QUERY", "at most 200"),
        ("SELECT Id FROM Contact OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("SELECT Id, Name, Id FROM Contact", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Name, COUNT(Id) FROM Contact", "MALFORMED_QUERY", "must be grouped or aggregated"),
        ("SELECT Id FROM Contact HAVING COUNT(Id) > 1", "MALFORMED_QUERY", "unexpected token"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_refused_in_the_vendors_words(
    office: Org, query: str, code: str, says: str
):
    with pytest.raises(ApiError) as refused:
        run(office, query, NOW)
    assert refused.value.status == 400
    assert refused.value.code == code
    assert says in refused.value.message


def test_an_error_reaches_the_client_as_a_list_with_a_code(tenant: Tenant):
    with pytest.raises(SalesforceMalformedRequest) as refused:
        tenant.client().query("SELECT Id, Nme FROM Contact")
    assert [set(entry) for entry in refused.value.content] == [{"message", "errorCode"}]
    assert "ERROR at Row:1:Column:12" in refused.value.content[0]["message"]


def test_fields_all_brings_every_field_with_a_limit(office: Org):
    record = ask(office, "SELECT FIELDS(ALL) FROM Contact LIMIT 200")[0]
    assert set(record) == {"attributes", *office.readable_fields("Contact")}


_PARTS = (
    "SELECT FROM WHERE AND OR NOT IN LIKE ORDER BY GROUP LIMIT OFFSET DESC NULLS LAST ( ) , = != "
    ">= Id Name Title Account.Name Account.Owner.Name SystemModstamp Birthdate DoNotCall Contact "
    "Account Contacts COUNT() COUNT(Id) MAX(Title) FIELDS(ALL) 'x' '%' 5 -1.5 null TRUE TODAY "
    "LAST_N_DAYS:99999999999 2026-13-45 2026-01-01T00:00:00Z ' \\ ; é"
).split()


@given(st.sampled_from(["", "SELECT Id FROM Contact WHERE", "SELECT Name,"]),
       st.lists(st.sampled_from(_PARTS), max_size=12))  # fmt: skip
def test_any_text_is_answered_or_refused(office: Org, start: str, parts: list[str]):
    try:
        records = ask(office, " ".join([start, *parts]))
    except ApiError as refusal:
        assert 400 <= refusal.status < 500
    else:
        assert all("attributes" in record for record in records)


@given(
    stamps=st.lists(st.integers(0, 30), max_size=40),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_half_open_windows_of_the_stamp_show_each_record_once(stamps: list[int], cuts: list[int]):
    org = Org()
    made = [org.insert("Account", {"Name": "A"}, EARLIER + n * SECOND) for n in stamps]
    edges = [EARLIER - DAY, *(EARLIER + cut * SECOND for cut in sorted(cuts)), NOW]
    seen = []
    for low, high in itertools.pairwise(edges):
        bounds = [f"{edge:%Y-%m-%dT%H:%M:%SZ}" for edge in (low, high)]
        where = f"SystemModstamp >= {bounds[0]} AND SystemModstamp < {bounds[1]}"
        records = ask(
            org, f"SELECT Id, SystemModstamp FROM Account WHERE {where} ORDER BY SystemModstamp, Id"
        )
        assert records == sorted(records, key=lambda r: (r["SystemModstamp"], r["Id"]))
        seen += [record["Id"] for record in records]
    assert sorted(seen) == sorted(made)


# Describe and field-level security


def test_describe_shows_custom_fields_picklists_and_compounds(tenant: Tenant):
    tenant.org.add_custom_field(
        "Account", {"name": "Tier__c", "type": "picklist", "picklistValues": ["Gold", "Silver"]}
    )
    described = tenant.client().Account.describe()
    fields = {field["name"]: field for field in described["fields"]}
    assert fields["Tier__c"]["custom"] is True
    assert [v["value"] for v in fields["Tier__c"]["picklistValues"]] == ["Gold", "Silver"]
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields["BillingAddress"]["filterable"] is False
    assert fields["SystemModstamp"]["type"] == "datetime"
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    assert described["keyPrefix"] == "001"
    relations = {c["relationshipName"]: c for c in described["childRelationships"]}
    assert relations["Contacts"]["cascadeDelete"] is True
    assert relations["Cases"]["restrictedDelete"] is True


def test_describe_answers_304_until_a_field_is_added(tenant: Tenant):
    first = tenant.get("sobjects/Account/describe")
    stamp = first.headers["Last-Modified"]
    assert (
        tenant.get("sobjects/Account/describe", **{"If-Modified-Since": stamp}).status_code == 304
    )
    tenant.org.add_custom_field("Account", {"name": "X__c", "type": "double", "scale": 2}, at=NOW)
    assert (
        tenant.get("sobjects/Account/describe/", **{"If-Modified-Since": stamp}).status_code == 200
    )


def test_a_hidden_field_is_missing_from_describe_and_refused_in_queries(tenant: Tenant):
    tenant.org.hidden_fields["Contact"] = {"Email"}
    client = tenant.client()
    assert "Email" not in {field["name"] for field in client.Contact.describe()["fields"]}
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.query("SELECT Email FROM Contact")
    assert refused.value.content[0]["errorCode"] == "INVALID_FIELD"


def test_a_field_added_later_is_null_in_records_that_were_there():
    org = Org()
    org.late_visible_s = 60
    acme(org, 2)
    org.insert("Contact", {"LastName": "Late"}, NOW)
    assert len(ask(org, "SELECT Id FROM Contact")) == 2
    org.add_custom_field("Contact", {"name": "Tier__c", "type": "string", "length": 9})
    org.add_custom_field("Contact", {"name": "Vip__c", "type": "boolean"})
    for now in (NOW, NOW + HOUR):
        for record in ask(org, "SELECT Tier__c, Vip__c FROM Contact", now):
            assert (record["Tier__c"], record["Vip__c"]) == (None, False)


def test_a_custom_object_can_be_declared_written_and_asked(tenant: Tenant):
    tenant.org.add_custom_object("Survey__c", prefix="a00")
    tenant.org.add_custom_field(
        "Survey__c",
        {
            "name": "Contact__c",
            "type": "reference",
            "referenceTo": ["Contact"],
            "childRelationshipName": "Surveys__r",
        },
    )
    _, (contact,) = acme(tenant.org, 1)
    client = tenant.client()
    made = client.Survey__c.create({"Name": "NPS", "Contact__c": contact})
    assert made["success"] is True
    assert made["id"].startswith("a00")
    found = client.query("SELECT Contact__r.Name FROM Survey__c")["records"][0]
    assert found["Contact__r"]["Name"] == "No 0000"
    children = client.query("SELECT (SELECT Name FROM Surveys__r) FROM Contact")["records"][0]
    assert children["Surveys__r"]["totalSize"] == 1
    assert "Survey__c" in {o["name"] for o in client.describe()["sobjects"]}


# Deletes, merges, conversion


def test_a_deleted_record_shows_in_query_all_for_15_days(tenant: Tenant):
    _, (contact,) = acme(tenant.org, 1)
    client = tenant.client()
    tenant.org.delete("Contact", contact, NOW)
    query = "SELECT Id, IsDeleted, SystemModstamp FROM Contact"
    assert client.query(query)["totalSize"] == 0
    (shown,) = client.query_all(query, include_deleted=True)["records"]
    assert shown["IsDeleted"] is True
    assert shown["SystemModstamp"] == "2026-11-22T00:00:00.000+0000"
    tenant.clock.advance(days=14.9)
    assert client.query_all(query, include_deleted=True)["totalSize"] == 1
    tenant.clock.advance(days=0.1)
    assert client.query_all(query, include_deleted=True)["totalSize"] == 0


def test_deleting_an_account_takes_its_people_along_and_undelete_brings_them_back():
    org = Org()
    account, (gone_before, *others) = acme(org, 3)
    task = org.insert("Task", {"WhoId": others[0], "Subject": "Call"}, EARLIER)
    org.delete("Contact", gone_before, EARLIER + DAY)
    org.delete("Account", account, NOW)
    assert ask(org, "SELECT Id FROM Contact") == ask(org, "SELECT Id FROM Task") == []
    org.undelete("Account", account, NOW + HOUR)
    assert [r["Id"] for r in ask(org, "SELECT Id FROM Contact", NOW + HOUR)] == others
    assert [r["Id"] for r in ask(org, "SELECT Id FROM Task", NOW + HOUR)] == [task]


def test_what_has_cases_and_who_is_a_user_cannot_be_deleted():
    org = Org()
    account, (contact,) = acme(org, 1)
    org.insert("Case", {"ContactId": contact, "Subject": "Broken"}, EARLIER)
    for sobject, id in (("Account", account), ("Contact", contact), ("User", org.user_id)):
        with pytest.raises(ApiError, match="DELETE_FAILED"):
            org.delete(sobject, id, NOW)


def test_a_hard_delete_leaves_nothing_but_the_delete_log(tenant: Tenant):
    _, (contact,) = acme(tenant.org, 1)
    tenant.org.purge("Contact", contact, NOW - HOUR)
    client = tenant.client()
    assert client.query_all("SELECT Id FROM Contact", include_deleted=True)["totalSize"] == 0
    log = client.Contact.deleted(NOW - DAY, NOW)
    assert [entry["id"] for entry in log["deletedRecords"]] == [contact]
    assert log["latestDateCovered"] == "2026-11-22T00:00:00.000+0000"
    tenant.clock.advance(days=16)
    log = client.Contact.deleted(NOW + 2 * DAY, NOW + 16 * DAY)
    assert log["deletedRecords"] == []


def test_a_delete_log_that_was_cut_tells_since_when_it_is_whole(tenant: Tenant):
    _, ids = acme(tenant.org, 2)
    for id, at in zip(ids, (NOW - 2 * DAY, NOW - HOUR), strict=True):
        tenant.org.delete("Contact", id, at)
    client = tenant.client()
    log = client.Contact.deleted(NOW - 3 * DAY, NOW)
    assert len(log["deletedRecords"]) == 2
    assert log["earliestDateAvailable"] == "2026-11-07T00:00:00.000+0000"
    tenant.org.cut_delete_log("Contact", NOW - DAY)
    log = client.Contact.deleted(NOW - 3 * DAY, NOW)
    assert [entry["id"] for entry in log["deletedRecords"]] == ids[1:]
    assert log["earliestDateAvailable"] == "2026-11-21T00:00:00.000+0000"
    tenant.org.replicated_ids = 0
    with pytest.raises(SalesforceMalformedRequest, match="EXCEEDED_ID_LIMIT"):
        client.Contact.deleted(NOW - 3 * DAY, NOW)
    tenant.org.not_replicated = {"Contact"}
    assert client.Contact.describe()["replicateable"] is False
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_TYPE"):
        client.Contact.deleted(NOW - 3 * DAY, NOW)


def test_updated_lists_ids_and_refuses_what_is_too_old_or_too_short(tenant: Tenant):
    _, contacts = acme(tenant.org, 3)
    tenant.org.update("Contact", contacts[1], {"Title": "CEO"}, NOW - HOUR)
    client = tenant.client()
    assert client.Contact.updated(NOW - DAY, NOW)["ids"] == [contacts[1]]
    for start in (NOW - 31 * DAY, NOW):
        with pytest.raises(SalesforceMalformedRequest) as refused:
            client.Contact.updated(start, NOW)
        assert refused.value.content[0]["errorCode"] == "INVALID_REPLICATION_DATE"


def test_a_merge_names_the_winner_and_moves_children_silently():
    org = Org()
    winner, _ = acme(org)
    loser, (contact,) = acme(org, 1)
    org.merge("Account", winner, [loser], NOW, fields={"Phone": "1"})
    assert ask(org, "SELECT Id FROM Account")[0]["Id"] == winner
    lost = ask(
        org, f"SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '{loser}'", deleted=True
    )[0]
    assert (lost["IsDeleted"], lost["MasterRecordId"]) == (True, winner)
    child = org.get("Contact", contact)
    assert child["AccountId"] == winner
    assert child["SystemModstamp"] == child["CreatedDate"]
    assert org.get("Account", winner)["SystemModstamp"] == "2026-11-22T00:00:00.000+0000"
    assert org.get("Account", winner)["Phone"] == "1"


def test_a_merge_moves_children_stamps_when_told_and_takes_two_losers_at_most():
    org = Org()
    org.merge_moves_children = True
    winner, _ = acme(org)
    loser, (contact,) = acme(org, 1)
    others = [acme(org)[0] for _ in range(2)]
    with pytest.raises(ApiError):
        org.merge("Account", winner, [loser, *others], NOW)
    org.merge("Account", winner, [loser, others[0]], NOW)
    assert org.get("Contact", contact)["SystemModstamp"] == "2026-11-22T00:00:00.000+0000"


def test_a_converted_lead_stays_read_only_and_points_to_what_came_of_it():
    org = Org()
    lead = org.insert(
        "Lead", {"FirstName": "Ada", "LastName": "Byron", "Company": "Engines", "City": "London"},
        EARLIER,
    )  # fmt: skip
    task = org.insert("Task", {"WhoId": lead, "Subject": "Call"}, EARLIER)
    made = org.convert_lead(lead, NOW, opportunity={"Amount": 10})
    kept = org.get("Lead", lead)
    assert kept["IsConverted"] is True
    assert kept["ConvertedDate"] == "2026-11-22"
    assert kept["ConvertedContactId"] == made["contact_id"]
    assert kept["ConvertedAccountId"] == made["account_id"]
    assert kept["ConvertedOpportunityId"] == made["opportunity_id"]
    assert org.get("Contact", made["contact_id"])["MailingCity"] == "London"
    assert org.get("Task", task)["WhoId"] == made["contact_id"]
    assert org.rows("OpportunityContactRole")[0]["ContactId"] == made["contact_id"]
    with pytest.raises(ApiError, match="CANNOT_UPDATE_CONVERTED_LEAD"):
        org.update("Lead", lead, {"Title": "x"}, NOW)


# Stamps, lateness, age


def test_only_a_users_edit_moves_both_stamps_a_roll_up_one_and_a_formula_none():
    org = Org()
    account, _ = acme(org)
    for name in ("Score__c", "Open_Deals__c"):
        org.add_custom_field("Account", {"name": name, "type": "double", "calculated": True})

    def stamps() -> tuple[str, str]:
        row = org.get("Account", account)
        return row["SystemModstamp"], row["LastModifiedDate"]

    before = stamps()
    org.touch_formula("Account", account, "Score__c", 7)
    assert org.get("Account", account)["Score__c"] == 7.0
    assert stamps() == before
    org.roll_up("Account", account, "Open_Deals__c", 2, NOW)
    assert stamps() == ("2026-11-22T00:00:00.000+0000", before[1])
    org.update("Account", account, {"Phone": "1"}, NOW + HOUR)
    assert stamps() == ("2026-11-22T01:00:00.000+0000", "2026-11-22T01:00:00.000+0000")
    with pytest.raises(ApiError, match="INVALID_FIELD_FOR_INSERT_UPDATE"):
        org.update("Account", account, {"Score__c": 8}, NOW)


def test_activity_moves_the_last_activity_date_and_no_stamp():
    org = Org()
    account, (contact,) = acme(org, 1)
    org.insert(
        "Task", {"WhoId": contact, "Status": "Completed", "ActivityDate": date(2026, 11, 20)}, NOW
    )
    for sobject, id in (("Contact", contact), ("Account", account)):
        assert org.get(sobject, id)["LastActivityDate"] == "2026-11-20"
        assert org.get(sobject, id)["SystemModstamp"] == org.get(sobject, id)["CreatedDate"]


def test_a_late_write_shows_after_a_while_with_its_old_stamp(tenant: Tenant):
    _, (contact,) = acme(tenant.org, 1)
    tenant.org.late_visible_s = 3
    tenant.org.update("Contact", contact, {"Title": "CEO"}, NOW)
    made = tenant.org.insert("Contact", {"LastName": "New"}, NOW)
    client = tenant.client()
    query = "SELECT Id, Title, SystemModstamp FROM Contact ORDER BY Id"
    (old,) = client.query(query)["records"]
    assert (old["Title"], old["SystemModstamp"]) == (None, "2026-10-23T00:00:00.000+0000")
    tenant.clock.advance(seconds=2)
    assert client.Contact.updated(NOW - DAY, NOW + HOUR)["latestDateCovered"] == (
        "2026-11-22T00:00:00.000+0000"
    )
    tenant.clock.advance(seconds=1)
    changed, new = client.query(query)["records"]
    assert (changed["Title"], new["Id"]) == ("CEO", made)
    assert {changed["SystemModstamp"], new["SystemModstamp"]} == {"2026-11-22T00:00:00.000+0000"}


def test_only_every_nth_write_is_late_when_told():
    org = Org()
    org.late_visible_s, org.late_every = 60, 3
    for n in range(9):
        org.insert("Account", {"Name": f"{n}"}, NOW)
    assert len(ask(org, "SELECT Id FROM Account", NOW)) == 6
    assert len(ask(org, "SELECT Id FROM Account", NOW + 60 * SECOND)) == 9


# Who an activity is with


def sharing(people: int) -> tuple[Org, list[str]]:
    """Return an org with Shared Activities, and contacts of one account."""
    org = Org()
    org.shared_activities = True
    _, contacts = acme(org, people)
    return org, contacts


def colleague(org: Org) -> str:
    who = {"LastName": "Loom", "Email": "l@x.example", "Username": "l@x.example", "Alias": "loom",
           "CommunityNickname": "loom"}  # fmt: skip
    return org.insert("User", who, EARLIER)


def test_without_shared_activities_a_relation_is_an_invitation_and_tasks_have_none(tenant: Tenant):
    org = tenant.org
    _, (first, second) = acme(org, 2)
    event = org.insert("Event", {"StartDateTime": NOW, "WhoId": first}, EARLIER)
    assert org.rows("EventRelation") == []
    org.insert("EventRelation", {"EventId": event, "RelationId": second}, EARLIER)
    described = {field["name"] for field in tenant.client().EventRelation.describe()["fields"]}
    assert "IsInvitee" in described and not {"IsParent", "IsWhat"} & described
    (told,) = tenant.client().query("SELECT RelationId, IsInvitee, Status FROM EventRelation")[
        "records"
    ]
    assert (told["RelationId"], told["IsInvitee"], told["Status"]) == (second, True, "New")
    assert org.get("Event", event)["IsGroupEvent"] is True
    assert tenant.get("sobjects/TaskRelation/describe").status_code == 404


def test_with_shared_activities_who_and_what_are_relations_that_follow_the_fields():
    org, (first, second, third) = sharing(3)
    account = org.get("Contact", first)["AccountId"]
    task = org.insert("Task", {"WhoId": first, "WhatId": account}, EARLIER)
    org.insert("TaskRelation", {"TaskId": task, "RelationId": second}, EARLIER)

    def relations() -> dict[str, bool]:
        found = ask(org, "SELECT RelationId, IsWhat FROM TaskRelation")
        return {row["RelationId"]: row["IsWhat"] for row in found}

    assert relations() == {first: False, second: False, account: True}
    org.update("Task", task, {"WhoId": third, "WhatId": None}, NOW - HOUR)
    assert relations() == {second: False, third: False}


def test_a_relation_deleted_by_itself_skips_the_bin_and_one_with_its_task_does_not(tenant: Tenant):
    org = tenant.org
    org.shared_activities = True
    _, (first, second) = acme(org, 2)
    task = org.insert("Task", {"WhoId": first}, EARLIER)
    relation = org.insert("TaskRelation", {"TaskId": task, "RelationId": second}, EARLIER)
    org.delete("TaskRelation", relation, NOW - HOUR)
    client = tenant.client()
    everything = "SELECT Id, IsDeleted FROM TaskRelation"
    (left,) = client.query_all(everything, include_deleted=True)["records"]
    assert left["IsDeleted"] is False
    assert client.TaskRelation.deleted(NOW - DAY, NOW)["deletedRecords"][0]["id"] == relation
    org.delete("Task", task, NOW - HOUR)
    (gone,) = client.query_all(everything, include_deleted=True)["records"]
    assert (gone["Id"], gone["IsDeleted"]) == (left["Id"], True)


def test_who_is_removed_from_an_event_makes_room_for_the_next():
    org, (first, second) = sharing(2)
    event = org.insert("Event", {"StartDateTime": NOW, "WhoId": first}, EARLIER)
    org.insert("EventRelation", {"EventId": event, "RelationId": second, "IsParent": True}, EARLIER)
    (who,) = (row["Id"] for row in org.rows("EventRelation") if row["RelationId"] == first)
    org.delete("EventRelation", who, NOW - HOUR)
    assert org.get("Event", event)["WhoId"] == second


def test_an_invited_user_has_a_copy_of_the_event_that_goes_with_the_invitation_or_the_event():
    org, (first,) = sharing(1)
    user, other = colleague(org), org.user_id
    event = org.insert("Event", {"StartDateTime": NOW, "WhoId": first}, EARLIER)

    def copies() -> list[Any]:
        found = ask(org, "SELECT OwnerId, WhoId FROM Event WHERE IsChild = true")
        return [(row["OwnerId"], row["WhoId"]) for row in found]

    invited = {"EventId": event, "RelationId": user}
    invitation = org.insert("EventRelation", invited, EARLIER)
    assert copies() == [(user, first)]
    org.delete("EventRelation", invitation, EARLIER + HOUR)
    assert copies() == []
    org.insert("EventRelation", invited | {"RelationId": other}, EARLIER)
    assert copies() == [(other, first)]
    org.delete("Event", event, NOW - HOUR)
    assert copies() == []


def test_a_converted_leads_activities_and_their_relations_go_to_the_contact_silently():
    org, _ = sharing(0)
    lead = org.insert("Lead", {"LastName": "Carder", "Company": "Wool"}, EARLIER)
    org.insert("Task", {"WhoId": lead}, EARLIER)
    (before,) = org.rows("TaskRelation")
    contact = org.convert_lead(lead, NOW - HOUR)["contact_id"]
    (after,) = org.rows("TaskRelation")
    assert (before["RelationId"], after["RelationId"]) == (lead, contact)
    assert after["SystemModstamp"] == before["SystemModstamp"]


def test_a_moment_without_an_offset_is_refused_as_the_client_writes_it(tenant: Tenant):
    naive = datetime(2026, 11, 21)
    with pytest.raises(SalesforceMalformedRequest, match="not a valid value"):
        tenant.client().Contact.updated(naive, naive + DAY)


def test_old_activities_leave_query_and_stay_in_query_all():
    org = Org()
    old = NOW - timedelta(days=400)
    org.insert("Task", {"Subject": "done", "Status": "Completed"}, old)
    org.insert("Task", {"Subject": "open"}, old)
    org.insert("Event", {"Subject": "met", "StartDateTime": old}, old)
    org.insert("Event", {"Subject": "meet", "StartDateTime": NOW}, NOW)
    subjects = [r["Subject"] for r in ask(org, "SELECT Subject FROM Task")]
    subjects += [r["Subject"] for r in ask(org, "SELECT Subject FROM Event")]
    assert subjects == ["open", "meet"]
    archived = ask(org, "SELECT Subject, IsArchived FROM Task ORDER BY Subject", deleted=True)
    assert [(r["Subject"], r["IsArchived"]) for r in archived] == [("done", True), ("open", False)]


def test_cases_and_tasks_close_when_their_status_says_so():
    org = Org()
    case = org.insert("Case", {"Subject": "Broken", "SuppliedEmail": "a@b.example"}, EARLIER)
    assert org.get("Case", case)["CaseNumber"] == "00001001"
    org.update("Case", case, {"Status": "Closed"}, NOW)
    assert org.get("Case", case)["ClosedDate"] == "2026-11-22T00:00:00.000+0000"
    org.update("Case", case, {"Status": "Working"}, NOW + HOUR)
    assert org.get("Case", case)["ClosedDate"] is None
    event = org.insert("Event", {"StartDateTime": NOW, "DurationInMinutes": 30}, NOW)
    assert org.get("Event", event)["EndDateTime"] == "2026-11-22T00:30:00.000+0000"


# Writes over REST


def test_a_foreign_client_can_create_change_and_delete(tenant: Tenant):
    client = tenant.client()
    id = client.Contact.create({"LastName": "Byron", "FirstName": "Ada"})["id"]
    assert client.Contact.get(id)["Name"] == "Ada Byron"
    assert client.Contact.get(id[:15])["Id"] == id
    assert client.Contact.update(id, {"Title": "Countess"}) == 204
    assert client.query(f"SELECT Title FROM Contact WHERE Id = '{id[:15]}'")["records"][0][
        "Title"
    ] == ("Countess")
    assert client.Contact.delete(id) == 204
    with pytest.raises(SalesforceResourceNotFound):
        client.Contact.get(id)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "x" * 81}, "STRING_TOO_LONG"),
        ({"LastName": "x", "Nme": 1}, "INVALID_FIELD"),
        ({"LastName": "x", "Email": "nobody"}, "INVALID_EMAIL_ADDRESS"),
        ({"LastName": "x", "AccountId": mint_id("001", 99)}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"LastName": "x", "AccountId": mint_id("006", 1)}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"LastName": "x", "AccountId": "nonsense"}, "MALFORMED_ID"),
    ],
)
def test_a_wrong_write_is_refused(tenant: Tenant, fields: dict[str, Any], code: str):
    with pytest.raises(SalesforceMalformedRequest) as refused:
        tenant.client().Contact.create(fields)
    assert refused.value.content[0]["errorCode"] == code


# Limits and the wire


def test_the_daily_limit_answers_403_until_a_day_has_passed(tenant: Tenant):
    tenant.org.daily_limit = 2
    client = tenant.client()
    client.limits()
    assert client.limits()["DailyApiRequests"] == {"Max": 2, "Remaining": 0}
    with pytest.raises(SalesforceRefusedRequest) as refused:
        client.limits()
    assert refused.value.content == [
        {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
    ]
    tenant.clock.advance(days=1)
    assert tenant.client().limits()["DailyApiRequests"]["Remaining"] == 1


def test_every_answer_carries_the_limit_and_the_worlds_date(tenant: Tenant):
    answers = [tenant.get(path) for path in ("limits", "sobjects", "nothing", "query?q=SELECT+x")]
    answers.append(tenant.get("query/", Host="acme.my.salesforce.com"))
    for answer in answers:
        assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=")
        assert answer.headers["Date"] == "Sun, 22 Nov 2026 00:00:00 GMT"
    versions = requests.get(f"{tenant.url}/services/data/", timeout=5)
    assert "Sforce-Limit-Info" not in versions.headers
    assert {"label": "Winter '25", "url": "/services/data/v62.0", "version": "62.0"} in (
        versions.json()
    )


def test_bodies_are_zipped_only_when_asked(tenant: Tenant):
    plain = tenant.get("sobjects/Contact/describe", **{"Accept-Encoding": "identity"})
    zipped = tenant.get("sobjects/Contact/describe", **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.headers["Content-Length"]) < len(plain.content) / 5
    assert plain.json() == zipped.json()


def test_a_url_beyond_16_kb_is_too_long(tenant: Tenant):
    query = "SELECT Id FROM Contact WHERE Name = '{}'"
    assert tenant.get("query?q=" + quote(query.format("x" * 15_000))).status_code == 200
    assert tenant.get("query?q=" + quote(query.format("x" * 16_400))).status_code == 414


def test_unknown_resources_versions_and_methods_are_refused(tenant: Tenant):
    assert tenant.get("nothing").json()[0]["errorCode"] == "NOT_FOUND"
    assert tenant.get("sobjects/Nothing/describe").status_code == 404
    headers = {"Authorization": f"Bearer {tenant.token()}"}
    old = requests.get(f"{tenant.url}/services/data/v20.0/limits", headers=headers, timeout=5)
    assert old.status_code == 404
    posted = requests.post(f"{tenant.url}/services/data/v62.0/limits", headers=headers, timeout=5)
    assert posted.status_code == 405


# Faults and the side door


def fail(tenant: Tenant, **fault: Any) -> None:
    answer = requests.post(f"{tenant.url}/sandbox/faults", json={"salesforce": [fault]}, timeout=5)
    assert answer.status_code == 200


def test_a_fault_comes_after_so_many_calls_and_so_many_times(tenant: Tenant):
    fail(tenant, match="/limits", after=1, times=2, kind="503")
    statuses = [tenant.get("limits").status_code for _ in range(4)]
    assert statuses == [200, 503, 503, 200]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("500", 500, "UNKNOWN_EXCEPTION"),
        ("503", 503, "SERVER_UNAVAILABLE"),
        ("limit_daily", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("limit_concurrent", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("expired_locator", 400, "INVALID_QUERY_LOCATOR"),
        ("expired_session", 401, "INVALID_SESSION_ID"),
    ],
)
def test_the_vendors_own_faults_have_its_shape(tenant: Tenant, kind: str, status: int, code: str):
    fail(tenant, match="/limits", kind=kind)
    answer = tenant.get("limits")
    assert answer.status_code == status
    assert answer.json()[0]["errorCode"] == code


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("503_html", 503), ("not_json", 200)])
def test_the_webs_faults_are_not_json(tenant: Tenant, kind: str, status: int):
    fail(tenant, match="/limits", kind=kind)
    answer = tenant.get("limits")
    assert answer.status_code == status
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.content)


def test_an_expired_session_fault_ends_the_clients_session(tenant: Tenant):
    client = tenant.client()
    token = client.session_id
    fail(tenant, match="/query", kind="expired_session")
    client.query("SELECT Id FROM Contact")
    assert client.session_id != token
    stale = Salesforce(
        session_id=token, instance_url=f"{tenant.org.domain}.salesforce.com", session=client.session
    )
    with pytest.raises(SalesforceExpiredSession):
        stale.query("SELECT Id FROM Contact")


def test_a_truncated_answer_breaks_off_and_a_silent_one_times_out(tenant: Tenant):
    acme(tenant.org, 50)
    fail(tenant, match="/sobjects", kind="truncated")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        tenant.get("sobjects")
    token = tenant.token()
    fail(tenant, match="/limits", kind="timeout_before")
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(
            f"{tenant.url}/services/data/v62.0/limits",
            headers={"Authorization": f"Bearer {token}"},
            timeout=0.2,
        )


def test_a_silence_after_the_write_still_wrote(tenant: Tenant):
    token = tenant.token()
    fail(tenant, match="/sobjects/Account", method="POST", kind="timeout_after")
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(
            f"{tenant.url}/services/data/v62.0/sobjects/Account",
            headers={"Authorization": f"Bearer {token}"},
            json={"Name": "Acme"},
            timeout=0.2,
        )
    assert [row["Name"] for row in tenant.org.rows("Account")] == ["Acme"]


def test_a_fault_with_an_unknown_key_is_refused(tenant: Tenant):
    wrong = {"salesforce": [{"kind": "500", "tims": 3}]}
    answer = requests.post(f"{tenant.url}/sandbox/faults", json=wrong, timeout=5)
    assert answer.status_code == 400
    assert "tims" in answer.json()["error"]


def test_the_side_door_moves_time_counts_requests_and_tells_credentials(tenant: Tenant):
    door = f"{tenant.url}/sandbox"
    tenant.client().query("SELECT Id FROM Contact")
    moved = requests.post(f"{door}/advance", json={"days": 7}, timeout=5).json()
    assert moved == requests.get(f"{door}/clock", timeout=5).json()
    assert moved == {"now": "2026-11-29T00:00:00+00:00"}
    back = requests.post(f"{door}/advance", json={"days": -1}, timeout=5)
    assert back.status_code == 400
    counted = requests.get(f"{door}/requests", timeout=5).json()
    assert counted == {"POST token": 1, "GET query": 1}
    assert requests.get(f"{door}/credentials", timeout=5).json() == {
        "client_id": tenant.org.client_id,
        "client_secret": tenant.org.client_secret,
        "domain": tenant.org.domain,
    }


# Histories and consent


def test_a_history_keeps_tracked_fields_and_a_reference_twice(tenant: Tenant):
    org = tenant.org
    org.tracked_fields = {"Case": {"Status", "OwnerId"}}
    who = {"LastName": "Loom", "Email": "l@x.example", "Username": "l@x.example", "Alias": "loom",
           "CommunityNickname": "loom"}  # fmt: skip
    owner = org.insert("User", who, EARLIER)
    case = org.insert("Case", {"Subject": "Stuck"}, EARLIER)
    org.update("Case", case, {"Status": "Working", "OwnerId": owner, "Subject": "x"}, NOW - HOUR)
    found = tenant.client().query(
        "SELECT Field, OldValue, NewValue FROM CaseHistory ORDER BY CreatedDate, Id"
    )["records"]
    assert [(row["Field"], row["OldValue"], row["NewValue"]) for row in found] == [
        ("created", None, None),
        ("Owner", org.user_id, owner),
        ("Owner", "Integration User", "Loom"),
        ("Status", "New", "Working"),
    ]


def test_a_history_has_no_change_stamp_and_its_values_cannot_be_filtered(tenant: Tenant):
    fields = {field["name"]: field for field in tenant.client().CaseHistory.describe()["fields"]}
    assert not {"SystemModstamp", "LastModifiedDate"} & fields.keys()
    assert {"CreatedDate", "IsDeleted", "CaseId"} <= fields.keys()
    assert not fields["NewValue"]["filterable"]
    with pytest.raises(SalesforceMalformedRequest, match="can not be filtered"):
        tenant.client().query("SELECT Id FROM CaseHistory WHERE NewValue = 'x'")
    with pytest.raises(SalesforceMalformedRequest, match="entity type cannot be inserted"):
        tenant.client().CaseHistory.create({"CaseId": "500000000000001"})


def test_every_stage_of_a_deal_is_kept_as_a_snapshot():
    org = Org()
    deal = {"Name": "Looms", "StageName": "Prospecting", "CloseDate": "2026-12-01", "Amount": 5}
    id = org.insert("Opportunity", deal, EARLIER)
    org.update("Opportunity", id, {"NextStep": "call"}, EARLIER + DAY)
    org.update("Opportunity", id, {"StageName": "Closed Won"}, NOW - DAY)
    told = ask(org, "SELECT StageName, Probability FROM OpportunityHistory ORDER BY CreatedDate")
    assert [(row["StageName"], row["Probability"]) for row in told] == [
        ("Prospecting", 10.0), ("Closed Won", 100.0),
    ]  # fmt: skip


def test_a_campaigns_member_skips_the_bin_and_a_login_has_one_stamp(tenant: Tenant):
    org = tenant.org
    _, (contact,) = acme(org, 1)
    campaign = org.insert("Campaign", {"Name": "Fair"}, EARLIER)
    member = {"CampaignId": campaign, "ContactId": contact, "Status": "Responded"}
    id = org.insert("CampaignMember", member, EARLIER)
    assert org.get("CampaignMember", id)["FirstRespondedDate"] == EARLIER.date().isoformat()
    org.delete("CampaignMember", id, NOW - HOUR)
    client = tenant.client()
    assert client.query_all("SELECT Id FROM CampaignMember", include_deleted=True)["records"] == []
    assert client.CampaignMember.deleted(NOW - DAY, NOW)["deletedRecords"][0]["id"] == id
    org.log_in(org.user_id, NOW - HOUR)
    (login,) = client.query("SELECT LoginTime FROM LoginHistory")["records"]
    assert login["LoginTime"] == "2026-11-21T23:00:00.000+0000"
    names = {field["name"] for field in client.LoginHistory.describe()["fields"]}
    assert names == {"Id", "UserId", "LoginTime", "LoginType", "Status"}


# Bulk


def job_of(tenant: Tenant, query: str, operation: str = "queryAll") -> dict[str, Any]:
    return tenant.call("POST", "jobs/query", json={"operation": operation, "query": query}).json()


def finish(tenant: Tenant, id: str) -> str:
    for _ in range(tenant.org.bulk_looks):
        state = str(tenant.get(f"jobs/query/{id}").json()["state"])
    return state


def test_the_client_reads_a_job_page_by_page_and_every_page_has_a_header(tenant: Tenant):
    _, ids = acme(tenant.org, 25)
    tenant.org.bulk_page_rows = 10
    pages = list(tenant.client().bulk2.Contact.query("SELECT Id, Name FROM Contact", wait=0.01))
    rows = [list(csv.reader(io.StringIO(page))) for page in pages]
    assert [page[0] for page in rows] == [["Id", "Name"]] * 3
    assert sorted(row[0] for page in rows for row in page[1:]) == ids
    assert pages[0].startswith('"Id","Name"\n"')


def test_a_job_goes_through_its_states_and_is_deleted_only_when_it_ended(tenant: Tenant):
    acme(tenant.org, 3)
    job = job_of(tenant, "SELECT Id FROM Contact")
    path = f"jobs/query/{job['id']}"
    assert (job["state"], job["object"], job["createdDate"][-5:]) == (
        "UploadComplete", "Contact", "+0000",
    )  # fmt: skip
    assert tenant.get(f"{path}/results").json()[0]["errorCode"] == "JOB_NOT_COMPLETE"
    assert tenant.get(path).json()["state"] == "InProgress"
    assert tenant.call("DELETE", path).json()[0]["errorCode"] == "API_ERROR"
    assert tenant.get(path).json()["numberRecordsProcessed"] == 3
    assert [job["id"] for job in tenant.get("jobs/query").json()["records"]] == [job["id"]]
    answer = tenant.get(f"{path}/results")
    assert answer.headers["Sforce-NumberOfRecords"] == "3"
    assert answer.headers["Sforce-Locator"] == "null"
    assert tenant.call("DELETE", path).status_code == 204
    assert tenant.get(path).status_code == 404


def test_a_running_job_can_be_aborted_and_a_job_can_fail(tenant: Tenant):
    first = job_of(tenant, "SELECT Id FROM Contact")["id"]
    told = tenant.call("PATCH", f"jobs/query/{first}", json={"state": "Aborted"})
    assert told.json()["state"] == "Aborted"
    tenant.org.bulk_failures = 1
    second = job_of(tenant, "SELECT Id FROM Contact")["id"]
    assert finish(tenant, second) == "Failed"
    assert "fifteen times" in tenant.get(f"jobs/query/{second}").json()["errorMessage"]


def test_results_are_csv_with_nothing_for_null_and_z_for_utc(tenant: Tenant):
    tenant.org.add_custom_field("Contact", {"name": "Note__c", "type": "textarea", "length": 999})
    told = 'a "quoted", line\nand NA'
    acme(tenant.org)
    who = tenant.org.insert("Contact", {"LastName": "NA", "Note__c": told}, EARLIER)
    fields = "Id, Note__c, Email, DoNotCall, CreatedDate, Account.Name"
    job = job_of(tenant, f"SELECT {fields} FROM Contact")["id"]
    assert finish(tenant, job) == "JobComplete"
    text = tenant.get(f"jobs/query/{job}/results").text
    header, row = csv.reader(io.StringIO(text, newline=""))
    assert header == ["Id", "Note__c", "Email", "DoNotCall", "CreatedDate", "Account.Name"]
    assert row == [who, told, "", "false", "2026-10-23T00:00:00.000Z", ""]


def test_a_locator_is_stable_and_leads_nowhere_in_another_job_or_version(tenant: Tenant):
    acme(tenant.org, 5)
    tenant.org.bulk_page_rows = 2
    one, other = (job_of(tenant, "SELECT Id FROM Contact")["id"] for _ in range(2))
    assert finish(tenant, one) == finish(tenant, other) == "JobComplete"
    locator = tenant.get(f"jobs/query/{one}/results").headers["Sforce-Locator"]
    again = [tenant.get(f"jobs/query/{one}/results?locator={locator}").text for _ in range(2)]
    assert again[0] == again[1]
    assert tenant.get(f"jobs/query/{other}/results?locator={locator}").status_code == 400
    newer = f"{tenant.url}/services/data/v63.0/jobs/query/{one}/results"
    headers = {"Authorization": f"Bearer {tenant.token()}"}
    assert requests.get(newer, headers=headers, timeout=5).status_code == 409
    tenant.clock.advance(days=7)
    assert tenant.get(f"jobs/query/{one}/results").status_code == 404


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT Id FROM Task", "Entity 'Task' is not supported by the Bulk API."),
        ("SELECT MailingAddress FROM Contact", "Selecting compound data not supported"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "Aggregate Relationships"),
        ("SELECT COUNT() FROM Contact", "aggregates are not supported"),
        ("SELECT Nothing__c FROM Contact", "No such column"),
    ],
)
def test_what_bulk_does_not_take_is_refused_when_the_job_is_created(
    tenant: Tenant, query: str, words: str
):
    tenant.org.not_in_bulk = {"Task"}
    (error,) = job_of(tenant, query)
    assert words in error["message"]


def test_jobs_and_their_results_are_limited_per_day(tenant: Tenant):
    tenant.org.bulk_daily_jobs = 1
    assert job_of(tenant, "SELECT Id FROM Contact")["state"] == "UploadComplete"
    (error,) = job_of(tenant, "SELECT Id FROM Contact")
    assert error["errorCode"] == "LIMIT_EXCEEDED"
    assert error["message"] == "Max bulk v2 query jobs (1) per 24 hrs has been reached (2)"
    assert tenant.get("limits").json()["DailyBulkV2QueryJobs"] == {"Max": 1, "Remaining": 0}
    tenant.clock.advance(days=1)
    assert job_of(tenant, "SELECT Id FROM Contact")["state"] == "UploadComplete"
