"""Files may lie under other names than the resource's parts have; messages say the parts' names."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from datamint_like.exceptions import DatamintException, DecodeError, GeometryError, ValidationError
from datamint_like.imaging import (
    Group,
    ReadOptions,
    assemble,
    decode_stored,
    derive_multiframe,
    derive_single_file,
    facts_from_metadata,
    facts_to_metadata,
    probe,
    read,
)

from .dicom_files import write_slice
from .nifti_pair_files import ramp, write_pair

DIGEST = "a3b35c0ffee"


def stored(payload: bytes, folder: Path) -> Path:
    (folder / DIGEST).write_bytes(payload)
    return folder / DIGEST


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def nifti() -> bytes:
    return nib.Nifti1Image(np.ones((6, 7, 8), np.int16), np.eye(4)).to_bytes()


def dicom(folder: Path) -> bytes:
    return write_slice(folder / "source.dcm", np.ones((9, 9), np.int16)).read_bytes()


@pytest.mark.parametrize("name", ["chest.png", "head.nii", "slice.dcm", "notes.txt"])
def test_a_damaged_part_is_named_as_the_resource_names_it(name: str, tmp_path: Path):
    whole = {"chest.png": png, "head.nii": nifti, "slice.dcm": lambda: dicom(tmp_path), "notes.txt": lambda: b"hello"}
    payload = whole[name]()
    path = stored(payload, tmp_path)
    calls = [lambda: probe([path], names=[name])]
    if name != "notes.txt":
        facts = probe([path])
        calls += [
            lambda: decode_stored([path], facts, names=[name]),
            lambda: read([path], facts, names=[name]),
        ]
    stored(payload[: len(payload) // 3], tmp_path)
    failures = []
    for call in calls:
        try:
            call()
        except DatamintException as error:
            failures.append(str(error))
    assert failures
    for message in failures:
        assert message.startswith(f"{name}: ")
        assert DIGEST not in message


def test_every_part_of_a_series_keeps_its_own_name(regular_ct: Group, tmp_path: Path):
    names = [f"IM{n:03}.dcm" for n in range(4)]
    paths = [Path(shutil.copyfile(path, tmp_path / f"{DIGEST}{n}")) for n, path in enumerate(regular_ct.paths[:4])]
    facts = probe(paths, names=names)
    paths[2].write_bytes(paths[2].read_bytes()[:-500])
    for call in (
        lambda: probe(paths, names=names),
        lambda: read(paths, facts, names=names),
        lambda: derive_multiframe(paths, facts, io.BytesIO(), names=names),
    ):
        with pytest.raises(DecodeError, match=r"^IM002\.dcm: it is cut short") as raised:
            call()
        assert DIGEST not in str(raised.value)


def test_a_series_that_does_not_fit_is_named_by_its_first_part(regular_ct: Group, irregular_ct: Group, tmp_path: Path):
    mixed = [regular_ct.paths[0], *irregular_ct.paths[:2]]
    with pytest.raises(GeometryError, match=r"^first\.dcm and 2 more files: "):
        probe(mixed, names=["first.dcm", "b", "c"])
    names = [f"{n}.dcm" for n in range(len(irregular_ct.paths))]
    with pytest.raises(GeometryError, match=r"^0\.dcm \(28 files\): Planes are not evenly spaced"):
        read(irregular_ct.paths, irregular_ct.facts, names=names)


@pytest.mark.parametrize("options", [ReadOptions(intensity="dicom-window"), ReadOptions(dtype="uint8")])
def test_values_that_cannot_be_given_as_asked_name_the_part(options: ReadOptions, tmp_path: Path):
    path = stored(write_slice(tmp_path / "a.dcm", np.full((4, 4), -5, np.int16)).read_bytes(), tmp_path)
    with pytest.raises(DecodeError, match=r"^scan\.dcm: "):
        read([path], probe([path]), options, names=["scan.dcm"])


def test_a_file_changed_since_its_upload_is_named(tmp_path: Path):
    path = stored(dicom(tmp_path), tmp_path)
    metadata = {**facts_to_metadata(probe([path])), "shape": [1, 3, 3]}
    facts = facts_from_metadata(metadata)
    assert facts is not None
    with pytest.raises(DecodeError, match=r"^scan\.dcm: expected an array"):
        decode_stored([path], facts, names=["scan.dcm"])


def test_there_is_one_name_for_each_file(regular_ct: Group):
    with pytest.raises(ValidationError, match="got 1 names for 32 files"):
        probe(regular_ct.paths, names=["one.dcm"])


def test_without_names_files_have_their_own(tmp_path: Path):
    with pytest.raises(DecodeError, match=rf"^{DIGEST}: it is no image format"):
        probe([stored(b"hello", tmp_path)])
    assert not assemble([stored(b"hello", tmp_path)]).groups


def test_both_parts_of_a_pair_keep_their_own_name(tmp_path: Path):
    names = ["head.hdr.gz", "head.img"]
    header, image = write_pair(tmp_path, ramp())
    facts = probe([header, image], names=names)
    calls = [
        lambda: probe([header, image], names=names),
        lambda: decode_stored([header, image], facts, names=names),
        lambda: derive_single_file([header, image], facts, io.BytesIO(), names=names),
    ]
    for path, name in ((image, "head.img"), (header, "head.hdr.gz")):
        path.write_bytes(path.read_bytes()[:-20])
        for call in calls:
            with pytest.raises(DatamintException, match=rf"^{name}: ") as found:
                call()
            assert "brain" not in str(found.value)
    with pytest.raises(DatamintException, match=r"^head\.hdr: .*its image is missing\. Give head\.img"):
        probe([write_pair(tmp_path, ramp())[0]], names=["head.hdr"])
