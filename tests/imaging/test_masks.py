from __future__ import annotations

import gzip
import io
from dataclasses import replace
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import (
    Affine,
    Group,
    HeaderFacts,
    Turn,
    array_to_stored,
    canonical_shape,
    decode_frame_mask,
    decode_mask,
    encode_frame_mask,
    encode_volume_mask,
    probe,
    turn_of,
)

SHAPE = (3, 4, 5)
OBLIQUE = Affine([[0.3, -0.1, -1.0, 9], [0.2, -2.0, 0.1, -8], [-3.0, 0.1, -0.2, 7], [0, 0, 0, 1]])
LABELS = np.random.default_rng(5).integers(0, 4, SHAPE).astype(np.uint8)
TURNS = [Turn(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)]


def facts(affine: Affine | None = OBLIQUE) -> HeaderFacts:
    return HeaderFacts("dicom", "volume", "application/dicom", 1, SHAPE, "int16", affine)


def payload(labels: np.ndarray, affine: Affine | None) -> bytes:
    matrix = np.eye(4) if affine is None else affine.matrix[:, [2, 1, 0, 3]]
    return nib.Nifti1Image(labels.T, matrix).to_bytes()


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1), st.booleans())
def test_a_volume_mask_comes_back_as_it_went(seed: int, placed: bool):
    labels = np.random.default_rng(seed).integers(0, 300, SHAPE)
    place = facts(OBLIQUE if placed else None)
    data = encode_volume_mask(labels, place)
    assert data == encode_volume_mask(labels.astype(np.int64), place)
    assert np.array_equal(decode_mask(data, place, name="m"), labels)


def test_an_encoded_mask_is_a_nifti_on_the_grid_of_its_image(regular_ct: Group):
    mask = np.zeros(regular_ct.facts.shape, bool)
    mask[4, 10, 20] = True
    image = nib.Nifti1Image.from_bytes(gzip.decompress(encode_volume_mask(mask, regular_ct.facts)))
    assert image.shape == regular_ct.facts.shape[::-1]
    assert np.argwhere(np.asarray(image.dataobj)).tolist() == [[20, 10, 4]]
    assert regular_ct.facts.affine is not None
    where = image.affine @ [20, 10, 4, 1]
    assert np.allclose(where[:3], regular_ct.facts.affine.points([[4, 10, 20]])[0], atol=1e-3)


def test_a_mask_made_elsewhere_lies_on_the_series(regular_ct: Group, real_data):
    path = real_data / "derived/ct_small_axial_labels/label.nii.gz"
    labels = decode_mask(path.read_bytes(), regular_ct.facts, name=path.name)
    turned = turn_of(regular_ct.facts).array(labels)
    expected = nib.load(path)
    nifti = probe([path])
    assert np.array_equal(turned, turn_of(nifti).array(np.asarray(expected.dataobj).T))


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_the_same_grid_in_another_orientation_is_reoriented_exactly(turn: Turn):
    turned = payload(turn.array(LABELS), turn.affine(OBLIQUE, SHAPE))
    assert np.array_equal(decode_mask(turned, facts(), name="m"), LABELS)


def test_a_grid_is_the_same_within_a_twentieth_of_a_voxel():
    near, far = OBLIQUE.matrix.copy(), OBLIQUE.matrix.copy()
    near[0, 3] += 0.04
    far[0, 3] += 0.08
    assert np.array_equal(decode_mask(payload(LABELS, Affine(near)), facts(), name="m"), LABELS)
    with pytest.raises(GeometryError, match="another grid"):
        decode_mask(payload(LABELS, Affine(far)), facts(), name="m")


def test_another_grid_is_an_error_that_names_both():
    other = Affine(np.diag([1.0, 2, 3, 1]))
    with pytest.raises(GeometryError, match=r"liver\.nii: .*\(3, 4, 5\).*Affine\(RAS.*\(3, 4, 5\).*Affine\("):
        decode_mask(payload(LABELS, other), facts(), name="liver.nii")
    with pytest.raises(GeometryError, match=r"shape \(k, j, i\) \(2, 4, 5\)"):
        decode_mask(payload(LABELS[:2], OBLIQUE), facts(), name="m")


def test_an_identity_affine_carries_no_geometry():
    assert np.array_equal(decode_mask(payload(LABELS, None), facts(), name="m"), LABELS)
    assert np.array_equal(decode_mask(payload(LABELS, None), facts(None), name="m"), LABELS)
    item = turn_of(facts()).array(LABELS)
    bare = nib.Nifti1Image(np.ascontiguousarray(item), np.eye(4)).to_bytes()
    assert np.array_equal(decode_mask(bare, facts(), name="m", axes="dhw"), LABELS)
    with pytest.raises(GeometryError, match=r"m: The mask has shape \(5, 4, 2\), the image \(x, y, z\) \(5, 4, 3\)"):
        decode_mask(payload(LABELS[:2], None), facts(), name="m")


