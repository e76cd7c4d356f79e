"""A NIfTI header and its image are one resource of two parts."""

from __future__ import annotations

import gzip
import io
import shutil
import struct
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from nibabel.nifti1 import Nifti1Extension

from datamint_like.exceptions import DatamintException, DecodeError, GeometryError
from datamint_like.imaging import assemble, decode_stored, derive_single_file, probe

from .nifti_pair_files import AFFINE, ramp, write_pair


def single_file(paths: tuple[Path, ...], target: Path) -> Path:
    with open(target, "wb") as file:
        derive_single_file(paths, probe(paths), file)
    return target


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_a_header_and_its_image_are_one_resource_as_nibabel_reads_it(version, order, ending, dtype, tmp_path: Path):
    values = ramp(dtype, (3, 4, 5, 2))
    header, image = write_pair(tmp_path, values, ending=ending, version=version, order=order)
    assembly = assemble([image, header])
    assert not assembly.skipped
    (group,) = assembly.groups
    assert group.paths == (header, image)
    assert group.filename == "brain.nii"
    assert group.facts == probe([header, image])
    truth = nib.load(header)
    assert np.array_equal(decode_stored(group.paths, group.facts).array, np.asarray(truth.dataobj).T)
    assert group.facts.affine is not None
    assert np.allclose(group.facts.affine.matrix[:, [2, 1, 0, 3]], truth.affine, atol=1e-6)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_one_file_of_a_pair_is_what_nibabel_and_simpleitk_read_of_the_pair(version, order, ending, tmp_path: Path):
    pair = write_pair(tmp_path, ramp(), ending=ending, version=version, order=order)
    path = single_file(pair, tmp_path / "one.nii")
    one, two = nib.load(path), nib.load(pair[0])
    assert type(one) is (nib.Nifti1Image if version == 1 else nib.Nifti2Image)
    assert one.header.endianness == order
    assert np.array_equal(np.asarray(one.dataobj), np.asarray(two.dataobj))
    assert np.array_equal(one.affine, two.affine)
    if version == 1:  # SimpleITK reads no NIfTI-2
        assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(path)), np.asarray(two.dataobj).T)
    facts = probe([path])
    assert facts == probe(pair)
    assert single_file(pair, tmp_path / "again.nii").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_extensions_and_an_offset_of_the_voxels_survive_in_one_file(ending: str, tmp_path: Path):
    header, image = write_pair(tmp_path, ramp(">i2"), order=">")
    with_notes = nib.Nifti1Pair(ramp(">i2"), AFFINE, nib.load(header).header)
    with_notes.header.extensions.append(Nifti1Extension("comment", b"a note"))
    with_notes.header.extensions.append(Nifti1Extension("comment", b"another note, longer than the first"))
    nib.save(with_notes, image)
    moved = bytearray(header.read_bytes())
    moved[108:112] = struct.pack(">f", 64)
    voxels = bytes(range(64)) + image.read_bytes() + b"behind"
    pack = gzip.compress if ending else bytes
    paths = (tmp_path / f"moved.hdr{ending}", tmp_path / f"moved.img{ending}")
    paths[0].write_bytes(pack(moved))
    paths[1].write_bytes(pack(voxels))
    assert np.array_equal(decode_stored(paths, probe(paths)).array[0].T, ramp())
    one = nib.load(single_file(paths, tmp_path / "one.nii"))
    assert np.array_equal(np.asarray(one.dataobj), ramp())
    assert [e.get_content() for e in one.header.extensions] == [e.get_content() for e in with_notes.header.extensions]


def test_pairs_are_found_by_name_in_one_folder_in_any_case_and_compression(tmp_path: Path):
    for folder in ("a", "b"):
        write_pair(tmp_path / folder, ramp())
    write_pair(tmp_path / "a", ramp("u1"), stem="brain.mask", ending=".gz")
    loud = [path.rename(path.with_name(f"Loud{path.suffix.upper()}")) for path in write_pair(tmp_path / "c", ramp())]
    mixed = write_pair(tmp_path / "d", ramp())
    packed = mixed[1].with_name("brain.img.GZ")
    packed.write_bytes(gzip.compress(mixed[1].read_bytes()))
    mixed[1].unlink()
    assembly = assemble(path for path in tmp_path.rglob("*") if path.is_file())
    assert not assembly.skipped
    assert {group.paths for group in assembly.groups} == {
        (tmp_path / "a/brain.hdr", tmp_path / "a/brain.img"),
        (tmp_path / "a/brain.mask.hdr.gz", tmp_path / "a/brain.mask.img.gz"),
        (tmp_path / "b/brain.hdr", tmp_path / "b/brain.img"),
        tuple(loud),
        (mixed[0], packed),
    }
    assert sorted({group.filename for group in assembly.groups}) == ["Loud.nii", "brain.mask.nii", "brain.nii"]
    without_series = assemble((tmp_path / "a").iterdir(), series=False)
    assert [len(group.paths) for group in without_series.groups] == [2, 2]


def test_a_compressed_and_a_plain_copy_of_one_pair_do_not_mix(tmp_path: Path):
    plain, packed = write_pair(tmp_path, ramp()), write_pair(tmp_path, ramp("f4"), ending=".gz")
    assert {group.paths for group in assemble(tmp_path.iterdir()).groups} == {plain, packed}
    packed[0].unlink()
    assembly = assemble(tmp_path.iterdir())
    assert [group.paths for group in assembly.groups] == [plain]
    assert [skip.reason for skip in assembly.skipped] == ["brain.img.gz: its header brain.hdr belongs to brain.img."]


