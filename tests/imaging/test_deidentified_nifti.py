"""NIfTI without texts: header texts and extensions go, voxels and geometry stay byte for byte."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension, Nifti1Image, Nifti1Pair
from nibabel.nifti2 import Nifti2Image, Nifti2Pair

from datamint_like.imaging import decode_stored, probe
from datamint_like.imaging.deidentify import Deidentified, DeidentifyOptions, deidentify_files

VOXELS = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
AFFINE = np.array([[2.0, 0, 0, -7], [0, 1.5, 0.1, 3], [0, 0, 4, 11], [0, 0, 0, 1]])
TEXTS = {"descrip": b"Quixote Alonso", "aux_file": b"alonso.txt", "intent_name": b"of Toboso"}
SECRETS = (*TEXTS.values(), b"PID-9071")


def written(path: Path, kind: type) -> Path:
    image = kind(VOXELS, AFFINE)
    for name, text in TEXTS.items():
        image.header[name] = text
    image.header.set_slope_inter(2.0, -5.0)
    image.header.extensions.append(Nifti1Extension("comment", b"PID-9071"))
    nibabel.save(image, path)
    return path


def clean(paths: list[Path], folder: Path) -> Deidentified:
    folder.mkdir()
    return deidentify_files(paths, folder, DeidentifyOptions(b"a secret for tests only"))


def content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


@pytest.mark.parametrize("kind", [Nifti1Image, Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_no_text_is_left_and_values_and_place_stay(kind: type, suffix: str, tmp_path: Path) -> None:
    before = written(tmp_path / f"alonso{suffix}", kind)
    done = clean([before], tmp_path / "made")
    after = done.files[before]
    assert all(secret in content(before) for secret in SECRETS)
    assert not any(secret in content(after) for secret in SECRETS)
    assert after.name.endswith(suffix)
    old, new = nibabel.load(before), nibabel.load(after)
    assert np.array_equal(old.get_fdata(), new.get_fdata())
    assert np.array_equal(old.affine, new.affine)
    assert not new.header.extensions
    facts, same = probe([before]), probe([after])
    assert facts == same
    assert np.array_equal(decode_stored([before], facts).array, decode_stored([after], same).array)


def test_a_compressed_file_holds_no_name_and_no_time(tmp_path: Path) -> None:
    before = tmp_path / "a.nii.gz"
    plain = content(written(tmp_path / "b.nii", Nifti1Image))
    with open(before, "wb") as target, gzip.GzipFile("alonso.nii", "wb", fileobj=target, mtime=1489225500) as file:
        file.write(plain)
    made = clean([before], tmp_path / "made").files[before].read_bytes()
    assert b"alonso" in before.read_bytes()
    assert b"alonso" not in made
    assert made[3:8] == bytes(5)  # no flags, no time (RFC 1952)


@pytest.mark.parametrize("kind", [Nifti1Pair, Nifti2Pair])
def test_a_header_and_its_image_stay_a_pair(kind: type, tmp_path: Path) -> None:
    image = written(tmp_path / "alonso.img", kind)
    paths = [tmp_path / "alonso.hdr", image]
    done = clean(paths, tmp_path / "made")
    made = [done.files[path] for path in paths]
    assert made[0].stem == made[1].stem
    assert not any(secret in path.read_bytes() for secret in SECRETS for path in made)
    assert np.array_equal(nibabel.load(made[0]).get_fdata(), nibabel.load(paths[0]).get_fdata())
    assert probe(made) == probe(paths)
    assert done.report.files == 1


def test_what_stands_behind_the_voxels_goes(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nii", Nifti1Image)
    path.write_bytes(path.read_bytes() + b"appended by Sancho")
    assert b"Sancho" not in clean([path], tmp_path / "made").files[path].read_bytes()


def test_the_report_names_the_fields(tmp_path: Path) -> None:
    rules = clean([written(tmp_path / "a.nii", Nifti1Image)], tmp_path / "made").report.rules
    assert rules == {
        "emptied": {"NIfTI aux_file": 1, "NIfTI descrip": 1, "NIfTI intent_name": 1},
        "removed": {"NIfTI extensions": 1},
    }
