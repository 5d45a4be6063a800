"""A connection that only reads, to any database that SQLAlchemy has an address for.

Belongs here: addresses and drivers, what keeps a connection from writing, and what the errors of
databases mean. Does not belong here: tables, queries and rows (`connectors.sql`).

SQLAlchemy is imported when it is first needed.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors import redaction
from connectors.errors import (
    AuthError,
    BadRequest,
    ConfigError,
    RapportError,
    ServerError,
    Unreachable,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

LOCK_WAIT_S = 30


class ReadOnly:
    """A database that can be connected to, and not written to.

    Args:
        name: the source's name, for errors.
        url: SQLAlchemy's address.
        password: put into it, if given.
        folder: where the relative path of an SQLite file starts.

    Raises `ConfigError` when the address is none; what was written is never repeated. Secrets in
    it are masked from then on.
    """

    def __init__(self, name: str, url: str, password: str | None, folder: Path) -> None:
        self.name = name
        self.url = _parse_url(name, url, password)
        self.folder = folder
        redaction.register(_secrets_of(self.url))

    @property
    def account(self) -> str:
        """Return user, host and database; an SQLite file by its name."""
        return _account(self.url)

    @contextmanager
    def connected(self, place: str) -> Iterator[sa.Connection]:
        """Open a connection and close it without a commit.

        Raises:
            ConfigError, AuthError, Unreachable, ServerError, BadRequest: as `_explained` tells
                them apart; also for what goes wrong while the connection is used.
        """
        import sqlalchemy as sa

        try:
            with self._opened(place) as connection:
                yield connection
        except (sa.exc.SQLAlchemyError, UnicodeDecodeError, OSError) as error:
            raise _explained(error, place, self.account) from None
        finally:
            self._engine.dispose()

    def _opened(self, place: str) -> sa.Connection:
        try:
            return self._engine.connect()
        except TypeError as error:
            option = re.search(r"keyword argument '(\w+)'", str(error))
            if option is None:
                raise
            raise ConfigError(
                f"{place}: the driver of `{self.url.drivername}` knows no option `{option[1]}`. "
                "Take it out of `url`."
            ) from None

    @cached_property
    def _engine(self) -> sa.Engine:
        import sqlalchemy as sa

        try:
            url, options = _driver_options(self.url, self.name, self.folder)
            engine = sa.create_engine(
                url, poolclass=sa.NullPool, hide_parameters=True, connect_args=options
            )
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
            raise _no_driver(self.name, self.url, error) from None
        _make_read_only(engine)
        # Of a statement that failed, the cursor cannot be closed: no news, and no traceback worth.
        pool = logging.getLogger("sqlalchemy.pool.impl.NullPool")
        pool.addFilter(_is_news)
        return engine


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg != "Error closing cursor"


# Statements

_QUIET = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \[[^\]]*\]
      | --[^\n]* | /\*.*?\*/ | \$(\w*)\$.*?\$\1\$""",
    re.VERBOSE | re.DOTALL,
)
"""Parts of a statement that are no words of SQL: texts, quoted names, comments."""
_WRITES = re.compile(r"\b(insert|update|delete|merge|into)\b", re.IGNORECASE)


def check_query(place: str, query: str) -> None:
    """Refuse what is not one SELECT; the database's read-only mode is the second guard."""
    words = _QUIET.sub(" ", without_semicolon(query)).strip()
    if not re.match(r"(select|with|values)\b", words, re.IGNORECASE):
        raise ConfigError(f"{place}: only a SELECT is run; this is none.")
    if ";" in words:
        raise ConfigError(f"{place}: holds more than one statement. Write a single SELECT.")
    written = _WRITES.search(words)
    if written:
        raise ConfigError(
            f"{place}: the word `{written[0]}` belongs to a statement that writes; only a "
            "SELECT is run. If it is a column's name, put it into double quotes."
        )


def without_semicolon(query: str) -> str:
    """Return a statement without the semicolon that ends it."""
    words = _QUIET.sub(lambda quiet: " " * len(quiet[0]), query).rstrip()
    return query[: len(words) - 1] if words.endswith(";") else query


