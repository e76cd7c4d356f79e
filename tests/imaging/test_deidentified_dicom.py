"""DICOM without identity: no value of it is left in the bytes, and what binds, measures and shows stays."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from pydicom import dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from datamint_like.exceptions import MissingExtraError
from datamint_like.imaging import assemble, decode_stored
from datamint_like.imaging.deidentify import Deidentified, DeidentifyOptions, deidentify_files, rules
from tests.imaging.dicom_files import write_stack
from tests.imaging.identified_files import DIRECT, ELSEWHERE, write_identified
from tests.imaging.test_siemens_mosaics import oblique, write_mosaic

SECRET = b"a secret for tests only"
MEANING = (
    "format",
    "kind",
    "channels",
    "shape",
    "dtype",
    "affine",
    "plane_origins",
    "irregularity",
    "units",
    "modality",
)


TEXTS = ("AE", "CS", "LO", "SH", "LT", "ST", "UT", "UC", "PN")
#: Names of structures are kept where they hold nothing of the identity; sequences of references with other UIDs.
KEPT = ("ROIName", "ReferencedImageSequence", "SourceImageSequence")


def tags_of_profile() -> list[int]:
    """The single attributes of the profile that a data set can hold."""
    tags = dicom_anonymization_database_selector("dicomfields_2026c")["ALL_TAGS"]
    single = {each[0] << 16 | each[1] for each in tags if len(each) == 2 and each[0] > 2}
    known = sorted(single - {tag_for_keyword(keyword) for keyword in KEPT})
    return [tag for tag in known if _is_known(tag)]


def _is_known(tag: int) -> bool:
    try:
        return bool(dictionary_VR(tag))
    except KeyError:
        return False


def clean(paths: list[Path], folder: Path, **options: object) -> Deidentified:
    folder.mkdir()
    return deidentify_files(paths, folder, DeidentifyOptions(SECRET, **options))  # type: ignore[arg-type]


def cleaned(path: Path, folder: Path, **options: object) -> Path:
    done = clean([path], folder, **options)
    assert not done.skipped
    return done.files[path]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file that tells everything, and the one made of it."""
    folder = tmp_path_factory.mktemp("identified")
    before = write_identified(folder / "Quixote_Alonso.dcm")
    return before, cleaned(before, folder / "made")


def day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


@pytest.mark.parametrize("keyword", DIRECT)
def test_no_direct_identifier_is_left_in_the_bytes(keyword: str, pair: tuple[Path, Path]) -> None:
    before, after = (path.read_bytes().lower() for path in pair)
    for value in {DIRECT[keyword], *DIRECT[keyword].split("^")}:
        assert value.lower().encode() in before
        assert value.lower().encode() not in after


@pytest.mark.parametrize("place", ELSEWHERE)
def test_no_value_is_left_in_hidden_places(place: str, pair: tuple[Path, Path]) -> None:
    before, after = (path.read_bytes() for path in pair)
    assert ELSEWHERE[place].encode() in before
    assert ELSEWHERE[place].encode() not in after


def test_the_name_of_the_file_tells_nothing_and_is_the_same_each_time(pair: tuple[Path, Path], tmp_path: Path) -> None:
    before, after = pair
    again = cleaned(before, tmp_path / "again")
    assert "uixote" not in after.name
    assert (again.name, again.read_bytes()) == (after.name, after.read_bytes())


def test_pixels_and_what_describes_them_stay_byte_for_byte(pair: tuple[Path, Path]) -> None:
    before, after = (dcmread(path) for path in pair)
    assert before.PixelData == after.PixelData
    for keyword in ("Rows", "ImagePositionPatient", "PixelSpacing", "RescaleSlope", "BitsStored", "InstanceNumber"):
        assert before[keyword] == after[keyword]


def test_the_header_says_what_was_done(pair: tuple[Path, Path]) -> None:
    after = dcmread(pair[1])
    codes = [(item.CodeValue, item.CodingSchemeDesignator) for item in after.DeidentificationMethodCodeSequence]
    assert (after.PatientIdentityRemoved, after.LongitudinalTemporalInformationModified) == ("YES", "MODIFIED")
    assert codes == [("113100", "DCM"), ("113107", "DCM")]
    assert "PS3.15" in after.DeidentificationMethod
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID


def test_dates_move_by_one_offset_so_that_intervals_and_times_stay(pair: tuple[Path, Path]) -> None:
    after = dcmread(pair[1])
    offsets = {
        day(DIRECT[keyword]) - day(after[keyword].value)
        for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime")
    }
    assert len(offsets) == 1
    assert offsets.pop().days >= 1
    assert (after.StudyTime, after.AcquisitionDateTime[8:]) == ("101112", "101500.25")


