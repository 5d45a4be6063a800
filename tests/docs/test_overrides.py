"""The files of people that the pages show are files that `rapport check` takes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rapport.identity import overrides
from tests.docs.fences import fences, pages


def test_every_csv_block_is_a_file_that_is_read(tmp_path: Path) -> None:
    (tmp_path / overrides.FOLDER).mkdir()
    for fence in (fence for page in pages() for fence in fences(page)):
        if fence.language == "csv":
            assert fence.title, f"{fence}: say which file it is"
            (tmp_path / fence.title).write_text(fence.text, encoding="utf-8")
    read = overrides.load(tmp_path, on=date(2026, 6, 30)).counts()
    assert read.startswith("1 link, 1 unlink, 2 identifiers")
