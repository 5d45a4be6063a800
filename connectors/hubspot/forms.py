"""What was submitted through the forms of a HubSpot account: newest first, form by form.

Belongs here: where a form's walk ends, and whose submission it was. Nobody's words are taken, and
the address they left is exchanged for the contact that has it.
https://developers.hubspot.com/docs/api-reference/legacy/marketing/forms/v1/
get-form-integrations-v1-submissions-forms-form_guid
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import requests

from connectors.base import Page, State, Stream, Window
from connectors.errors import BadRequest
from connectors.hubspot.client import NEXT, ROWS_PER_LIST, Account
from connectors.incremental import NewestFirstWalk
from connectors.pagination import LoopGuard
from connectors.records import parse_stamp, pick, split, values

ROWS_PER_PAGE = 50
SUBMISSIONS_PATH = "/form-integrations/v1/submissions/forms/{}?limit={}"


def forms(account: Account) -> Iterator[list[bytes]]:
    """Yield pages of the forms that are there; without `all` only the vendor's own kind."""
    return account.pages_of(
        lambda client, after: client.marketing.forms.forms_api.get_page(
            limit=ROWS_PER_LIST, after=after, form_types=["all"], _preload_content=False
        )
    )


def newest(account: Account, stream: Stream, state: State, window: Window) -> tuple[int, int, int]:
    """Look at the first page of each form.

    Returns:
        (pages of forms, forms, submissions on first pages that `read` would take).
    """
    pages = list(forms(account))
    walks = state.get("forms") or {}
    taken = 0
    ids = _ids(pages)
    for form in ids:
        walk = NewestFirstWalk.begin(stream, walks.get(form) or {}, window)
        rows = split(_page(account, form, walk.position), "results")
        taken += sum(not walk.is_below_floor(_submitted_at(row)) for row in rows)
    return len(pages), len(ids), taken


def read(account: Account, stream: Stream, state: State, window: Window) -> Iterator[Page]:
    """Read each form down to where its last walk began.

    State: `forms`, id -> that of `NewestFirstWalk`. Nobody promises how long its cursor holds:
    a form whose cursor is refused after a break is begun at its top again.
    """
    walks = dict(state.get("forms") or {})
    for form in _ids(forms(account)):
        known = walks.get(form) or {}
        walk = NewestFirstWalk.begin(stream, known, window)
        guard = LoopGuard(account.session.place)
        after = walk.position
        while True:
            try:
                body = _page(account, form, after)
            except BadRequest as error:
                if error.status == requests.codes.not_found:
                    break  # archived since it was listed
                if after is None or after != walk.position:
                    raise
                known = {name: value for name, value in known.items() if name != "walk"}
                walk, after = NewestFirstWalk.begin(stream, known, window), None
                continue
            rows = split(body, "results")
            if after is None:
                for row in rows:
                    walk.see(_submitted_at(row))
            young = [row for row in rows if not walk.is_below_floor(_submitted_at(row))]
            records = _records(account, form, young)
            after = pick(body, *NEXT)
            if after is None or len(young) < len(rows):
                walks[form] = walk.done()
                yield Page(records=records, state={"forms": dict(walks)})
                break
            guard.check(after)
            walks[form] = walk.at(after)
            yield Page(records=records, state={"forms": dict(walks)})


def _ids(pages: Iterable[Sequence[bytes]]) -> list[str]:
    return [str(key) for page in pages for row in page if (key := values(row, "id")[0])]


def _page(account: Account, form: str, after: str | None) -> bytes:
    path = SUBMISSIONS_PATH.format(form, ROWS_PER_PAGE)
    params = {"after": after} if after is not None else None
    return account.ask_path("GET", path, params=params)


def _records(account: Account, form: str, rows: Sequence[bytes]) -> list[bytes]:
    """Return what is kept of submissions: which, when, by which contact."""
    emails = {values(row, "conversionId")[0]: _email(row) for row in rows}
    contacts = account.contacts_at({email for email in emails.values() if email})
    records = []
    for row in rows:
        key = values(row, "conversionId")[0]
        kept = {"conversionId": key, "formId": form, "submittedAt": _submitted_at(row),
                "contactId": contacts.get(emails[key])}  # fmt: skip
        records.append(msgspec.json.encode(kept))
    return records


def _submitted_at(row: bytes) -> str:
    """Return the moment in ISO 8601; the vendor counts milliseconds."""
    at = parse_stamp(str(values(row, "submittedAt")[0]))
    return at.isoformat() if at else ""


def _email(row: bytes) -> str:
    told = values(row, "values")[0]
    fields = [field for field in told if isinstance(field, dict)] if type(told) is list else []
    found = (field.get("value") for field in fields if field.get("name") == "email")
    return str(next(found, None) or "").strip().lower()