def test_the_offset_is_the_patients_and_the_secrets(tmp_path: Path) -> None:
    def shifted(name: str, secret: bytes, **elements: str) -> str:
        path = write_identified(tmp_path / f"{name}.dcm", **elements)
        (tmp_path / name).mkdir()
        done = deidentify_files([path], tmp_path / name, DeidentifyOptions(secret))
        return str(dcmread(done.files[path]).StudyDate)

    first = shifted("a", SECRET)
    assert shifted("b", SECRET, SOPInstanceUID="1.2.3.4", StudyInstanceUID="1.2.3") == first
    assert shifted("c", SECRET, PatientID="another") != first
    assert shifted("d", b"another secret of tests") != first


def test_a_date_that_is_none_is_emptied(tmp_path: Path) -> None:
    path = write_identified(tmp_path / "a.dcm", StudyDate=None)
    path.write_bytes(path.read_bytes().replace(DIRECT["SeriesDate"].encode(), b"20171331"))
    assert not dcmread(cleaned(path, tmp_path / "made")).SeriesDate


def test_ids_and_uids_are_replaced_in_the_same_way_everywhere(tmp_path: Path) -> None:
    first = write_identified(tmp_path / "a.dcm")
    second = write_identified(tmp_path / "b.dcm", SOPInstanceUID=ELSEWHERE["a reference to another image"])
    done = clean([first, second], tmp_path / "made")
    one, two = (dcmread(done.files[path]) for path in (first, second))
    assert (one.PatientID, one.StudyInstanceUID, one.SeriesInstanceUID) == (
        two.PatientID,
        two.StudyInstanceUID,
        two.SeriesInstanceUID,
    )
    assert one.ReferencedImageSequence[0].ReferencedSOPInstanceUID == two.SOPInstanceUID
    assert one.SOPClassUID == dcmread(first).SOPClassUID


def test_a_patient_id_that_is_absent_or_empty_is_not_made_up(tmp_path: Path) -> None:
    absent = dcmread(cleaned(write_identified(tmp_path / "a.dcm", PatientID=None), tmp_path / "1"))
    empty = dcmread(cleaned(write_identified(tmp_path / "b.dcm", PatientID=""), tmp_path / "2"))
    assert "PatientID" not in absent
    assert empty.PatientID in ("", None)


def test_what_is_to_be_retained_stays_at_any_depth_and_is_told(tmp_path: Path) -> None:
    path = write_identified(tmp_path / "a.dcm")
    retain = [(0x0010, 0x1010), (0x0008, 0x1070), (0x0029, 0x1001)]
    done = clean([path], tmp_path / "made", retain=retain)
    after = dcmread(done.files[path])
    assert after.PatientAge == DIRECT["PatientAge"]
    assert after.ContributingEquipmentSequence[0].OperatorsName == ELSEWHERE["a name in a sequence that stays"]
    assert after.private_block(0x0029, "ACME")[1].value == ELSEWHERE["a private text"]
    assert set(done.report.rules["retained"]) == {"PatientAge", "OperatorsName", "(0029,0010)", "(0029,1001)"}
    assert [item.CodeValue for item in after.DeidentificationMethodCodeSequence] == ["113107"]
    assert "Retained: PatientAge" in list(after.DeidentificationMethod)


def test_a_header_that_keeps_the_name_does_not_claim_that_identity_was_removed(tmp_path: Path) -> None:
    path = write_identified(tmp_path / "a.dcm")
    after = dcmread(cleaned(path, tmp_path / "made", retain=[(0x0010, 0x0010)]))
    assert after.PatientIdentityRemoved == "NO"
    assert "DeidentificationMethodCodeSequence" not in after


def test_the_report_counts_keywords_and_tells_no_value(tmp_path: Path) -> None:
    text = str(clean([write_identified(tmp_path / "a.dcm")], tmp_path / "made").report)
    assert "De-identified 1 file. Pixels were not looked at." in text
    assert "PatientAge 1" in text
    assert "private group 0029" in text
    told = [value for value in (*DIRECT.values(), *ELSEWHERE.values()) if value in text]
    assert told == []


@pytest.mark.parametrize(
    "text",
    [
        "Alonso_LUNG",
        "quixote2",
        "_PID-9071-X_",
        "seen 2017-03-11",
        "11.03.2017",
        "on 03/11/2017.",
        "UID 1.2.826.0.1.3680043.111.2",
    ],
)
def test_what_tells_the_patient_is_found_in_texts(text: str, tmp_path: Path) -> None:
    path = write_identified(tmp_path / "a.dcm", DeviceSerialNumber=None)
    dataset = dcmread(path)
    dataset.SoftwareVersions, dataset.ManufacturerModelName = text, "version 11.03"
    dataset.save_as(path)
    after = dcmread(cleaned(path, tmp_path / "made"))
    assert not after.SoftwareVersions
    assert after.ManufacturerModelName == "version 11.03"


def test_a_series_number_that_is_the_patients_id_goes(tmp_path: Path) -> None:
    path = write_identified(tmp_path / "a.dcm", PatientID="4471190", SeriesNumber=4471190, AcquisitionNumber=7)
    after = dcmread(cleaned(path, tmp_path / "made"))
    assert (after.SeriesNumber, after.AcquisitionNumber) == (None, 7)
    kept = write_identified(tmp_path / "b.dcm", SeriesNumber=5)
    assert dcmread(cleaned(kept, tmp_path / "again")).SeriesNumber == 5


