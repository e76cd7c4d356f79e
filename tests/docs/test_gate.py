"""The gate's count of skipped tests, over reports that pytest itself wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BODY = """
import pytest

def test_of_real_data_skips_by_itself(real_data):
    pytest.skip("a file is missing")

def test_of_shipped_data(demo_images):
    pass

def test_that_skips_for_another_reason():
    pytest.skip("no such hardware")
"""


def gate(folder: Path, real_data: Path, select: str) -> subprocess.CompletedProcess[str]:
    """Run a small suite with our conftest, then the gate's script on its report."""
    (folder / "test_small.py").write_text(BODY)
    (folder / "conftest.py").write_bytes((REPOSITORY / "tests" / "conftest.py").read_bytes())
    (folder / "pytest.ini").write_text("[pytest]\n")
    env = {**os.environ, "DATAMINT_LIKE_TEST_DATA": str(real_data), "PYTHONPATH": str(REPOSITORY)}
    report = folder / "junit.xml"
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", select, f"--junitxml={report}"]
    subprocess.run(suite, cwd=folder, env=env, capture_output=True, check=True)
    script = [sys.executable, str(REPOSITORY / ".ci" / "skips.py"), str(report)]
    return subprocess.run(script, env=env, capture_output=True, text=True, check=False)


def test_a_skipped_test_of_real_data_that_is_there_fails_the_gate(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = gate(tmp_path, tmp_path / "data", "test")
    assert done.returncode == 1
    assert "skipped tests: 2" in done.stdout
    assert "1 tests of the real data skipped although" in done.stdout


def test_the_same_skip_passes_where_the_folder_is_absent(tmp_path: Path) -> None:
    done = gate(tmp_path, tmp_path / "absent", "test")
    assert done.returncode == 0
    assert "the folder of real test data is absent" in done.stdout


def test_other_skips_are_counted_and_pass(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = gate(tmp_path, tmp_path / "data", "another")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "skipped tests: 1")


def test_a_missing_report_fails_the_gate(tmp_path: Path) -> None:
    script = [sys.executable, str(REPOSITORY / ".ci" / "skips.py"), str(tmp_path / "none.xml")]
    assert subprocess.run(script, capture_output=True, check=False).returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="file modes of POSIX")
def test_the_gate_is_executable() -> None:
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)
