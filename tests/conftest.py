"""What all tests share: hearing which messages our errors carry while they run.

`tests/docs/test_troubleshooting.py` compares them with those that the source can say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.errors import RapportError

HEARD = pytest.StashKey[set[str]]()
LAST = "test_every_message_is_said_in_some_test"


def pytest_configure(config: pytest.Config) -> None:
    heard: set[str] = set()
    config.stash[HEARD] = heard

    def hear(error: RapportError, *arguments: Any) -> None:
        heard.update(str(argument) for argument in arguments[:1])
        Exception.__init__(error, *arguments)

    RapportError.__init__ = hear  # type: ignore[method-assign, assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.name == LAST)


@pytest.fixture
def heard(request: pytest.FixtureRequest) -> set[str]:
    """Every message that was said so far; only a run of all tests can tell, others are skipped."""
    run = {item.path for item in request.session.items}
    every = set(Path(__file__).parent.rglob("test_*.py"))
    if run != every or request.config.option.markexpr or request.config.option.keyword:
        pytest.skip("only a run of all tests hears every message")
    return request.config.stash[HEARD]
