"""Secrets are masked by value, wherever they turn up.

Belongs here: the list of secret values this process knows, the forms in which
they travel, and what cleans text, exceptions and log records of them. Does not
belong here: which settings are secret (`registry`), or what may be landed at all
(`records`).
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import traceback
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST_SECRET = 4
"""Characters. Anything shorter would turn innocent text into asterisks."""

_lock = threading.Lock()
_forms: set[str] = set()
_pattern: re.Pattern[str] | None = None


def register(secrets: Iterable[str]) -> None:
    """Mask these values from now on, in every text this process writes."""
    global _pattern
    with _lock:
        for secret in secrets:
            if len(secret) >= SHORTEST_SECRET:
                _forms.update(_spellings(secret))
        # Longest first: a secret that contains another one is masked as a whole.
        longest_first = sorted(_forms, key=len, reverse=True)
        if longest_first:
            _pattern = re.compile("|".join(map(re.escape, longest_first)))


def mask(text: str) -> str:
    """Return `text` with every known secret replaced, in whatever spelling it appears."""
    return text if _pattern is None else _pattern.sub(MASK, text)


def mask_exception(error: BaseException) -> None:
    """Mask the arguments of an exception and of all that it was caused by, in place."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        current.args = tuple(_mask_value(value) for value in current.args)
        for name, value in list(vars(current).items()):
            if isinstance(value, str | bytes):
                setattr(current, name, _mask_value(value))
        pending += [current.__cause__, current.__context__]


class MaskingFilter(logging.Filter):
    """Masks message, arguments and traceback of each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = mask("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        return True


def _mask_value(value: object) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, bytes):
        return mask(value.decode("utf-8", "backslashreplace")).encode()
    if isinstance(value, BaseException):
        mask_exception(value)
        return value
    # Foreign exceptions carry requests, URLs and bodies: their text is all we keep.
    text = str(value)
    masked = mask(text)
    return value if masked == text else masked


def _spellings(secret: str) -> set[str]:
    """Return the forms in which a secret travels: plain, in URLs, in JSON, in base64."""
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    forms |= {form.replace("%2F", "%2f").replace("%3D", "%3d") for form in forms}
    forms.add(json.dumps(secret)[1:-1])
    data = secret.encode()
    # Inside longer base64 text (`user:secret`) a secret starts at one of three offsets.
    # Of each we keep the letters that depend on the secret alone.
    for offset in range(3):
        padded = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
        first = (offset * 8 + 5) // 6
        last = (offset + len(data)) * 8 // 6
        inner = padded[first:last]
        if len(inner) >= 2 * SHORTEST_SECRET:
            forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


# Filters of a logger are not asked for its children's records: connectors log to this one name.
logger = logging.getLogger("connectors")
for _name in ("connectors", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(MaskingFilter())