# Address and driver


def _parse_url(name: str, written: str, password: str | None) -> sa.URL:
    import sqlalchemy as sa

    try:
        url = sa.make_url(written)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(
            f"sources.{name}.url is no address of a database. Write it like "
            "`postgresql://user@host:5432/database` or `sqlite:///file.db`."
        ) from None
    if password:
        url = url.set(password=password)
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+pg8000")
    return url


def _secrets_of(url: sa.URL) -> list[str]:
    from connectors.registry import SECRET_SETTING

    texts = [str(value) for name, value in url.query.items() if SECRET_SETTING.search(name)]
    return [text for text in (str(url.password or ""), *texts) if text]


def _account(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return Path(url.database or "").name
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"{user}{url.host or 'localhost'}{port}/{url.database or ''}"


def _driver_options(url: sa.URL, name: str, folder: Path) -> tuple[sa.URL, dict[str, Any]]:
    """Return the address and the arguments as the driver wants them."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_read_only(url, name, folder), {"timeout": LOCK_WAIT_S}
    if url.get_driver_name() == "pg8000":
        return _without_libpq_words(url)
    return url, {}


def _sqlite_read_only(url: sa.URL, name: str, folder: Path) -> sa.URL:
    if not url.database or url.database == ":memory:":
        raise ConfigError(
            f"sources.{name}.url names no SQLite file. Write `sqlite:///file.db`, or four "
            "slashes for a path from the root."
        )
    if url.database.startswith("file:"):
        return url
    path = (folder / url.database).resolve()
    if not path.is_file():
        # SQLite would make an empty database of that name.
        raise ConfigError(
            f"sources.{name}.url: there is no file `{url.database}`, looked for from the folder "
            f"`{folder}`."
        )
    return url.set(database=path.as_uri(), query={"mode": "ro", "uri": "true"})


def _without_libpq_words(url: sa.URL) -> tuple[sa.URL, dict[str, Any]]:
    """Translate what addresses of hosted databases carry for libpq, and pg8000 does not know.

    https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
    """
    options: dict[str, Any] = {}
    mode = str(url.query.get("sslmode", "prefer"))
    root = url.query.get("sslrootcert")
    if mode in ("require", "verify-ca", "verify-full"):
        context = ssl.create_default_context(cafile=str(root) if root else None)
        context.check_hostname = mode == "verify-full"
        if mode == "require":
            context.verify_mode = ssl.CERT_NONE
        options["ssl_context"] = context
    if "connect_timeout" in url.query:
        options["timeout"] = float(str(url.query["connect_timeout"]))
    ours = ["sslmode", "sslrootcert", "connect_timeout", "channel_binding"]
    return url.difference_update_query(ours), options


def _no_driver(name: str, url: sa.URL, error: Exception) -> ConfigError:
    missing = getattr(error, "name", None)
    if isinstance(error, ImportError) and missing:
        return ConfigError(
            f"sources.{name}.url: a database of kind `{url.drivername}` needs the Python package "
            f"`{missing}`, which is not installed. Install it beside Rapport."
        )
    return ConfigError(
        f"sources.{name}.url: `{url.drivername}` is no kind of database that SQLAlchemy knows "
        "here. Install its dialect, or correct the word before `://`."
    )


def _make_read_only(engine: sa.Engine) -> None:
    """Let the database itself refuse every write, and speak of times in UTC."""
    import sqlalchemy as sa

    kind = engine.dialect.name

    def on_connect(connection: Any, _: Any) -> None:
        if kind == "sqlite":
            connection.execute("pragma query_only = on")
            # Bytes that are no UTF-8 travel on, for the record check to find.
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        elif kind in ("mysql", "mariadb"):
            with connection.cursor() as cursor:
                cursor.execute("set session transaction read only")
                cursor.execute("set time_zone = '+00:00'")

    def on_begin(connection: sa.Connection) -> None:
        if kind == "postgresql":
            # Of the transaction alone, so that a pooler hands nothing on to others.
            connection.exec_driver_sql("set transaction isolation level repeatable read, read only")
            connection.exec_driver_sql("set local time zone 'UTC'")
            connection.exec_driver_sql("set local datestyle = 'ISO'")
            connection.exec_driver_sql(f"set local lock_timeout = '{LOCK_WAIT_S * 1000:.0f}ms'")

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)


# Errors

_SQLITE_STATES = {
    "no such table": "42P01",
    "no such column": "42703",
    "syntax error": "42601",
    "incomplete input": "42601",
    "readonly": "25006",
    "unable to open": "08001",
    "not a database": "3D000",
    "locked": "55P03",
    "busy": "55P03",
}
_MYSQL_STATES = {
    1044: "42501", 1045: "28000", 1049: "3D000", 1054: "42703", 1064: "42601", 1142: "42501",
    1143: "42501", 1146: "42P01", 1792: "25006", 2002: "08001", 2003: "08001", 2005: "08001",
    2006: "08006", 2013: "08006",
}  # fmt: skip


def sqlstate(error: Exception) -> str:
    """Return the five letters by which the SQL standard names an error, or nothing."""
    orig: Any = getattr(error, "orig", None) or error
    facts = orig.args[0] if orig.args else None
    if isinstance(facts, dict):  # pg8000
        return str(facts.get("C", ""))
    if isinstance(facts, int):
        return _MYSQL_STATES.get(facts, "")
    state = getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None)
    if state:
        return str(state)
    words = str(orig)
    return next((state for part, state in _SQLITE_STATES.items() if part in words), "")


def _explained(error: Exception, place: str, where: str) -> RapportError:
    """Turn what SQLAlchemy and the drivers raise into ours.

    The database's words are repeated only where they name tables and columns, never where they
    could quote a value.
    """
    import sqlalchemy as sa

    state = sqlstate(error)
    said = f" The database says: {_words(error)}." if state[:2] in ("42", "3D", "3F") else ""
    if isinstance(error, UnicodeDecodeError):
        return ServerError(
            f"{place}: the database sent text that is not UTF-8. Mend it there, or leave the "
            "column out with `fields`.",
            place=place,
        )
    if state.startswith("28"):
        return AuthError(
            f"{place}: `{where}` refused the user or its password. Check `url` and `password`."
        )
    if state == "42501":
        return AuthError(f"{place}: a permission is missing at `{where}`.{said} Grant SELECT.")
    if state == "25006":
        return ConfigError(
            f"{place}: the statement wants to write, and the connection only reads. Nothing was "
            "changed. Write a SELECT that calls no function that writes."
        )
    if state[:2] in ("42", "3D", "3F"):
        return ConfigError(f"{place}: `{where}` cannot do what rapport.yml asks.{said} Correct it.")
    if state.startswith("57014"):
        return ServerError(
            f"{place}: `{where}` broke the query off, as it took too long. Put an index on the "
            "cursor, set `count: false`, or allow the user more time.",
            place=place,
        )
    is_lost = isinstance(error, OSError | sa.exc.InterfaceError) or state[:2] in ("08", "57", "53")
    if is_lost or getattr(error, "connection_invalidated", False):
        return Unreachable(
            f"{place}: no connection to `{where}`, or it was lost. Check host, port and network "
            "and run the sync again; it goes on where it was.",
            place=place,
        )
    if state in ("40001", "55P03") or state.startswith("XX") or not state:
        return ServerError(
            f"{place}: `{where}` failed{f' with `{state}`' if state else ''} "
            f"({type(getattr(error, 'orig', None) or error).__name__}). Try again later.",
            place=place,
        )
    return BadRequest(
        f"{place}: `{where}` refused the query with `{state}`: a value or a function in it fails. "
        "Run it by hand to see where.",
        place=place,
    )


def _words(error: Exception) -> str:
    orig: Any = getattr(error, "orig", None) or error
    facts = orig.args[0] if orig.args else ""
    text = str(facts.get("M", "")) if isinstance(facts, dict) else str(orig)
    return redaction.mask(text.strip().splitlines()[0].rstrip("."))[:200] if text.strip() else "?"
