"""The four points at which a user's own Python file has its say.

Belongs here: loading that file and calling its functions. Does not belong here: what they return,
which is the user's own doing.

    request(stream, call) -> call      before a call: its method, path, params, headers and json
    page(stream, page) -> page         an answer, before its records are taken out of it
    record(stream, record) -> record   a record, before it is landed; None leaves it out, a list
                                       puts several in its place
    state(stream, state) -> state      what the last sync remembered, before this one begins
"""

from __future__ import annotations

import importlib.util
import traceback
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from connectors.errors import ConfigError

POINTS = ("request", "page", "record", "state")

# Digits survive: 1.10 stays 1.10.
_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Hooks:
    """The hooks of one source; the file is run when the first of them could be called."""

    def __init__(self, source: str, path: Path | None) -> None:
        self._source = source
        self._path = path

    def call(self, point: str, stream: str, value: Any) -> Any:
        """Return what the function `point` makes of `value`, and `value` where there is none."""
        function = getattr(self._module, point, None) if self._path else None
        if function is None:
            return value
        try:
            return function(stream, value)
        except Exception as error:
            # The text of an error may hold what a record holds: only its kind is told.
            line = traceback.extract_tb(error.__traceback__)[-1].lineno
            raise ConfigError(
                f"{self._source}.{stream}: the hook `{point}` of `{self._name}` raised "
                f"{type(error).__name__} in line {line}. Mend it there; what was read before is "
                "kept."
            ) from None

    def page(self, stream: str, body: bytes) -> bytes:
        """Return an answer as the hook leaves it; untouched bytes without one."""
        if not self.has("page"):
            return body
        return _ENCODER.encode(self.call("page", stream, _DECODER.decode(body)))

    def record(self, stream: str, record: bytes) -> list[bytes]:
        """Return what the hook makes of a record."""
        if not self.has("record"):
            return [record]
        try:
            value = _DECODER.decode(record)
        except msgspec.DecodeError:
            return [record]  # goes on, to be quarantined
        made = self.call("record", stream, value)
        several = made if isinstance(made, list) else [made]
        return [_ENCODER.encode(one) for one in several if one is not None]

    def has(self, point: str) -> bool:
        """Tell whether the file has this function."""
        return self._path is not None and hasattr(self._module, point)

    @property
    def _name(self) -> str:
        return self._path.name if self._path else ""

    @cached_property
    def _module(self) -> ModuleType:
        name = f"rapport_hooks_{self._source}"
        spec = importlib.util.spec_from_file_location(name, self._path or "")
        if spec is None or spec.loader is None or not self._path or not self._path.is_file():
            raise ConfigError(
                f"sources.{self._source}.hooks: there is no Python file `{self._name}` beside "
                "rapport.yml, or where `hooks` says."
            )
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise ConfigError(
                f"sources.{self._source}.hooks: `{self._name}` cannot be run: it raised "
                f"{type(error).__name__}. Mend it and run again."
            ) from None
        if not any(hasattr(module, point) for point in POINTS):
            raise ConfigError(
                f"sources.{self._source}.hooks: `{self._name}` has none of the functions "
                f"{', '.join(POINTS)}."
            )
        return module
