"""The sizes in the headers of compressed pictures, against what PyAV's encoders were told."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.imaging.video.headers import is_known, sizes_of
from tests.imaging.video_files import numbered, painted, write_video

CODECS = {
    "h264": ("libx264", ".ts"),
    "hevc": ("libx265", ".ts"),
    "mpg2": ("mpeg2video", ".ts"),
    "mjpg": ("mjpeg", ".avi"),
    "vp80": ("libvpx", ".webm"),
    "vp90": ("libvpx-vp9", ".webm"),
}


def found(path: Path, codec: str) -> set[tuple[int, tuple[int, int]]]:
    with av.open(str(path)) as source:
        return {size for packet in source.demux(video=0) for size in sizes_of(codec, bytes(packet))}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [(48, 64), (66, 98), (52, 68), (240, 320)])
def test_the_size_is_the_one_that_was_encoded(codec: str, size: tuple[int, int], tmp_path: Path):
    encoder, ending = CODECS[codec]
    path = tmp_path / f"clip{ending}"
    pixels = "yuvj420p" if codec == "mjpg" else "yuv420p"
    write_video(path, encoder, (painted(index, *size) for index in range(6)), encode={"g": "2"}, pixels=pixels)
    assert found(path, codec) == {(0, (size[1], size[0]))}


@pytest.mark.parametrize(
    ("codec", "pixels", "size"),
    [
        ("vp90", "yuv444p", (47, 65)),
        ("h264", "yuv444p", (47, 65)),
        ("h264", "yuv422p", (47, 66)),
        ("h264", "gray", (47, 65)),
        ("hevc", "yuv444p", (47, 65)),
        ("vp80", "yuv420p", (47, 65)),
        ("vp90", "yuv420p", (47, 65)),
    ],
)
def test_cropped_sizes_count_in_units_of_chroma(codec: str, pixels: str, size: tuple[int, int], tmp_path: Path):
    encoder, ending = CODECS[codec]
    path = write_video(
        tmp_path / f"clip{ending}", encoder, [painted(index, *size) for index in range(6)], pixels=pixels
    )
    assert found(path, codec) == {(0, (size[1], size[0]))}


@pytest.mark.parametrize("size", [(48, 64), (52, 68), (120, 160)])
def test_frames_of_fields_have_the_height_of_both(size: tuple[int, int], tmp_path: Path):
    frames = (painted(index, *size) for index in range(6))
    path = write_video(tmp_path / "clip.ts", "libx264", frames, encode={"x264-params": "tff=1"})
    assert found(path, "h264") == {(0, (size[1], size[0]))}


def test_h264_sizes_are_found_behind_scaling_lists(tmp_path: Path):
    path = numbered(tmp_path / "clip.ts", "libx264", 6, encode={"x264-params": "cqm=jvt"})
    assert found(path, "h264") == {(0, (64, 48))}


@given(st.sampled_from(sorted(CODECS)), st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(codec: str, data: bytes):
    assert is_known(codec)
    for start in (b"", b"\0\0\1\x67", b"\0\0\1\x42\1", b"\0\0\1\xb3", b"\xff\xd8\xff\xc0"):
        assert all(len(size) == 2 for size in sizes_of(codec, start + data))


def test_other_codecs_tell_nothing():
    assert not is_known("ffv1")
    assert not list(sizes_of("ffv1", b"\0\0\1\xb3abcd"))
