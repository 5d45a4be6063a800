"""Every change of strategy.yml is a dated version that says what changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from rapport import strategy_versions

FIRST = datetime(2026, 11, 2, 6, tzinfo=UTC)


def write(folder: Path, text: str, day: int) -> list[strategy_versions.Row]:
    """Return the versions after a build on that day read this text."""
    path = folder / "strategy.yml"
    path.write_text(text)
    strategy_versions.record(path, folder, FIRST + timedelta(days=day))
    return strategy_versions.rows(folder)


def test_a_change_is_a_version_with_its_day_and_what_changed(tmp_path: Path) -> None:
    write(tmp_path, "version: 2026-11\ncommunity: {absence_factor: 5, quick_ratio: 1}\n", 0)
    first, second = write(
        tmp_path,
        "version: 2026-12\ncommunity: {absence_factor: 15}\n"
        "relationships: [{id: maker, goals: [{metric: reciprocity, target: '>= 0.3'}]}]\n",
        30,
    )
    assert first[:3] == (1, "2026-11", "2026-11-02T06:00:00+00:00")
    assert second[:3] == (2, "2026-12", "2026-12-02T06:00:00+00:00")
    assert first[3] != second[3]
    assert second[4].split("; ") == [
        "community.absence_factor is 15, was 5",
        "community.quick_ratio is gone, was 1",
        "relationships.maker.goals.reciprocity.metric is reciprocity",
        "relationships.maker.goals.reciprocity.target is >= 0.3",
        "relationships.maker.id is maker",
    ]


def test_comments_and_order_are_no_change(tmp_path: Path) -> None:
    one = write(tmp_path, "version: 2026-11\nlevels: {leading: 0.99, contributing: 0.9}\n", 0)
    other = write(
        tmp_path, "# said\nlevels: {contributing: 0.9, leading: 0.99}\nversion: 2026-11\n", 1
    )
    assert one == other


def test_a_removed_file_is_a_version_and_one_that_never_was_is_none(tmp_path: Path) -> None:
    absent = tmp_path / "strategy.yml"
    strategy_versions.record(absent, tmp_path, FIRST)
    assert strategy_versions.rows(tmp_path) == []
    write(tmp_path, "version: 2026-11\n", 0)
    absent.unlink()
    strategy_versions.record(absent, tmp_path, FIRST + timedelta(days=9))
    assert [row[1] for row in strategy_versions.rows(tmp_path)] == ["2026-11", "none"]
