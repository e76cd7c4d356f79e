from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from datamint_like.imaging import Group, assemble, facts_from_metadata, facts_to_metadata
from datamint_like.imaging import probe as probe_files

from .dicom_files import write_slice, write_stack

UP = [(0.0, 0.0, 2.5 * n) for n in range(4)]


def test_the_two_shipped_series_come_apart(demo_images: Path):
    assembly = assemble(path for path in demo_images.rglob("*.dcm") if "ultrasound" not in path.parts)
    assert sorted((len(group.paths), group.filename) for group in assembly.groups) == [
        (28, "series_2_28files.dcm"),
        (32, "series_203_32files.dcm"),
    ]


def test_without_series_every_file_is_a_resource(regular_ct: Group):
    assembly = assemble(regular_ct.paths, series=False)
    assert [group.filename for group in assembly.groups] == sorted(path.name for path in regular_ct.paths)
    assert {group.facts.kind for group in assembly.groups} == {"image"}


def test_two_patients_in_one_folder_never_join(tmp_path: Path):
    paths = write_stack(tmp_path, UP, PatientID=["one", "two", "one", "two"])
    assert sorted(group.paths for group in assemble(paths).groups) == [
        (paths[0], paths[2]),
        (paths[1], paths[3]),
    ]


def test_orientations_and_sizes_come_apart(real_data: Path, tmp_path: Path):
    mixed = assemble((real_data / "geometry_edge/mixed_orientation").iterdir())
    assert [len(group.paths) for group in mixed.groups] == [2, 2]
    write_stack(tmp_path, UP)
    write_slice(tmp_path / "other.dcm", np.zeros((9, 9), np.int16), ImagePositionPatient=[0, 0, 50])
    assert sorted(len(group.paths) for group in assemble(tmp_path.iterdir()).groups) == [1, 4]


def test_pictures_without_a_place_stay_alone(tmp_path: Path):
    for n in range(3):
        pixels = np.zeros((4, 4), np.uint8)
        write_slice(
            tmp_path / f"{n}.dcm", pixels, Modality="CR", ImagePositionPatient=None, ImageOrientationPatient=None
        )
    assert [group.filename for group in assemble(tmp_path.iterdir()).groups] == ["0.dcm", "1.dcm", "2.dcm"]


def test_planes_that_nothing_tells_apart_are_left_out_with_the_reason(tmp_path: Path):
    assembly = assemble(write_stack(tmp_path, [(0, 0, 0), (0, 0, 1)] * 2, InstanceNumber=[7] * 4))
    assert not assembly.groups
    assert {skip.path.name for skip in assembly.skipped} == {f"s00{n}.dcm" for n in range(4)}
    assert all("nor instance number tells them apart" in skip.reason for skip in assembly.skipped)
    assert all(skip.reason.startswith(f"{skip.path.name} and 3 more files: ") for skip in assembly.skipped)


def test_planes_at_one_position_are_pictures_of_their_own(tmp_path: Path, real_data: Path):
    paths = write_stack(tmp_path, [(0, 0, 5)] * 3, AcquisitionTime=["101010", "101011", "101012"])
    assert [group.paths for group in assemble(paths).groups] == [(path,) for path in paths]
    bolus = assemble((real_data / "geometry_edge/same_position").iterdir())
    assert [(len(group.paths), group.facts.kind) for group in bolus.groups] == [(1, "image")] * 4


def test_a_copy_of_a_slice_is_left_out_once(tmp_path: Path):
    paths = write_stack(tmp_path, UP)
    shutil.copyfile(paths[1], tmp_path / "zcopy.dcm")
    assembly = assemble(tmp_path.iterdir())
    assert [len(group.paths) for group in assembly.groups] == [4]
    (skip,) = assembly.skipped
    assert skip.reason == "zcopy.dcm: it is the same image (SOP Instance UID) as another file, s001.dcm."


def test_bad_files_are_left_out_and_the_rest_goes_on(real_data: Path, regular_ct: Group, tmp_path: Path):
    for path in regular_ct.paths[:5]:
        shutil.copyfile(path, tmp_path / path.name)
    whole = regular_ct.paths[5].read_bytes()
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "header_cut.dcm").write_bytes(whole[:900])
    (tmp_path / "pixels_cut.dcm").write_bytes(whole[:-1000])
    (tmp_path / "notes.txt").write_text("no image")
    for name in (
        "rtstruct/test-SR.dcm",
        "rtstruct/waveform_ecg.dcm",
        "rtstruct/rt_utils/mock_data/rt.dcm",
        "seg/liver.dcm",
    ):
        shutil.copyfile(real_data / name, tmp_path / Path(name).name)
    assembly = assemble(tmp_path.iterdir())
    assert [len(group.paths) for group in assembly.groups] == [5]
    reasons = {skip.path.name: skip.reason for skip in assembly.skipped}
    for name, says in {
        "empty.dcm": "an empty file",
        "header_cut.dcm": "cut short",
        "pixels_cut.dcm": "cut short: expected 32,768 bytes of pixels, found 31,768",
        "notes.txt": "no image format",
        "test-SR.dcm": "a structured report (SR), not an image",
        "waveform_ecg.dcm": "a waveform (ECG), not an image",
    }.items():
        reason = reasons.pop(name)
        assert reason.startswith(f"{name}: ")
        assert says in reason
    assert not reasons
    assert [(each.path.name, each.references.kind) for each in assembly.annotations] == [
        ("liver.dcm", "seg"),
        ("rt.dcm", "rtstruct"),
    ]


