"""GDCM can end its own process on damaged JPEG frames: the process that asked must go on."""

from __future__ import annotations

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import decode_stored, probe
from datamint_like.imaging.dicom import jpeg


@pytest.fixture
def clip(demo_images: Path) -> Path:
    return demo_images / "ultrasound" / "examples_ybr_color.dcm"


@pytest.fixture
def deadly(clip: Path, tmp_path: Path) -> Path:
    """A clip with bytes changed in its first frames' tables, on which GDCM throws through its binding."""
    data = bytearray(clip.read_bytes())
    start = data.find(b"\xff\xd8\xff")
    for at in (data.find(b"\xff\xc4", start), data.find(b"\xff\xdb", start)):
        data[at : at + 60] = bytes(random.Random(at).randrange(256) for _ in range(60))
    (tmp_path / "deadly.dcm").write_bytes(data)
    return tmp_path / "deadly.dcm"


def decoded(path: Path) -> np.ndarray:
    return decode_stored([path], probe([path])).array


def test_a_damaged_frame_is_a_decode_error_and_the_next_file_is_read(clip: Path, deadly: Path):
    before = decoded(clip)
    for _ in range(3):
        with pytest.raises(DecodeError, match=r"deadly\.dcm: its pixels \(JPEG Baseline.*gdcm"):
            decoded(deadly)
    assert np.array_equal(decoded(clip), before)


def test_a_helper_that_does_not_answer_in_time_is_ended(clip: Path, monkeypatch: pytest.MonkeyPatch):
    before = decoded(clip)
    process = jpeg._HELPER._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(jpeg, "_LONGEST_FRAME_S", 0.2)
        with pytest.raises(DecodeError, match="cannot be decoded by gdcm"):
            decoded(clip)
    assert process.returncode == -signal.SIGKILL
    assert np.array_equal(decoded(clip), before)


def test_an_interrupted_frame_is_not_taken_for_the_next_one(clip: Path, monkeypatch: pytest.MonkeyPatch):
    before = decoded(clip)

    def interrupted(*_: object) -> bytearray:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jpeg, "_received", interrupted)
        with pytest.raises(KeyboardInterrupt):
            decoded(clip)
    assert np.array_equal(decoded(clip), before)


def test_threads_share_the_helper(clip: Path):
    expected = decoded(clip)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(array, expected) for array in pool.map(decoded, [clip] * 8))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_starts_a_helper_of_its_own(clip: Path):
    expected = decoded(clip)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(decoded(clip), expected) else 1)
    assert np.array_equal(decoded(clip), expected)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
