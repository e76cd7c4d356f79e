"""Images whose pixels may show the patient are not taken, unless that is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import (
    CTImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    XRayAngiographicImageStorage,
)

from datamint_like.imaging.deidentify import Deidentified, DeidentifyOptions, deidentify_files
from tests.imaging.identified_files import write_identified


def clean(path: Path, *, allow_burned_in: bool = False) -> Deidentified:
    (path.parent / "made").mkdir()
    options = DeidentifyOptions(b"a secret for tests only", allow_burned_in=allow_burned_in)
    return deidentify_files([path], path.parent / "made", options)


@pytest.mark.parametrize("usual", [UltrasoundImageStorage, SecondaryCaptureImageStorage, XRayAngiographicImageStorage])
def test_kinds_that_usually_have_it_must_say_that_they_do_not(usual: str, tmp_path: Path) -> None:
    done = clean(write_identified(tmp_path / "a.dcm", SOPClassUID=usual))
    assert not done.files
    assert "a.dcm: it cannot be de-identified: Burned In Annotation is absent" in done.skipped[0].reason
    assert "allow_burned_in=True" in done.skipped[0].reason


def test_a_kind_that_usually_has_it_is_taken_when_it_says_no(tmp_path: Path) -> None:
    path = write_identified(tmp_path / "a.dcm", SOPClassUID=UltrasoundImageStorage, BurnedInAnnotation="NO")
    assert clean(path).files


@pytest.mark.parametrize("elements", [{"BurnedInAnnotation": "YES"}, {"ConversionType": "DF"}])
def test_a_scan_that_has_it_or_was_digitized_is_refused(elements: dict[str, str], tmp_path: Path) -> None:
    assert not clean(write_identified(tmp_path / "a.dcm", SOPClassUID=CTImageStorage, **elements)).files


def test_it_is_taken_when_that_is_said_and_the_header_still_tells(tmp_path: Path) -> None:
    path = write_identified(tmp_path / "a.dcm", BurnedInAnnotation="YES")
    done = clean(path, allow_burned_in=True)
    assert dcmread(done.files[path]).BurnedInAnnotation == "YES"


def test_an_overlay_in_the_unused_bits_of_pixels_is_refused(tmp_path: Path) -> None:
    path = write_identified(tmp_path / "a.dcm")
    dataset = dcmread(path)
    dataset.add_new(0x60000010, "US", 4)
    dataset.save_as(path)
    assert "overlay in the unused bits" in clean(path).skipped[0].reason
