"""A small validator of answers against the network's published lexicons.

Belongs here: the parts of https://atproto.com/specs/lexicon that the emulated methods use.
Does not belong here: the lexicons; they lie beside the project and may be absent.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "shared" / "specs" / "bluesky" / "lexicons"

_FORMATS = {
    "did": r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]",
    "handle": r"([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z][a-zA-Z0-9-]*",
    "at-uri": r"at://did:[a-z]+:[a-z0-9]+(/[a-zA-Z0-9.]+(/[a-zA-Z0-9._~:-]+)?)?",
    "cid": r"bafyrei[a-z2-7]{52}",
    "tid": r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}",
    "uri": r"[a-z][a-z.-]{0,80}:[^\s]+",
    "language": r"[a-z]{2,3}(-[a-zA-Z0-9]+)*",
}


class Lexicons:
    """Validates values; raises `AssertionError` with the place of what is wrong.

    Args:
        folder: where the lexicons lie; `Lexicons.are_here()` tells whether they do.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._documents: dict[str, dict[str, Any]] = {}

    @staticmethod
    def are_here() -> bool:
        return FOLDER.is_dir()

    def answer(self, nsid: str, value: Any) -> None:
        """Validate what a query or procedure answered."""
        self._check(self._definition(nsid)["output"]["schema"], value, nsid, nsid)

    def record(self, value: dict[str, Any]) -> None:
        """Validate a record by its `$type`."""
        nsid = value["$type"]
        self._check(self._definition(nsid)["record"], value, nsid, nsid)

    def _definition(self, reference: str) -> dict[str, Any]:
        nsid, _, name = reference.partition("#")
        if nsid not in self._documents:
            path = self._folder.joinpath(*nsid.split(".")).with_suffix(".json")
            self._documents[nsid] = json.loads(path.read_text(encoding="utf-8"))["defs"]
        found: dict[str, Any] = self._documents[nsid][name or "main"]
        return found

    def _check(self, schema: dict[str, Any], value: Any, home: str, at: str) -> None:
        kind = schema["type"]
        if kind == "ref":
            reference = self._absolute(schema["ref"], home)
            self._check(self._definition(reference), value, reference.partition("#")[0], at)
        elif kind == "union":
            known = {self._absolute(ref, home): ref for ref in schema["refs"]}
            named = value["$type"]
            assert named in known, f"{at}: {named} is none of {sorted(known)}"
            self._check(self._definition(named), value, named.partition("#")[0], at)
        elif kind == "object":
            assert isinstance(value, dict), f"{at}: no object"
            properties = schema.get("properties", {})
            for name in schema.get("required", ()):
                assert name in value, f"{at}: {name} is missing"
            unknown = set(value) - set(properties) - {"$type"}
            assert not unknown, f"{at}: no such names: {unknown}"
            for name, inner in value.items():
                if name in properties:
                    self._check(properties[name], inner, home, f"{at}.{name}")
        elif kind == "array":
            assert isinstance(value, list), f"{at}: no list"
            assert len(value) <= schema.get("maxLength", len(value)), f"{at}: too long"
            for number, inner in enumerate(value):
                self._check(schema["items"], inner, home, f"{at}[{number}]")
        elif kind == "unknown":
            assert isinstance(value, dict), f"{at}: no object"
            if "$type" in value:
                self.record(value)
        elif kind == "string":
            self._check_text(schema, value, at)
        elif kind == "integer":
            assert isinstance(value, int) and not isinstance(value, bool), f"{at}: no integer"
            assert value >= schema.get("minimum", value), f"{at}: too small"
        elif kind == "boolean":
            assert isinstance(value, bool), f"{at}: no boolean"
            assert value == schema.get("const", value), f"{at}: not {schema.get('const')}"
        else:
            raise AssertionError(f"{at}: this validator does not know the type {kind}")

    @staticmethod
    def _check_text(schema: dict[str, Any], value: Any, at: str) -> None:
        assert isinstance(value, str), f"{at}: no text"
        assert len(value.encode()) <= schema.get("maxLength", 10**6), f"{at}: too long"
        form = schema.get("format")
        if form == "datetime":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value)
            assert datetime.fromisoformat(value).tzinfo, f"{at}: no time zone"
        elif form is not None:
            assert re.fullmatch(_FORMATS[form], value), f"{at}: {value} is no {form}"

    @staticmethod
    def _absolute(reference: str, home: str) -> str:
        return f"{home}{reference}" if reference.startswith("#") else reference