@settings(deadline=None)
@given(st.sampled_from(TURNS))
def test_an_array_is_taken_in_either_order_of_axes(turn: Turn):
    place = facts(turn.affine(OBLIQUE, turn.shape(SHAPE)))
    place = HeaderFacts("dicom", "volume", "application/dicom", 1, SHAPE, "int16", place.affine)
    item = turn_of(place).array(LABELS)
    assert item.shape == canonical_shape(place)[1:]
    assert np.array_equal(array_to_stored(item, place, axes="dhw"), LABELS)
    assert np.array_equal(array_to_stored(LABELS.T, place), LABELS)


def test_an_array_of_another_shape_is_an_error_that_names_both():
    with pytest.raises(GeometryError, match=r"\(3, 4, 5\).*\(5, 4, 3\)"):
        array_to_stored(LABELS, facts())
    with pytest.raises(GeometryError, match=r"\(3, 4\).*\(3, 4, 5\)"):
        encode_volume_mask(LABELS[..., 0], facts())


def test_fractions_are_no_labels():
    soft = LABELS.astype(np.float32) + 0.5
    with pytest.raises(DecodeError, match="m: Labels are integers"):
        decode_mask(payload(soft, OBLIQUE), facts(), name="m")
    assert decode_mask(payload(LABELS.astype(np.float32), OBLIQUE), facts(), name="m").dtype == np.uint8


@pytest.mark.parametrize("label", [2**40 + 3, -(2**40), 2**31])
@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_labels_that_32_bits_do_not_hold_are_refused_not_wrapped(label: int, dtype: type):
    labels = LABELS.astype(dtype)
    labels[0, 0, 0] = label
    stored = nib.Nifti1Image(labels.T, OBLIQUE.matrix[:, [2, 1, 0, 3]], dtype=dtype).to_bytes()
    for work in (
        lambda: encode_volume_mask(labels, facts()),
        lambda: array_to_stored(labels.T, facts()),
        lambda: decode_mask(stored, facts(), name="m"),
    ):
        with pytest.raises(DecodeError, match=f"Labels from .*{label}.* do not fit int32"):
            work()


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.float64])
def test_large_labels_come_back_exactly_from_any_type(dtype: type):
    labels = LABELS.astype(dtype)
    labels[0, 0, 0] = 2**24 + 1  # float32 rounds it
    stored = nib.Nifti1Image(labels.T, OBLIQUE.matrix[:, [2, 1, 0, 3]], dtype=dtype).to_bytes()
    found = decode_mask(stored, facts(), name="m")
    assert found.dtype == np.int32
    assert np.array_equal(found, labels)


def test_a_mask_above_the_limit_is_refused_before_decoding():
    with pytest.raises(DecodeError, match="m: its header claims 60 voxels, more than the limit of 50"):
        decode_mask(payload(LABELS, OBLIQUE), facts(), name="m", max_voxels=50)
    with pytest.raises(DecodeError, match="m: its header claims 20 voxels, more than the limit of 19"):
        decode_frame_mask(encode_frame_mask(LABELS[0]), facts(), name="m", max_voxels=19)


def test_a_frame_mask_whose_end_is_missing_is_a_decode_error():
    data = encode_frame_mask(np.random.default_rng(0).integers(0, 2, (40, 50)))
    with pytest.raises(DecodeError, match="m: it is cut short"):
        decode_frame_mask(data[: len(data) * 2 // 3], replace(facts(), shape=(3, 40, 50)), name="m")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_a_frame_mask_is_what_is_not_black_whatever_the_mode(mode: str):
    drawn = LABELS[0] != 0
    if mode == "I;16":
        image = Image.fromarray(drawn.astype(np.uint16) * 300)
    else:
        image = Image.fromarray(drawn.astype(np.uint8) * 7).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    assert np.array_equal(decode_frame_mask(buffer.getvalue(), facts(), name="m"), drawn)


@pytest.mark.parametrize("data", [b"", b"hello", payload(LABELS, OBLIQUE)[:380]], ids=["empty", "text", "cut"])
def test_a_damaged_payload_is_a_decode_error_that_names_it(data: bytes):
    with pytest.raises(DecodeError, match=r"^m: "):
        decode_mask(data, facts(), name="m")
    with pytest.raises(DecodeError, match=r"^m: "):
        decode_frame_mask(data, facts(), name="m")


def test_a_frame_mask_comes_back_as_it_went():
    mask = LABELS[0]
    data = encode_frame_mask(mask)
    assert data == encode_frame_mask(mask)
    assert data.startswith(b"\x89PNG")
    found = decode_frame_mask(data, facts(), name="m")
    assert found.dtype == np.uint8
    assert np.array_equal(found, (mask != 0).astype(np.uint8))


def test_a_frame_mask_of_another_size_is_an_error_that_names_both():
    with pytest.raises(GeometryError, match=r"m: the mask is 4 x 4 pixels .*the image 4 x 5"):
        decode_frame_mask(encode_frame_mask(LABELS[0, :, :4]), facts(), name="m")
