"""COCO RLE and NumPy files as masks: parity with pycocotools and numpy, and hostile content."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from datamint_like.exceptions import DatamintException, DecodeError
from datamint_like.imaging import decode_numpy, decode_rle, encode_frame_mask, encode_volume_mask, sniff_mask
from datamint_like.imaging.types import HeaderFacts

MASKS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40), elements=st.integers(0, 1)
)


def runs_of(mask: np.ndarray) -> list[int]:
    """The uncompressed counts, by walking the columns."""
    counts, last = [0], 0
    for value in mask.T.ravel().tolist():
        if value != last:
            counts.append(0)
            last = value
        counts[-1] += 1
    return counts


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools with numpy 2
@settings(deadline=None)
@given(MASKS)
def test_compressed_and_plain_runs_are_read_as_pycocotools_wrote_them(mask: np.ndarray):
    encoded = coco.encode(np.asfortranarray(mask))
    plain = {"size": list(mask.shape), "counts": runs_of(mask)}
    text = {"size": encoded["size"], "counts": encoded["counts"].decode()}
    for given_as in (encoded, text, plain, json.dumps(text).encode(), json.dumps(plain).encode()):
        found = decode_rle(given_as, name="m")
        assert np.array_equal(found, mask)
        assert found.dtype == np.uint8
    assert np.array_equal(coco.decode(coco.frPyObjects(plain, *mask.shape)), mask)


def test_long_runs_that_grow_and_shrink_are_read():
    mask = np.zeros((3000, 2000), np.uint8)
    mask[:, 3:1500] = 1
    mask[7:9, 1700] = 1
    assert np.array_equal(decode_rle(coco.encode(np.asfortranarray(mask)), name="m"), mask)


def test_an_annotation_of_a_coco_file_is_its_mask():
    mask = np.eye(5, dtype=np.uint8)
    record = {"id": 1, "category_id": 3, "segmentation": {"size": [5, 5], "counts": runs_of(mask)}}
    assert np.array_equal(decode_rle(json.dumps(record).encode(), name="m"), mask)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"size": [4, 4], "counts": [3]}, "runs make 3 pixels, but its size 4 x 4 = 16"),
        ({"size": [4, 4], "counts": [20, -4]}, "a run of -?[0-9,]+ pixels in a mask of 16"),
        ({"size": [4, 4], "counts": [-4, 20]}, "a run of -?[0-9,]+ pixels in a mask of 16"),
        ({"size": [4, 4], "counts": [-4, 16, 4]}, "run of -4 pixels"),
        ({"size": [4, 4], "counts": [10**30]}, "a run of -?[0-9,]+ pixels in a mask of 16"),
        ({"size": [4, 4], "counts": [1.5, 14.5]}, "neither a list of whole numbers"),
        ({"size": [4, 4], "counts": [0] * 10**5}, "neither a list"),
        ({"size": [4], "counts": [4]}, "its size is"),
        ({"size": [0, 4], "counts": []}, "its size is"),
        ({"size": [10**7, 10**7], "counts": [10**14]}, "more than the limit"),
        ({"size": [4, 4], "counts": "\x01zz"}, "characters that the compressed form"),
        ({"size": [4, 4], "counts": "oooooooooooooooooo"}, "characters|inside a number"),
        ({"size": [4, 4], "counts": "P"}, "inside a number"),
        ({"segmentation": [[1, 2, 3, 4]]}, "no COCO RLE"),
        ([1, 2], "no COCO RLE"),
    ],
)
def test_runs_that_make_no_mask_are_named_errors(value: Any, reason: str):
    for given_as in ([value] if isinstance(value, dict) else []) + [json.dumps(value).encode()]:
        with pytest.raises(DecodeError, match=rf"^m: .*({reason})"):
            decode_rle(given_as, name="m")


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 50), st.integers(1, 50))
def test_any_counts_give_a_mask_or_our_error(counts: bytes, rows: int, columns: int):
    with suppress(DatamintException):
        assert decode_rle({"size": [rows, columns], "counts": counts}, name="m").shape == (rows, columns)


# -- NumPy files


def saved(array: np.ndarray, **more: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **more)
    return stream.getvalue()


@settings(deadline=None)
@given(
    hnp.arrays(
        st.sampled_from(["u1", "<i2", ">i4", "?", "<f4"]),
        hnp.array_shapes(max_dims=4, max_side=6),
        elements=st.integers(0, 1),
    ),
    st.booleans(),
)
def test_an_array_comes_back_as_numpy_reads_it(array: np.ndarray, fortran: bool):
    array = np.asfortranarray(array) if fortran else array
    data = saved(array)
    archive = io.BytesIO()
    np.savez_compressed(archive, mask=array)
    for payload in (data, archive.getvalue()):
        assert sniff_mask(payload) == "numpy"
        found = decode_numpy(payload, name="m")
        assert np.array_equal(found, np.load(io.BytesIO(data)))
        assert found.dtype.isnative


def test_arrays_that_are_no_masks_are_named_errors(tmp_path: Path):
    several = io.BytesIO()
    np.savez(several, one=np.ones(3), two=np.ones(3))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", saved(np.zeros(1 << 20, np.uint8)))
    header = bytearray(saved(np.zeros((4, 4), np.uint8)))
    huge = bytes(header).replace(b"(4, 4), }", b"(9999999999, 9999), }"[: len(b"(4, 4), }")].ljust(9))
    for payload, reason, limit in (
        (saved(np.array([{}, ()], dtype=object), allow_pickle=True), "values of type object", 10**6),
        (saved(np.array(["a"])), "values of type <U1", 10**6),
        (saved(np.ones((9, 9)))[:-8], "cut short: expected 648 bytes", 10**6),
        (saved(np.ones((200, 200))), "more than the limit", 10**4),
        (several.getvalue(), r"holds 2 arrays \(one, two\)", 10**6),
        (bomb.getvalue(), "more than the limit", 10**4),
        (huge, "", 10**6),
        (b"\x93NUMPY\x07\x00", "version 7.0", 10**6),
        (b"\x93NUMPY", "", 10**6),
        (bomb.getvalue()[:100], "", 10**6),
    ):
        with pytest.raises(DecodeError, match=rf"^m: .*{reason}"):
            decode_numpy(payload, name="m", max_voxels=limit)


def test_each_kind_of_payload_is_told_by_its_content(demo_images: Path, real_data: Path):
    facts = HeaderFacts("dicom", "volume", "application/dicom", 1, (2, 3, 4), "int16")
    kinds = {
        "picture": encode_frame_mask(np.ones((3, 4))),
        "nifti": encode_volume_mask(np.ones((2, 3, 4), np.uint8), facts),
        "numpy": saved(np.ones(3)),
        "rle": b' {"size": [1, 1], "counts": [1]}',
        "dicom": (demo_images / "ct_ge" / "IM0000.dcm").read_bytes(),
        "seg": (real_data / "seg/liver.dcm").read_bytes(),
        "rtstruct": (real_data / "rtstruct/rt_utils/mock_data/rt.dcm").read_bytes(),
    }
    assert {kind: sniff_mask(payload) for kind, payload in kinds.items()} == {kind: kind for kind in kinds}
    assert [sniff_mask(payload) for payload in (b"", b"hello", b"[1]", b"PK\x03\x04abc", b"{x")] == [None] * 5