def test_names_in_other_scripts_are_found_in_texts(tmp_path: Path) -> None:
    elements = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "山田^太郎", "BodyPartExamined": "CHEST"}
    path = write_identified(tmp_path / "a.dcm", **elements)
    dataset = dcmread(path)
    dataset.ManufacturerModelName = "山田太郎の装置"
    dataset.save_as(path)
    after = dcmread(cleaned(path, tmp_path / "made"))
    assert not after.ManufacturerModelName
    assert after.BodyPartExamined == "CHEST"


@pytest.mark.parametrize("folder", ["ct_ge", "ct_philips"])
def test_a_series_is_the_same_volume_as_before(folder: str, demo_images: Path, tmp_path: Path) -> None:
    paths = sorted((demo_images / folder).iterdir())
    done = clean(paths, tmp_path / "made")
    (before,), (after,) = assemble(paths).groups, assemble(done.files.values()).groups
    assert [done.files[path] for path in before.paths] == list(after.paths)
    assert [getattr(before.facts, name) for name in MEANING] == [getattr(after.facts, name) for name in MEANING]
    assert np.array_equal(
        decode_stored(before.paths, before.facts).array, decode_stored(after.paths, after.facts).array
    )


@pytest.mark.parametrize("folder", ["compressed", "mr_enhanced/siemens_xa10_fmri", "ct_enhanced", "ultrasound"])
def test_images_of_every_coding_decode_to_the_same_values(folder: str, real_data: Path, tmp_path: Path) -> None:
    paths = list((real_data / folder).rglob("*.dcm"))
    before = assemble(paths)
    done = clean(paths, tmp_path / "made", allow_burned_in=True)
    assert {each.path for each in done.skipped} <= {each.path for each in before.skipped}
    after = {group.paths: group for group in assemble(done.files.values()).groups}
    for group in before.groups:
        same = after[tuple(done.files[path] for path in group.paths)]
        assert [getattr(group.facts, name) for name in MEANING] == [getattr(same.facts, name) for name in MEANING]
        assert np.array_equal(
            decode_stored(group.paths, group.facts).array, decode_stored(same.paths, same.facts).array
        )


def test_a_file_of_many_private_groups_keeps_none(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "mr_enhanced" / "philips_anat" / "IM-0001-0170-0001.dcm"
    after = dcmread(cleaned(path, tmp_path / "made"), stop_before_pixels=True)
    assert [element.tag for element in after.iterall() if element.tag.is_private] == []


def test_an_image_that_needs_a_private_header_is_refused(tmp_path: Path) -> None:
    planes = np.zeros((4, 3, 5), np.uint16)
    path = write_mosaic(tmp_path / "mosaic.dcm", planes, np.zeros(3), oblique(), [2, 3], 4)
    done = clean([path], tmp_path / "made")
    assert not done.files
    assert (
        "mosaic.dcm: it cannot be de-identified: without its private elements or free texts" in done.skipped[0].reason
    )


def test_a_file_that_is_no_image_is_left_out_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Quixote was here")
    done = clean([tmp_path / "notes.txt"], tmp_path / "made")
    assert "notes.txt: it is no image format" in done.skipped[0].reason
    assert done.report.files == 0


def test_a_series_whose_files_were_damaged_is_known_by_its_new_uid(tmp_path: Path) -> None:
    whole, cut = write_stack(tmp_path / "in", [(0, 0, 0), (0, 0, 1)])
    cut.write_bytes(cut.read_bytes()[:-10])
    done = clean([whole, cut], tmp_path / "made")
    assert done.skipped[0].series_uid == dcmread(done.files[whole]).SeriesInstanceUID


def test_no_text_of_any_attribute_of_the_profile_is_left(tmp_path: Path) -> None:
    table = tags_of_profile()
    dataset, inner, values = dcmread(write_identified(tmp_path / "a.dcm")), Dataset(), []
    for number, tag in enumerate(table):
        vr, value = dictionary_VR(tag), f"ZQ{number:04d}XK"
        if vr == "SQ":
            item = Dataset()
            item.CodeMeaning = value
            inner.add_new(tag, vr, Sequence([item]))
        elif vr in TEXTS:
            dataset.add_new(tag, vr, value)
            inner.add_new(tag, vr, value)
        else:
            continue
        values.append(value)
    dataset.ContributingEquipmentSequence = Sequence([inner])
    dataset.save_as(tmp_path / "a.dcm")
    after = cleaned(tmp_path / "a.dcm", tmp_path / "made").read_bytes()
    assert len(values) > 350
    assert [value for value in values if value.encode() in after] == []


def test_the_package_with_the_table_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_identified(tmp_path / "a.dcm")
    rules._table.cache_clear()
    monkeypatch.setitem(sys.modules, rules._EDITION, None)
    with pytest.raises(MissingExtraError, match=r"datamint-like\[deid\]"):
        clean([path], tmp_path / "made")
