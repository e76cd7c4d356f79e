"""Cut, flipped and lying NIfTI files give an array or an error of ours that names the file, in bounded memory."""

from __future__ import annotations

import gzip
import io
import math
import struct
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import assemble, decode_stored, derive_single_file, probe
from datamint_like.imaging.nifti import decode_bytes

from .nifti_pair_files import AFFINE, ramp, write_pair

LIMIT = 100_000


def sample(version: int, order: str) -> bytes:
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    header = kind.header_class(endianness=order)
    header.set_data_dtype(f"{order}i2")
    return bytes(kind(ramp(f"{order}i2", (4, 5, 6)), AFFINE, header).to_bytes())


SAMPLES = {(version, order): sample(version, order) for version in (1, 2) for order in "<>"}


def read_or_refuse(paths: list[Path]) -> None:
    """Everything that reads the files; only our errors come out, and they name a file."""
    try:
        facts = probe(paths)
        array = decode_stored(paths, facts, max_voxels=LIMIT).array
    except (DecodeError, GeometryError) as error:
        told = str(error)
    else:
        told = paths[0].name
        assert array.shape == (facts.channels, *facts.shape)
        assert array.size <= LIMIT
    assert any(told.startswith(path.name) for path in paths)
    for group in assemble(paths).groups:
        with suppress(DecodeError, GeometryError):
            derive_single_file(group.paths, group.facts, io.BytesIO())


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(SAMPLES)), st.booleans(), st.data())
def test_flipped_bytes_of_a_header_give_an_image_or_a_named_error(tmp_path_factory, which, compressed, data):
    whole = bytearray(SAMPLES[which])
    size = 348 if which[0] == 1 else 540
    for at in data.draw(st.lists(st.integers(0, size + 3), min_size=1, max_size=4)):
        whole[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("flipped") / "head.nii.gz"
    path.write_bytes(gzip.compress(whole, 1) if compressed else whole)
    read_or_refuse([path])


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([1, 2]), st.data())
def test_flipped_bytes_of_a_pair_give_an_image_or_a_named_error(tmp_path_factory, version, data):
    header, image = write_pair(tmp_path_factory.mktemp("pair"), ramp(), version=version)
    whole = bytearray(header.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        whole[at] = data.draw(st.integers(0, 255))
    header.write_bytes(whole)
    read_or_refuse([header, image])


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_flipped_bytes_of_a_gzip_stream_give_an_image_or_a_named_error(tmp_path_factory, which, data):
    whole = bytearray(gzip.compress(SAMPLES[which], 6))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3)):
        whole[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("flipped") / "head.nii.gz"
    path.write_bytes(whole)
    read_or_refuse([path])


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("which", sorted(SAMPLES), ids=str)
def test_a_file_cut_anywhere_is_refused(which, compressed: bool, tmp_path: Path):
    whole = gzip.compress(SAMPLES[which], mtime=0) if compressed else SAMPLES[which]
    path = tmp_path / "cut.nii"
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(DecodeError, match=r"^cut\.nii: "):
            probe([path])


@pytest.mark.parametrize(
    "behind", [b"\n", b"\x1f", b"<html>not found</html>", bytes(9) + b"junk", b"\0" * (1 << 20) + b"j"]
)
@pytest.mark.parametrize("members", [1, 3])
def test_what_follows_the_end_of_a_gzip_stream_is_called_that_and_not_a_cut(
    behind: bytes, members: int, tmp_path: Path
):
    whole = SAMPLES[1, "<"]
    pieces = [whole[n * len(whole) // members : (n + 1) * len(whole) // members] for n in range(members)]
    path = tmp_path / "more.nii.gz"
    path.write_bytes(b"".join(map(gzip.compress, pieces)))
    facts = probe([path])
    path.write_bytes(path.read_bytes() + behind)
    says = rf"^more\.nii\.gz: it goes on behind the end of its gzip stream, with {len(behind)} bytes? of something else"
    with pytest.raises(DecodeError, match=says):
        probe([path])
    with pytest.raises(DecodeError, match=says):
        decode_stored([path], facts)
    with pytest.raises(DecodeError, match="goes on behind the end"):
        decode_bytes(path.read_bytes(), max_voxels=LIMIT)


def test_zeros_behind_a_gzip_stream_and_a_cut_member_behind_it_are_what_they_were(tmp_path: Path):
    whole = gzip.compress(SAMPLES[1, "<"])
    (path := tmp_path / "padded.nii.gz").write_bytes(whole)
    plain = decode_stored([path], probe([path])).array
    path.write_bytes(whole + bytes(3 << 20))
    np.testing.assert_array_equal(decode_stored([path], probe([path])).array, plain)
    path.write_bytes(whole + gzip.compress(b"more")[:-3])
    with pytest.raises(DecodeError, match="cut short"):
        probe([path])


@pytest.mark.parametrize("extents", [(2**31,) * 3, (2**62, 2, 2), (2**32, 2**32, 1), (2**63 - 1, 3, 3)], ids=str)
def test_claims_beyond_64_bits_are_refused_and_not_wrapped(extents, tmp_path: Path):
    data = bytearray(SAMPLES[2, "<"])
    struct.pack_into("<8q", data, 16, 3, *extents, 1, 1, 1, 1)
    claims = math.prod(extents)
    for name, content in {"a.nii": bytes(data), "a.nii.gz": gzip.compress(data)}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DecodeError, match=rf"^{name}: it is cut short: expected {claims * 2:,} bytes"):
            probe([tmp_path / name])
        facts = probe_of_whole(tmp_path)
        with pytest.raises(DecodeError, match=rf"^{name}: its header claims {claims:,} voxels, more than the limit"):
            decode_stored([tmp_path / name], facts)


def probe_of_whole(folder: Path):
    (folder / "whole.nii").write_bytes(SAMPLES[2, "<"])
    return probe([folder / "whole.nii"])


def test_a_file_that_changed_its_shape_after_the_upload_is_a_decode_error(tmp_path: Path):
    path = tmp_path / "a.nii"
    path.write_bytes(SAMPLES[1, "<"])
    facts = probe([path])
    path.write_bytes(nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), AFFINE).to_bytes())
    with pytest.raises(DecodeError, match=r"^a\.nii: expected an array .*The file was changed since"):
        decode_stored([path], facts)


@pytest.mark.parametrize("name", ["a.dcm", "a.png", "a.img", "a.hdr", "a"])
def test_a_wrong_extension_does_not_matter(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(SAMPLES[1, "<"])
    (group,) = assemble([tmp_path / name]).groups
    assert np.array_equal(decode_stored(group.paths, group.facts).array[0].T, ramp("i2", (4, 5, 6)))
