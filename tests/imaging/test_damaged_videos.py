"""Damaged, cut, lying and foreign files: a named error in bounded time, and never other pictures."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import decode_stored, probe
from datamint_like.imaging.sniff import video_mimetype
from tests.imaging.video_files import (
    KINDS,
    MIMETYPES,
    numbered,
    numbers_of,
    painted,
    read_by_pyav,
    write_kind,
    write_sound,
    write_video,
)

CUT_KINDS = ("h264_b_frames.mp4", "h264_front.mp4", "png.mov", "mjpeg.avi", "ffv1.mkv", "vp9.webm", "h264_open_gop.ts")


@pytest.mark.parametrize("name", CUT_KINDS)
def test_a_file_that_is_cut_anywhere_is_refused_by_name(name: str, tmp_path: Path):
    path = write_kind(tmp_path, name)
    data = path.read_bytes()
    packet = 188 if name.endswith(".ts") else 1
    places = {1, 2, 5, 100, len(data) - 1, len(data) - 7, *(len(data) * k // 24 for k in range(1, 24))}
    for place in sorted(places):
        if place % packet == 0 and packet > 1:  # a stream that ends between packets does not show that it was longer
            continue
        path.write_bytes(data[:place])
        with pytest.raises(DecodeError, match=f"^{name}: "):
            probe([path])


def test_a_live_recording_without_lengths_is_read_and_refused_when_cut(tmp_path: Path):
    path = numbered(tmp_path / "live.webm", "libvpx", mux={"live": "1"})
    facts = probe([path])
    assert decode_stored([path], facts).array.shape == (3, 30, 48, 64)
    data = path.read_bytes()
    assert data.count(b"\x01\xff\xff\xff\xff\xff\xff\xff") >= 1
    path.write_bytes(data[: len(data) - 20])
    with pytest.raises(DecodeError, match=r"live\.webm: it is cut short"):
        probe([path])


def test_an_unfinished_recording_says_so(tmp_path: Path):
    path = write_kind(tmp_path, "h264_b_frames.mp4")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(DecodeError, match=r"no movie box.*recording was not finished"):
        probe([path])
    path = write_kind(tmp_path, "mjpeg.avi")
    data = bytearray(path.read_bytes())
    data[4:8] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"length was never written.*ffmpeg"):
        probe([path])


def test_bytes_behind_the_last_box_do_not_matter(tmp_path: Path):
    for name in ("h264_b_frames.mp4", "mjpeg.avi", "ffv1.mkv"):
        path = write_kind(tmp_path, name)
        path.write_bytes(path.read_bytes() + bytes(64))
        assert probe([path]).shape == (30, 48, 64)


def test_every_riff_chunk_of_a_long_avi_is_walked(tmp_path: Path):
    path = write_kind(tmp_path, "mjpeg.avi")
    more = b"RIFF\x20\0\0\0AVIXLIST\x14\0\0\0movi00dc\x08\0\0\0" + bytes(8)
    path.write_bytes(path.read_bytes() + more)
    assert probe([path]).shape[0] == 30
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DecodeError, match=r"mjpeg\.avi: it is cut short"):
        probe([path])


def test_a_quicktime_file_without_a_file_type_is_read(tmp_path: Path):
    path = write_kind(tmp_path, "png.mov")
    for first in (b"free", b"skip", b"wide"):
        path.write_bytes(path.read_bytes().replace(path.read_bytes()[4:8], first, 1))
        assert probe([path]).mimetype == "video/quicktime"
        assert decode_stored([path], probe([path])).array.shape == (3, 30, 48, 64)


@pytest.mark.parametrize("name", ["sound.mp4", "sound.mov", "sound.mkv", "sound.ts", "sound.avi"])
def test_a_file_with_sound_only_is_refused(name: str, tmp_path: Path):
    path = write_sound(tmp_path / name)
    with pytest.raises(DecodeError, match=rf"^{name}: .*(no video track|no video in it)"):
        probe([path])


def test_a_codec_that_opencv_cannot_decode_is_refused(tmp_path: Path):
    path = numbered(tmp_path / "clip.webm", "libsvtav1", 2)
    if cv2.__version__ != "5.0.0":
        pytest.skip("another build of OpenCV may decode AV1")
    with pytest.raises(DecodeError, match=r"clip\.webm: .*AV1.*ffmpeg"):
        probe([path])


def refused_or(check: Callable[[Path], None], path: Path) -> None:
    """OpenCV 5.0 returns old memory for interlaced frames and calls it a picture; other versions read them."""
    if cv2.__version__ == "5.0.0":
        with pytest.raises(DecodeError, match=rf"^{path.name}: .*interlaced.*ffmpeg"):
            decode_stored([path], probe([path]))
    else:
        check(path)


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("size", [(48, 64), (576, 720)])
def test_interlaced_video_is_refused_or_right(count: int, size: tuple[int, int], tmp_path: Path):
    def is_right(path: Path) -> None:
        array = decode_stored([path], probe([path])).array
        assert np.abs(array.astype(int) - read_by_pyav(path)).mean() < 1.5

    probe([numbered(tmp_path / "frames.mkv", "libx264", 3)])  # leaves true pictures in memory
    frames = (painted(index, *size) for index in range(count))
    path = tmp_path / "fields.mkv"
    write_video(path, "libx264", frames, encode={"x264-params": "tff=1"})
    refused_or(is_right, path)


def test_fields_in_the_middle_of_a_video_are_refused_or_right(tmp_path: Path):
    def is_right(path: Path) -> None:
        assert numbers_of(decode_stored([path], probe([path])).array) == [*range(8), *range(8)]

    parts = [
        numbered(tmp_path / "part.ts", "libx264", 8, container="mpegts", encode=encode).read_bytes()
        for encode in ({}, {"x264-params": "tff=1"})
    ]
    path = tmp_path / "mixed.ts"
    path.write_bytes(b"".join(parts))
    refused_or(is_right, path)


def test_a_frame_that_cannot_be_decoded_between_others_is_refused(tmp_path: Path):
    path = write_kind(tmp_path, "png.mov")
    data = bytearray(path.read_bytes())
    at = -1
    for _ in range(10):
        at = data.index(b"\x89PNG", at + 1)
    data[at : at + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(DecodeError, match="damaged: after 9 frames"):
        probe([path])


def test_a_file_with_fewer_frames_than_at_upload_is_refused(tmp_path: Path):
    path = numbered(tmp_path / "clip.avi", "mjpeg", 12, pixels="yuvj420p")
    facts = probe([path])
    numbered(path, "mjpeg", 9, pixels="yuvj420p")
    with pytest.raises(DecodeError, match=r"clip\.avi: expected .*\(3, 12, 48, 64\).*found \(3, 9, 48, 64\)"):
        decode_stored([path], facts)


def test_a_claim_of_more_pixels_than_fit_is_refused_before_they_are_allocated(tmp_path: Path):
    path = write_kind(tmp_path, "raw.avi")
    data = bytearray(path.read_bytes())
    for at in (data.index(b"avih") + 40, data.index(b"strf") + 12):
        data[at : at + 8] = struct.pack("<ii", 100_000, 100_000)
    path.write_bytes(data)
    start = time.perf_counter()
    with pytest.raises(DecodeError, match=r"^raw\.avi: "):
        probe([path])
    assert time.perf_counter() - start < 5


def test_a_claim_of_more_frames_than_there_are_costs_nothing(tmp_path: Path):
    path = write_kind(tmp_path, "h264_b_frames.mp4")
    data = bytearray(path.read_bytes())
    at = data.index(b"avih") if b"avih" in data else data.index(b"stts") + 12
    data[at : at + 4] = struct.pack(">I", 0x7FFFFFFF)
    path.write_bytes(data)
    try:
        facts = probe([path])
    except DecodeError:
        return
    assert decode_stored([path], facts, max_voxels=3 * 31 * 48 * 64).array.shape[1] == facts.shape[0] <= 30


def outcome(path: Path) -> str | None:
    """What is said of a file, or None where it is read as its facts say."""
    try:
        facts = probe([path])
        if facts.format == "video":
            assert decode_stored([path], facts, max_voxels=10**8).array.shape[1:] == facts.shape
    except DecodeError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", ["h264_b_frames.mp4", "mjpeg.avi", "vp8.webm", "h264_open_gop.ts", "png.mov"])
def test_flipped_bits_give_an_error_or_the_shape_that_was_found(name: str, tmp_path: Path):
    original = write_kind(tmp_path, name).read_bytes()
    generator = np.random.default_rng(11)
    path = tmp_path / name
    start = time.perf_counter()
    for _ in range(40):
        data = bytearray(original)
        for at in generator.integers(0, len(data), int(generator.integers(1, 20))):
            data[at] ^= 1 << int(generator.integers(8))
        path.write_bytes(data)
        message = outcome(path)
        assert message is None or message.startswith(f"{name}: ")
        assert str(tmp_path) not in (message or "")
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:1,\nsecret.ts\n",
        b"ffconcat version 1.0\nfile secret.mp4\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"\x1aE\xdf\xa3\x84\x42\x82\x81x",
        b"G" + b"x" * 187 + b"Gx",
        b"The free text of a report, which no player plays.",
        b"\0\0\0\x18ftypheic" + bytes(12),
        b"",
    ],
    ids=["HLS", "concat", "SDP", "DASH", "WebP", "other EBML", "one packet", "text", "HEIF", "empty"],
)
def test_lists_of_other_files_and_pictures_are_no_video(content: bytes, tmp_path: Path):
    assert video_mimetype(content) is None
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(DecodeError, match=r"^clip\.mp4: "):
        probe([tmp_path / "clip.mp4"])


@pytest.mark.parametrize("name", KINDS)
def test_each_container_is_told_by_its_first_bytes(name: str, tmp_path: Path):
    assert video_mimetype(write_kind(tmp_path, name).read_bytes()[:2048]) == MIMETYPES[Path(name).suffix]


def test_damaged_files_print_nothing_and_leave_the_environment_alone(tmp_path: Path):
    """In a process of its own: FFmpeg prints to the standard error output, past Python."""
    damaged = bytearray(write_kind(tmp_path, "h264_b_frames.mp4").read_bytes())
    at = damaged.index(b"mdat") + 800
    damaged[at : at + 400] = bytes(400)
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    (tmp_path / "foreign.avi").write_bytes(b"RIFF\x20\0\0\0AVI " + bytes(28))
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from datamint_like.imaging import assemble\n"
        "before = dict(os.environ)\n"
        f"assemble(Path({str(tmp_path)!r}).iterdir())\n"
        "assert dict(os.environ) == before\n"
        "import cv2\n"
        "assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_WARNING\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_frames_that_change_their_size_are_refused(codec: str, tmp_path: Path):
    """OpenCV would scale the later frames to the size of the first."""
    parts = []
    for size in ((48, 64), (96, 128)):
        frames = (painted(index, *size) for index in range(12))
        parts.append(write_video(tmp_path / "part.ts", codec, frames, container="mpegts").read_bytes())
    path = tmp_path / "changing.ts"
    path.write_bytes(b"".join(parts))
    with pytest.raises(DecodeError, match=r"changing\.ts: its frames change their size"):
        probe([path])
    path.write_bytes(parts[0] * 2)
    assert probe([path]).shape == (24, 48, 64)


def test_a_picture_of_another_size_in_motion_jpeg_is_refused(tmp_path: Path):
    path = write_kind(tmp_path, "mjpeg.avi")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"\xff\xc0\x00\x11\x08\x00\x30\x00\x40")
    data[at + 6] = 0x20  # 32 rows instead of 48
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"mjpeg\.avi: its frames change their size"):
        probe([path])
