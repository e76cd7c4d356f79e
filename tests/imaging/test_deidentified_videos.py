"""Videos without metadata: titles, places, dates and tags are overwritten in place, pictures stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from datamint_like.imaging import decode_stored, probe
from datamint_like.imaging.deidentify import Deidentified, DeidentifyOptions, deidentify_files
from tests.imaging.video_files import painted, read_by_pyav

SECRETS = (b"Quixote Alonso", b"case of Toboso", b"Lavf")
CODECS = {"mp4": "libx264", "mov": "libx264", "mkv": "libx264", "webm": "libvpx", "avi": "mjpeg"}


@contextmanager
def opened(path: Path, codec: str) -> Iterator[tuple[Any, Any]]:
    with av.open(str(path), "w") as target:
        target.metadata.update(
            title="Quixote Alonso", comment="case of Toboso", creation_time="2017-03-11T10:15:00.000000Z"
        )
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.metadata.update(title="Quixote Alonso")
        yield target, stream


def written(path: Path) -> Path:
    with opened(path, CODECS[path.suffix[1:]]) as (target, stream):
        for index in range(6):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(painted(index), "rgb24")))
        target.mux(stream.encode(None))
    return path


def clean(path: Path) -> Deidentified:
    (path.parent / "made").mkdir()
    return deidentify_files([path], path.parent / "made", DeidentifyOptions(b"a secret for tests only"))


@pytest.mark.parametrize("suffix", CODECS)
def test_no_text_is_left_and_every_frame_stays(suffix: str, tmp_path: Path) -> None:
    before = written(tmp_path / f"alonso.{suffix}")
    done = clean(before)
    assert not done.skipped
    after = done.files[before]
    assert SECRETS[0] in before.read_bytes()
    assert [secret for secret in SECRETS if secret in after.read_bytes()] == []
    assert after.suffix == before.suffix
    assert np.array_equal(read_by_pyav(after), read_by_pyav(before))
    facts, same = probe([before]), probe([after])
    assert facts == same
    assert np.array_equal(decode_stored([after], same).array, decode_stored([before], facts).array)
    with av.open(str(after)) as source:
        assert not {"title", "comment", "creation_time", "DATE"} & {
            key for key, value in source.metadata.items() if value
        }


def test_a_file_with_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as target:
        pictures, sound = target.add_stream("libx264", rate=25), target.add_stream("aac", rate=48000, layout="mono")
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        for index in range(4):
            target.mux(pictures.encode(av.VideoFrame.from_ndarray(painted(index), "rgb24")))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        target.mux(sound.encode(frame))
        target.mux(pictures.encode(None))
        target.mux(sound.encode(None))
    assert "in which people may be named" in clean(path).skipped[0].reason


def test_a_transport_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    with opened(path, "libx264") as (target, stream):
        for index in range(6):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(painted(index), "rgb24")))
        target.mux(stream.encode(None))
    assert "MPEG transport stream" in clean(path).skipped[0].reason
