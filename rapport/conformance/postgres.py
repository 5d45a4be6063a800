"""A PostgreSQL of our own on a free port, where its programs are installed.

Belongs here: starting and stopping one. Does not belong here: what is in it (`sql`).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

PASSWORD = "p@ss/w:rd %41'x"


def postgres_programs() -> Path | None:
    """Return the folder of initdb and pg_ctl: Debian keeps them off the path."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


class Cluster:
    """A private PostgreSQL on a free port, with TLS; the superuser is `postgres`."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.programs = programs
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs."""
        # The server refuses to run as root.
        user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **user
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Make a cluster and let it run."""
        (self.folder / "secret").write_text(PASSWORD)
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        has_tls = shutil.which("openssl") is not None
        if has_tls:
            subprocess.run(
                ["openssl", "req", "-new", "-x509", "-nodes", "-subj", "/CN=localhost",
                 "-days", "2", "-keyout", str(key), "-out", str(certificate)],
                check=True, capture_output=True,
            )  # fmt: skip
            key.chmod(0o600)
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, "postgres")
        self.run("initdb", "-D", "data", "-U", "postgres", "-A", "scram-sha-256",
                 "--pwfile=secret", "-E", "UTF8", "--no-locale", "--no-sync")  # fmt: skip
        lines = [
            f"port = {self.port}", "fsync = off", "listen_addresses = '127.0.0.1'",
            f"unix_socket_directories = '{self.folder}'", "timezone = 'America/New_York'",
            "datestyle = 'German'",
        ]  # fmt: skip
        if has_tls:
            lines += ["ssl = on", f"ssl_key_file = '{key}'", f"ssl_cert_file = '{certificate}'"]
        with (self.folder / "data/postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "start")

    def stop(self) -> None:
        """End it at once."""
        self.run("pg_ctl", "-D", "data", "-m", "immediate", "stop")

    def url(self, database: str, user: str = "postgres", password: str = PASSWORD) -> sa.URL:
        """Return the address of a database."""
        return sa.URL.create("postgresql+pg8000", user, password, "127.0.0.1", self.port, database)


@contextmanager
def running() -> Iterator[Cluster]:
    """Yield a server that ends with the block; its programs must be there."""
    programs = postgres_programs()
    assert programs is not None
    # Not below a folder that the server's own user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="rapport-postgres-"))
    folder.chmod(0o755)
    made = Cluster(folder, programs)
    try:
        made.start()
        yield made
    finally:
        if (folder / "data/postmaster.pid").exists():
            made.stop()
        shutil.rmtree(folder, ignore_errors=True)
