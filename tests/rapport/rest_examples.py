"""Declared sources that play every kind of paging and every incremental pattern.

Each is what the rapport.yml of a data engineer would say under `sources:`. Each kind of credential
and each way in which deletes show comes up, too.
"""

from __future__ import annotations

from typing import Any

THINGS: dict[str, Any] = {
    "records": "data.items", "key": "id", "fields": ["title", "owner.name", "size"],
    "types": {"size": "integer"},
}  # fmt: skip
TIMED = THINGS | {"cursor": "at"}

EXAMPLES: dict[str, dict[str, Any]] = {
    "offset": {
        "auth": {"kind": "basic", "user": "me", "password": "not used"},
        "streams": {"things": THINGS | {
            "path": "/things", "deletes": {"kind": "census"},
            "paging": {"kind": "offset", "size": 9, "size_param": "limit", "total": "total"},
        }},
    },
    "page": {
        "auth": {"kind": "bearer", "token": "not used"},
        "streams": {"things": TIMED | {
            "path": "https://vendor.invalid/v2/things", "incremental": "updated_since",
            "params": {"since": "{cursor}", "state": "open"}, "count": "open",
            "paging": {"kind": "page", "size": 9, "size_param": "per_page", "more": "has_more"},
            "deletes": {"kind": "archived", "params": {"state": "closed"}},
        }},
    },
    "page of a fixed size": {
        "auth": {"kind": "query", "name": "key", "api_key": "not used"},
        "streams": {"things": THINGS | {
            "path": "/things", "records": "$", "paging": {"kind": "page", "first": 0},
            "deletes": {"kind": "census"},
        }},
    },
    "link": {
        "auth": {"kind": "header", "name": "X-Key", "api_key": "Token not-used"},
        "limits": {"status": [503], "wait_ms": "extras.wait"},
        "streams": {"things": TIMED | {
            "path": "/things", "incremental": "updated_since",
            "params": {"filter": "at >= {cursor:unix} and at < {end:unix}"},
            "paging": {"kind": "link", "next": "@next"},
            "deletes": {"kind": "tombstones", "field": "state.gone"},
        }},
    },
    "link in the header": {
        "streams": {"things": TIMED | {
            "path": "/things", "records": "$", "incremental": "newest_first",
            "paging": {"kind": "link"},
        }},
    },
    "cursor": {
        "auth": {"kind": "oauth2", "token_url": "https://vendor.invalid/token", "client_id": "app",
                 "client_secret": "not used", "refresh_token": "not used"},
        "streams": {
            "changes": THINGS | {
                "path": "/changes", "incremental": "forward",
                "paging": {"kind": "cursor", "next": "page.next", "param": "after"},
                "deletes": {"kind": "tombstones", "field": "kind", "values": ["deleted"],
                            "key": "about"},
            },
            "notes": THINGS | {
                "path": "/changes/{changes.id}/notes", "key": ["_changes_id", "id"],
                "deletes": {"kind": "census"},
                "paging": {"kind": "cursor", "next": "next", "param": "after"},
            },
        },
    },
    "keyset": {
        "limits": {"quota_status": 403, "calls": ["50/10s"]},
        "streams": {
            "things": THINGS | {
                "path": "/things", "types": {"id": "integer"}, "deletes": {"kind": "census"},
                "paging": {"kind": "keyset", "field": "id", "param": "after", "more": "more",
                           "size": 9, "size_param": "limit"},
            },
            "events": THINGS | {
                "path": "/events", "incremental": "forward",
                "paging": {"kind": "keyset", "field": "number", "param": "behind"},
            },
        },
    },
    "searched for": {
        "streams": {"things": TIMED | {
            "path": "/search", "incremental": "updated_since", "fields": ["*"],
            "body": {"filter": {"from": "{cursor:%Y-%m-%d}", "to": "{end:%Y-%m-%d}"}},
            "slices": {"start": "2026-05-20", "length": "7d"}, "deletes": {"kind": "census"},
            "paging": {"kind": "offset", "param": "page.from", "size": 9,
                       "size_param": "page.size", "total": "hits"},
        }},
    },
    "all at once": {
        "streams": {"things": THINGS | {"path": "/things", "deletes": {"kind": "census"}}},
    },
}  # fmt: skip
