"""Video files against PyAV: how many frames, in which order, with which values."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import HeaderFacts, ReadOptions, assemble, decode_stored, probe, read
from tests.imaging.video_files import (
    KINDS,
    LOSSLESS,
    MIMETYPES,
    numbered,
    numbers_of,
    painted,
    read_by_pyav,
    write_kind,
    write_video,
)


def decoded(path: Path, **options: object) -> tuple[HeaderFacts, np.ndarray]:
    facts = probe([path])
    array = decode_stored([path], facts, **options).array
    assert array.flags.c_contiguous
    return facts, array


def closeness(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - two).mean())


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_all_those_of_the_file_in_order(name: str, tmp_path: Path):
    facts, array = decoded(write_kind(tmp_path, name))
    assert (facts.format, facts.kind, facts.channels, facts.dtype) == ("video", "video", 3, "uint8")
    assert facts.mimetype == MIMETYPES[Path(name).suffix]
    assert facts.shape == (30, 48, 64)
    assert numbers_of(array) == list(range(30))
    assert facts.details["variable_rate"] in ((True,) if "uneven" in name else (False, None))
    if facts.details["variable_rate"] is False:
        assert facts.details["frame_rate"] == pytest.approx(25)
        assert facts.details["duration"] == pytest.approx(1.2)


@pytest.mark.parametrize("name", KINDS)
def test_values_are_those_that_pyav_reads(name: str, tmp_path: Path):
    path = write_kind(tmp_path, name)
    _, array = decoded(path)
    # Chroma is interpolated in another way for more than 8 bits; never more than a few grey values.
    assert closeness(array, read_by_pyav(path)) < 1.5


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_videos_have_the_values_that_were_written(name: str, tmp_path: Path):
    _, array = decoded(write_kind(tmp_path, name))
    assert np.array_equal(array, np.moveaxis(np.stack([painted(index) for index in range(30)]), -1, 0))


def test_a_gray_video_has_three_equal_channels(tmp_path: Path):
    _, array = decoded(numbered(tmp_path / "gray.mkv", "ffv1", pixels="gray"))
    assert np.array_equal(array[0], array[1])
    assert np.array_equal(array[0], array[2])


@pytest.mark.parametrize(("space", "range_"), [(1, 1), (6, 1), (1, 2)], ids=["BT.709", "BT.601", "BT.709 full range"])
def test_colours_follow_the_matrix_and_range_that_the_file_names(space: int, range_: int, tmp_path: Path):
    def setup(stream):
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = space
        context.color_range = range_

    path = numbered(tmp_path / "colour.mp4", "libx264", 3, setup=setup)
    _, array = decoded(path)
    assert closeness(array, read_by_pyav(path)) < 0.5


@pytest.mark.parametrize("size", [(47, 65), (48, 50), (33, 127), (2, 2), (1, 1)])
def test_odd_sizes_keep_every_row_and_column(size: tuple[int, int], tmp_path: Path):
    frames = np.random.default_rng(3).integers(0, 256, (5, *size, 3), dtype=np.uint8)
    path = write_video(tmp_path / "odd.mkv", "ffv1", frames, pixels="bgr0")
    facts, array = decoded(path)
    assert facts.shape == (5, *size)
    assert np.array_equal(array, np.moveaxis(frames, -1, 0))


def test_one_frame_is_a_video_of_one_frame(tmp_path: Path):
    facts, array = decoded(numbered(tmp_path / "one.mp4", "libx264", 1))
    assert (facts.kind, array.shape) == ("video", (3, 1, 48, 64))
    assert facts.details["variable_rate"] is None


def test_a_transport_stream_that_starts_between_pictures_gives_what_can_be_decoded(tmp_path: Path):
    path = numbered(tmp_path / "whole.ts", "libx264", container="mpegts", encode={"g": "10", "bf": "0"})
    data = path.read_bytes()
    third = len(data) // 188 // 3 * 188
    path.write_bytes(data[third:])
    _, array = decoded(path)
    numbers = numbers_of(array)
    assert numbers == list(range(numbers[0], 30))
    assert numbers[0] % 10 == 0
    assert numbers == numbers_of(read_by_pyav(path))[-len(numbers) :]


def test_a_still_video_is_read(tmp_path: Path):
    """Equal frames are no sign of damage, at the start, in the middle or throughout."""
    for order in ([0] * 9, [0, 0, 0, 1, 2], [0, 1, 1, 1, 2, 2, 3, 3], [1, 2, 2]):
        path = write_video(tmp_path / "still.mkv", "ffv1", map(painted, order), pixels="bgr0")
        assert numbers_of(decoded(path)[1]) == order


def test_a_video_may_begin_black(tmp_path: Path):
    black = np.zeros((48, 64, 3), np.uint8)
    path = write_video(
        tmp_path / "fade.mkv", "ffv1", [black, black, painted(5), black, black, painted(6)], pixels="bgr0"
    )
    _, array = decoded(path)
    assert not array[:, [0, 1, 3, 4]].any()
    assert numbers_of(array[:, [2, 5]]) == [5, 6]


def test_a_video_is_told_by_its_content(tmp_path: Path):
    path = write_kind(tmp_path, "mpeg4_b_frames.avi")
    for wrong in ("clip.mp4", "clip.dcm", "clip", "frame_%03d.png", "rtsp:clip"):
        shutil.copyfile(path, tmp_path / wrong)
        assert probe([tmp_path / wrong]).mimetype == "video/x-msvideo"
        assert decode_stored([tmp_path / wrong], probe([tmp_path / wrong])).array.shape == (3, 30, 48, 64)


def test_a_folder_of_videos_is_one_resource_a_file(tmp_path: Path):
    for name in ("mjpeg.avi", "vp8.webm"):
        write_kind(tmp_path, name)
    assembly = assemble(tmp_path.iterdir())
    assert [(group.filename, group.facts.shape) for group in assembly.groups] == [
        ("mjpeg.avi", (30, 48, 64)),
        ("vp8.webm", (30, 48, 64)),
    ]


@pytest.mark.parametrize("dtype", ["int16", "float32", "float16", "float64"])
def test_other_types_hold_the_same_values(dtype: str, tmp_path: Path):
    path = write_kind(tmp_path, "png.mov")
    facts, array = decoded(path)
    other = read([path], facts, ReadOptions(dtype=dtype)).array
    assert str(other.dtype) == dtype
    assert np.array_equal(other, array)


def test_the_real_clips_have_thirty_frames_whose_masks_lie_on_what_is_bright(real_data: Path):
    folder = real_data / "derived" / "video"
    packed = np.load(folder / "us_cine_mask.npz")
    masks = np.unpackbits(packed["mask"], axis=-1)[..., : packed["shape"][-1]].astype(bool)
    for name in ("us_cine.mp4", "us_cine.avi"):
        facts, array = decoded(folder / name)
        assert facts.shape == (30, 240, 320) == masks.shape
        assert facts.details["codec"] in ("fmp4", "mjpg")
        assert np.array_equal(array, read_by_pyav(folder / name)) or closeness(array, read_by_pyav(folder / name)) < 1
        gray = array.max(axis=0)
        for frame, mask in zip(gray, masks, strict=True):
            assert frame[mask].mean() > 2 * frame[~mask].mean()


def test_more_frames_than_the_limit_allows_are_refused_with_their_size(tmp_path: Path):
    path = write_kind(tmp_path, "mjpeg.avi")
    size = 3 * 30 * 48 * 64
    assert decoded(path, max_voxels=size)[1].shape == (3, 30, 48, 64)
    with pytest.raises(DecodeError, match=f"mjpeg.avi.*{size:,} voxels.*limit of {size - 1:,}"):
        decode_stored([path], probe([path]), max_voxels=size - 1)