def test_half_a_pair_is_left_out_and_says_which_file_is_missing(tmp_path: Path):
    header, image = write_pair(tmp_path, ramp())
    for path, says in {
        header: "brain.hdr: it is the header of a NIfTI pair, and its image is missing. Give brain.img (or",
        image: "brain.img: it is no image by itself, and its header brain.hdr is missing. Give both",
    }.items():
        (skip,) = assemble([path]).skipped
        assert skip.path == path
        assert skip.reason.startswith(says)
    with pytest.raises(DecodeError, match=r"^brain\.hdr: .*its image is missing"):
        probe([header])
    with pytest.raises(DecodeError, match=r"^brain\.img: it is no image format"):
        probe([image, header])
    with pytest.raises(GeometryError, match=r"^brain\.hdr: a header and an image are two files, got 3"):
        probe([header, image, image])


def test_a_header_and_an_image_of_two_folders_are_no_pair(tmp_path: Path):
    header, image = write_pair(tmp_path / "a", ramp())
    (tmp_path / "b").mkdir()
    moved = image.rename(tmp_path / "b" / "brain.img")
    assert {skip.path for skip in assemble([header, moved]).skipped} == {header, moved}


def test_one_folder_is_one_folder_however_it_is_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    header, image = write_pair(tmp_path / "a", ramp())
    (tmp_path / "link").symlink_to(tmp_path / "a")
    monkeypatch.chdir(tmp_path / "a")
    for given in (
        (Path("brain.hdr"), image),
        (header, tmp_path / "link" / "brain.img"),
        (header, Path("../a/brain.img")),
    ):
        assert [group.paths for group in assemble(given).groups] == [given]


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_analyze_header_is_refused_since_it_has_no_orientation(order: str, tmp_path: Path):
    header = nib.AnalyzeHeader(endianness=order)
    header.set_data_dtype(np.int16)
    nib.save(nib.AnalyzeImage(ramp(), None, header), tmp_path / "old.img")
    reasons = {skip.path.name: skip.reason for skip in assemble(tmp_path.iterdir()).skipped}
    assert (
        "old.hdr: it is an ANALYZE 7.5 header, which does not say which side is left (convert it" in reasons["old.hdr"]
    )
    assert reasons["old.img"].startswith("old.img: its header old.hdr is an ANALYZE 7.5 header, which does not say")


def test_a_cut_image_is_refused_by_name_and_its_header_with_it(tmp_path: Path):
    for ending in ("", ".gz"):
        header, image = write_pair(tmp_path / f"a{ending}", ramp(shape=(30, 30, 30)), ending=ending)
        facts, whole = probe([header, image]), image.read_bytes()
        for size in (0, len(whole) // 2, len(whole) - 1):
            image.write_bytes(whole[:size])
            skipped = assemble([header, image]).skipped
            assert {skip.path for skip in skipped} == {header, image}
            assert all(skip.reason.startswith(f"{image.name}: it is cut short") for skip in skipped), skipped
            with pytest.raises(DecodeError, match=rf"^{image.name}: "):
                decode_stored([header, image], facts)
            with pytest.raises(DecodeError, match=rf"^{image.name}: "):
                derive_single_file([header, image], facts, io.BytesIO())


def test_a_file_called_img_that_is_an_image_needs_no_header(demo_images: Path, tmp_path: Path):
    shutil.copyfile(demo_images / "ct_ge" / "IM0000.dcm", tmp_path / "slice.img")
    (group,) = assemble(tmp_path.iterdir()).groups
    assert group.facts.format == "dicom"


def test_a_header_claims_its_image_whatever_that_looks_like(tmp_path: Path):
    for start in (b"\xff\xd8\xff\xe0", b"\x1f\x8b\x08\x00", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b" * 3000):
        values = np.frombuffer(start.ljust(6000, b"\7"), np.uint8).reshape(10, 20, 30, order="F")
        header, image = write_pair(tmp_path, values)
        assert image.read_bytes().startswith(start[:2])
        (group,) = assemble([header, image]).groups
        assert np.array_equal(decode_stored(group.paths, group.facts).array[0].T, values)


def test_a_text_called_hdr_is_no_header(tmp_path: Path):
    (tmp_path / "scene.hdr").write_text("ENVI\nsamples = 100")
    (tmp_path / "scene.img").write_bytes(bytes(100))
    reasons = {skip.path.name: skip.reason for skip in assemble(tmp_path.iterdir()).skipped}
    assert "no image format that is known" in reasons["scene.hdr"]
    assert reasons["scene.img"] == "scene.img: its header scene.hdr is no header of a NIfTI pair."


def test_a_header_that_cannot_be_read_is_left_out_with_its_image(tmp_path: Path):
    image = write_pair(tmp_path, ramp())[1]
    header = tmp_path / "brain.hdr"
    header.unlink()
    header.mkdir()
    reasons = {skip.path: skip.reason for skip in assemble([header, image]).skipped}
    assert "Is a directory" in reasons[header]
    assert reasons[image].startswith("brain.img: its header brain.hdr is ")


def test_no_damage_to_a_header_gives_another_class_of_error(tmp_path: Path):
    header, image = write_pair(tmp_path, ramp())
    whole = header.read_bytes()
    for at in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        header.write_bytes(damaged)
        for group in assemble([header, image]).groups:
            with suppress(DatamintException):
                decode_stored(group.paths, group.facts, max_voxels=10_000)
                derive_single_file(group.paths, group.facts, io.BytesIO())


def test_the_affine_of_a_pair_is_the_one_written(tmp_path: Path):
    affine = probe(write_pair(tmp_path, ramp())).affine
    assert affine is not None
    assert np.allclose(affine.matrix[:, [2, 1, 0, 3]], AFFINE)
