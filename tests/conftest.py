"""What all tests share: time for laws, their order, and hearing which messages our errors carry.

Only a run of all tests hears every message that the source can say; such a run fails if one
was never said. The tests may run in several processes (`pytest -n 2`): each tells the first
one what it heard.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from connectors.errors import RapportError
from tests.docs.messages import never_said

# A busy machine is no reason to fail a law.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

HEARD = pytest.StashKey[set[str]]()
UNSAID = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    heard: set[str] = set()
    config.stash[HEARD] = heard

    def hear(error: RapportError, *arguments: Any) -> None:
        heard.update(str(argument) for argument in arguments[:1])
        Exception.__init__(error, *arguments)

    RapportError.__init__ = hear  # type: ignore[method-assign, assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files that build tables: what is left at the end fills every process."""
    slow = {
        item.path
        for item in items
        if item.get_closest_marker("demo") or item.get_closest_marker("dbt")
    }
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what a worker process of pytest-xdist heard."""
    node.config.stash[HEARD].update(getattr(node, "workeroutput", {}).get("heard", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    heard = config.stash[HEARD]
    if hasattr(config, "workeroutput"):
        config.workeroutput["heard"] = sorted(heard)
    elif session.exitstatus == pytest.ExitCode.OK and runs_every_test(config):
        config.stash[UNSAID] = never_said(heard)
        if config.stash[UNSAID]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def runs_every_test(config: pytest.Config) -> bool:
    """Tell whether nothing was left out, PostgreSQL included: nobody else hears what it refuses."""
    from tests.connectors.test_sql import postgres_programs

    is_chosen = config.option.markexpr or config.option.keyword
    return (
        config.args_source is config.ArgsSource.TESTPATHS
        and not is_chosen
        and bool(postgres_programs())
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for message in config.stash.get(UNSAID, []):
        terminalreporter.write_line(f"FAILED: no test provokes the message: {message}", red=True)
