"""Damaged files of every format: an error of ours that names the file, or values; never a crash, a hang or a flood."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import real_data_folder
from tests.fuzz.corpus import write_corpus
from tests.fuzz.run import LONGEST_S, run


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "corpus"
    write_corpus(folder)
    return folder


def test_damaged_files_give_values_or_an_error_that_names_them(corpus: Path, tmp_path: Path):
    tally = run(corpus, tmp_path / "scratch", seed=1, count=400)
    assert not tally.failures, "\n\n".join(tally.failures[:3])
    assert sum(tally.outcomes.values()) == 400
    assert tally.outcomes["DecodeError"] > 100
    assert tally.outcomes["read"] > 10


@pytest.mark.soak
def test_many_damaged_files_of_the_real_data_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = real_data_folder()
    write_corpus(tmp_path / "corpus", root if root.is_dir() else None)
    count = int(os.environ.get("DATAMINT_LIKE_FUZZ_CASES", "20000"))
    seed = int(os.environ.get("DATAMINT_LIKE_FUZZ_SEED", "2"))
    tally = run(tmp_path / "corpus", tmp_path / "scratch", seed=seed, count=count)
    with capsys.disabled():
        print(json.dumps({"damaged_files": tally.as_json()}))
    assert not tally.failures, "\n\n".join(tally.failures[:5])
    assert tally.slowest_s < LONGEST_S
