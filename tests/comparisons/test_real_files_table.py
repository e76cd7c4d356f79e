"""The page of real files says what a run says now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.comparisons.table import TARGET, table


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom of files that are odd on purpose
def test_the_table_of_real_files_is_what_a_run_gives(real_data: Path):
    found, kept = table(real_data).splitlines(), TARGET.read_text().splitlines()
    changed = [line for line in found if line not in kept] + [f"gone: {line}" for line in kept if line not in found]
    assert not changed, "\n".join(["make compare writes it again:", *changed])
