"""The errors a user can meet while data is fetched and landed.

Belongs here: one class per kind of failure, the two mixins by which a scheduler
decides whether to try again, what a full disk is called, and the name that was
probably meant. Does not belong here: the wording of a particular vendor's mistake,
which is written where it is understood.

Every message reads: what failed, on which `source.stream`, the value in
backticks, what to do next. Facts are attributes; response bodies, personal data
and secrets never enter the text.

    RapportError
    ├── ConfigError      (Fatal)      rapport.yml, an environment variable, a mapping
    ├── AuthError        (Fatal)      refused credential or missing scope
    ├── RequestError                  a request failed for good
    │   ├── RateLimited  (Retriable)  still limited after the waits we allow
    │   ├── QuotaSpent   (Fatal)      a daily quota is used up; the sync ends early
    │   ├── ServerError  (Retriable)  5xx, or an answer that is not what it claims
    │   ├── Unreachable  (Retriable)  no connection, or none in time
    │   └── BadRequest   (Fatal)      the vendor refuses what we ask
    ├── StreamLocked     (Retriable)  another sync of the same stream is running
    ├── LandingError     (Fatal)      files on disk contradict each other, or the disk is full
    ├── BuildError       (Fatal)      dbt failed, or a blocking check did
    └── PublishError     (Fatal)      the published file could not be swapped
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class RapportError(Exception):
    """Base of every error that is meant to be read by a user."""


class Retriable:
    """Mixin: the same call may succeed later."""


class Fatal:
    """Mixin: trying again without a change is pointless."""


class ConfigError(RapportError, Fatal):
    """The configuration, the environment or the command line is wrong (exit status 2)."""


class AuthError(RapportError, Fatal):
    """The vendor refused the credential, or it lacks a scope."""


class RequestError(RapportError):
    """A request to a vendor failed for good.

    Attributes:
        place: `source.stream`, or the source alone.
        status: HTTP status, or None when there was no answer.
    """

    def __init__(self, message: str, *, place: str, status: int | None = None) -> None:
        super().__init__(message)
        self.place = place
        self.status = status


class RateLimited(RequestError, Retriable):
    """The vendor still limits us after every wait we allow."""


class QuotaSpent(RequestError, Fatal):
    """A daily quota is used up: the sync keeps what it has and ends early (exit status 3)."""


class ServerError(RequestError, Retriable):
    """The vendor failed, or answered something that is not what it claims to be."""


class Unreachable(RequestError, Retriable):
    """No connection to the vendor, or no answer in time."""


class BadRequest(RequestError, Fatal):
    """The vendor refuses the request as such; asking again will not help."""


class StreamLocked(RapportError, Retriable):
    """Another sync holds the stream's lock."""


class LandingError(RapportError, Fatal):
    """Files of ours contradict each other, or cannot be read or written."""


class BuildError(RapportError, Fatal):
    """dbt failed, or a blocking check did; nothing was published."""


class PublishError(RapportError, Fatal):
    """The published file could not be written or swapped."""


@contextmanager
def writing(place: str, name: str) -> Iterator[None]:
    """Turn what the disk refuses into a `LandingError` that names stream and file."""
    try:
        yield
    except OSError as error:
        raise LandingError(
            f"{place}: `{name}` cannot be written: {error.strerror or error}. What was landed "
            "before is whole; free space or mend the disk, and run the sync again."
        ) from None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean `x`?` for the closest known name, whatever its case, or nothing."""
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1)
    return f" Did you mean `{folded[close[0]]}`?" if close else ""
