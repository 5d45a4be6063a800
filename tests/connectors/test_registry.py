"""Opening a source from its settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import connectors
from connectors import open_source, redaction, registry
from connectors.errors import ConfigError

FORUM = {"url": "https://forum.example", "api_key": "k-123456", "api_username": "rapport"}


@pytest.mark.parametrize("type_", sorted(registry.TYPES))
def test_every_connector_offers_what_the_framework_asks_for(type_):
    module = registry.module(type_)
    assert type_ == module.TYPE
    assert module.SILO in ("crm", "forum", "support", "social", "orders", "other")
    assert issubclass(module.Settings, msgspec.Struct)
    assert isinstance(module.POLICY, connectors.Policy)
    assert callable(module.connect)
    for stream in module.STREAMS:
        assert set(stream.key) <= set(stream.fields), stream.name
        assert stream.cursor is None or stream.cursor in stream.fields, stream.name
        tops = {field.split(".")[0] for field in stream.fields} | set(stream.fields)
        for names in (stream.types, stream.pii, stream.text_fields):
            assert set(names) <= tops, stream.name


def test_an_unknown_type_gets_a_suggestion(tmp_path):
    with pytest.raises(ConfigError) as caught:
        open_source("forum", "discorse", {}, home=tmp_path)
    assert "There is no source type `discorse`. Did you mean `discourse`?" in str(caught.value)


def test_an_unknown_key_gets_a_suggestion_and_values_are_not_repeated(tmp_path):
    settings = {**FORUM, "api_kye": "value-not-shown"}
    with pytest.raises(ConfigError) as caught:
        open_source("forum", "discourse", settings, home=tmp_path)
    assert str(caught.value).startswith(
        "sources.forum: unknown key `api_kye`. Did you mean `api_key`? Keys of type `discourse`: "
    )
    assert "value-not-shown" not in str(caught.value)


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"sources\.forum: the key `url` is missing"):
        open_source("forum", "discourse", {}, home=tmp_path)


def test_a_mistyped_key_is_named_without_its_value(tmp_path):
    with pytest.raises(ConfigError, match=r"sources\.x: `streams`: expected `object`"):
        open_source("x", "files", {"streams": "secret"}, home=tmp_path)


def test_secrets_are_masked_from_the_moment_a_source_is_open(tmp_path):
    open_source("forum", "discourse", {**FORUM, "api_key": "k-very-secret"}, home=tmp_path)
    assert redaction.mask("key k-very-secret") == "key ***"


def test_a_reference_to_the_environment_is_no_secret(tmp_path):
    open_source("forum", "discourse", {**FORUM, "api_key": "${FORUM_KEY}"}, home=tmp_path)
    assert redaction.mask("set ${FORUM_KEY}") == "set ${FORUM_KEY}"


def test_nothing_here_needs_dagster_dbt_or_rapport():
    program = (
        "import sys, connectors\n"
        "from connectors import registry\n"
        "for type_ in registry.TYPES: registry.module(type_)\n"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('dagster', 'dbt', 'assets', 'rapport', 'sandbox')])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_the_public_names_are_all_there():
    assert sorted(connectors.__all__) == connectors.__all__
    for name in connectors.__all__:
        assert getattr(connectors, name).__doc__
    assert Path(connectors.__path__[0]).name == "connectors"