def test_annotations_tell_by_their_header_what_they_were_drawn_on(real_data: Path, regular_ct: Group, tmp_path: Path):
    folder = real_data / "derived/ct_small_axial_labels"
    shutil.copytree(folder, tmp_path / "labels")
    cut = (folder / "seg_labelmap.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(cut[:-9000])
    assembly = assemble([*regular_ct.paths, *(path for path in tmp_path.rglob("*") if path.is_file())])
    rtstruct, seg = assembly.annotations
    for found in (rtstruct, seg):
        assert found.references.series_uids == (regular_ct.facts.series_uid,)
        assert found.images == set(regular_ct.paths)
        assert len(found.references.instance_uids) == 32
    frame = pydicom.dcmread(regular_ct.paths[0], stop_before_pixels=True).FrameOfReferenceUID
    assert seg.references.frames_of_reference == (frame,)
    (left_out,) = assembly.skipped
    assert left_out.reason.startswith("cut.dcm: it is cut short")


def test_a_missing_file_and_a_folder_are_left_out_with_the_reason(tmp_path: Path):
    reasons = [skip.reason for skip in assemble([tmp_path, tmp_path / "gone.dcm"]).skipped]
    assert any("Is a directory" in reason for reason in reasons)
    assert any("No such file" in reason for reason in reasons)


def test_progress_counts_every_file(regular_ct: Group):
    steps: list[int] = []
    assemble(regular_ct.paths, progress=steps.append)
    assert sum(steps) == len(regular_ct.paths)


@pytest.mark.parametrize("which", ["ct_ge", "ct_philips", "xray", "ultrasound"])
def test_facts_survive_json_and_carry_no_identity(which: str, demo_images: Path):
    for group in assemble((demo_images / which).iterdir()).groups:
        metadata = json.loads(json.dumps(facts_to_metadata(group.facts)))
        facts = group.facts
        uids = {k: getattr(facts, k) for k in ("modality", "patient_id", "study_uid", "series_uid", "instance_uid")}
        assert facts_from_metadata(metadata, **uids) == facts
        assert metadata["frame_count"] == facts.shape[0]
        assert (metadata["height"], metadata["width"]) == facts.shape[1:]
        text = json.dumps(metadata)
        assert not any(str(value) in text for key, value in uids.items() if value and key != "modality")


def test_names_and_dates_of_the_patient_stay_out_of_metadata(tmp_path: Path):
    secret = {
        "PatientName": "Secret^Name",
        "PatientID": "Secret1",
        "PatientBirthDate": "19700101",
        "InstitutionName": "Secret Clinic",
        "ReferringPhysicianName": "Secret^Doctor",
        "SeriesDescription": "Secret thorax",
        "StudyDescription": "Secret study",
        "AccessionNumber": "Secret7",
    }
    text = json.dumps(
        facts_to_metadata(probe_files([write_slice(tmp_path / "a.dcm", np.zeros((2, 2), "i2"), **secret)]))
    )
    assert "Secret" not in text
    assert "1970" not in text


def test_metadata_of_another_origin_is_no_facts():
    assert facts_from_metadata({"frame_count": 3}) is None
    assert facts_from_metadata({"shape": [1, 2], "format": "dicom"}) is None


def test_a_damaged_slice_that_is_left_out_tells_its_series(tmp_path: Path, demo_images: Path):
    whole = (demo_images / "ct_ge" / "IM0003.dcm").read_bytes()
    uid = str(pydicom.dcmread(demo_images / "ct_ge" / "IM0003.dcm").SeriesInstanceUID)
    at = whole.index(uid.encode())
    lengths = {"before": at - 8, "after": at + len(uid) + 40, "pixels": len(whole) - 10}
    for name, length in lengths.items():
        (tmp_path / f"{name}.dcm").write_bytes(whole[:length])
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "text.dcm").write_text("no image at all")
    (tmp_path / "noise.dcm").write_bytes(whole[:132] + bytes(range(256)) * 20)
    told = {each.path.stem: each.series_uid for each in assemble(tmp_path.iterdir()).skipped}
    assert told == {"before": None, "after": uid, "pixels": uid, "empty": None, "text": None, "noise": None}
