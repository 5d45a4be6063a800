"""Secrets are masked by value, wherever they turn up.

Belongs here: the list of secret values this process knows, the forms in which
they travel, and what cleans text, exceptions and log records of them. Does not
belong here: which settings are secret (`registry`), or what may be landed at all
(`records`).
"""

from __future__ import annotations

import base64
import logging
import re
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

MASK = "***"
SHORTEST_SECRET = 4
"""Characters. Anything shorter would turn innocent text into asterisks."""

_lock = threading.Lock()
_patterns: dict[str, re.Pattern[str]] = {}
"""Secret -> what finds it in all its forms, the longest first: one that contains another is masked
as a whole. Each is compiled once: tokens are renewed, so a process comes to know many. It is
replaced, never changed, for others may be reading it."""


def register(secrets: Iterable[str]) -> None:
    """Mask these values from now on, in every text this process writes."""
    global _patterns
    with _lock:
        new = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET} - _patterns.keys()
        if new:
            known = _patterns | {secret: re.compile(_spellings(secret)) for secret in new}
            _patterns = {secret: known[secret] for secret in sorted(known, key=len, reverse=True)}


@contextmanager
def forgetting() -> Iterator[None]:
    """Forget, at the end of the block, what was registered in it: it was of a world now gone."""
    global _patterns
    before = _patterns
    try:
        yield
    finally:
        _patterns = before


def mask(text: str) -> str:
    """Return `text` with every known secret replaced, in whatever spelling it appears."""
    for pattern in _patterns.values():
        text = pattern.sub(MASK, text)
    return text


def mask_exception(error: BaseException) -> None:
    """Mask what an exception, and all that it was caused by or carries, would say, in place."""
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        current = pending.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        named = {name: getattr(current, name, None) for name in _OF_OSERROR}
        pending += [*current.args, *vars(current).values(), current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions
        notes = [mask(note) for note in getattr(current, "__notes__", ())]
        current.args = tuple(map(_mask_value, current.args))
        for name, value in [*named.items(), *vars(current).items()]:
            if (masked := _mask_value(value)) is not value and masked != value:
                setattr(current, name, masked)
        if notes:
            current.__notes__ = notes


class MaskingFilter(logging.Filter):
    """Masks message, arguments and traceback of each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = mask("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        return True


_OF_OSERROR = ("filename", "filename2", "strerror")
"""What an `OSError` says besides its arguments, and keeps to itself."""


def _mask_value(value: object) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, bytes):
        return mask(value.decode("utf-8", "backslashreplace")).encode()
    if isinstance(value, BaseException):
        return value  # masked by itself
    # Foreign exceptions carry requests, URLs and bodies: their text is all we keep.
    text = str(value)
    masked = mask(text)
    return value if masked == text else masked


# The forms in which a secret travels

_ESCAPE = r"\\{1,8}"
"""Backslashes before an escaped letter: one, or more where JSON lies in JSON."""
_JSON_LETTERS = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_BASE64 = "(?:%2[bBfF]|[A-Za-z0-9+/_-])"
LEAST_BASE64 = 8
"""Letters. Shorter ones would be found in innocent words."""


def _spellings(secret: str) -> str:
    """Return a pattern of all forms: plain, in URLs, in JSON, in base64, and as `repr` has it."""
    forms = ["".join(map(_letter, secret)), *_in_base64(secret.encode("utf-8", "surrogatepass"))]
    if not secret.isascii() and max(secret) <= "\xff":  # as Basic credentials travel
        forms += _in_base64(secret.encode("latin-1"))
    return "|".join(forms)


def _letter(letter: str) -> str:
    """Return a pattern for one letter, escaped or not; letters and digits never are."""
    if letter.isascii() and letter.isalnum():
        return letter
    data, units = (letter.encode(form, "surrogatepass") for form in ("utf-8", "utf-16-be"))
    escaped = [
        "".join(f"%(?:25)*{byte:02x}" for byte in data),
        "".join(f"{_ESCAPE}u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)),
        "".join(f"{_ESCAPE}x{byte:02x}" for byte in data),
        f"{_ESCAPE}x{ord(letter):02x}",
        f"{_ESCAPE}U{ord(letter):08x}",
    ]
    if letter in _JSON_LETTERS:
        escaped.append(_ESCAPE + _JSON_LETTERS[letter])
    plain = {"\\": _ESCAPE, " ": r"[ +]"}.get(letter, re.escape(letter))
    if letter in "\"'/":
        plain = f"(?:{_ESCAPE})?{plain}"
    # The longest first: `%` itself begins `%25`.
    return f"(?:(?i:{'|'.join(escaped)})|{plain})"


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield patterns for a secret inside longer base64 text (`user:secret`).

    There it starts at one of three offsets. The letters that depend on it alone are looked for;
    the one before that shares bits with it goes with them, and so does what follows: a secret
    that repeats itself is found at more than one offset.
    """
    for offset in range(3):
        start, end = offset * 8, (offset + len(data)) * 8
        letters = base64.b64encode(b"\0" * offset + data).decode()[-(-start // 6) : end // 6]
        if len(letters) >= LEAST_BASE64:
            own = letters.replace("+", "(?:[+-]|%2[bB])")
            own = own.replace("/", r"(?:\\?/|_|%2[fF])")
            shared = f"{_BASE64}?" if start % 6 else ""
            yield f"{shared}{own}{_BASE64}*"


# Filters of a logger are not asked for its children's records: connectors log to this one name.
logger = logging.getLogger("connectors")
for _name in ("connectors", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(MaskingFilter())
