"""Uploads: what files become, in which order, with what on them."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import cv2
import nibabel
import numpy as np
import pydicom
import pytest

from datamint_like import Api
from datamint_like.entities import Project
from datamint_like.exceptions import DatamintWarning, ItemNotFoundError, StorageError, ValidationError


def digests(paths: list[Path]) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_a_series_is_one_resource_whose_parts_come_out_byte_for_byte(api: Api, demo_images: Path) -> None:
    files = sorted((demo_images / "ct_ge").glob("*.dcm"))
    ids = api.resources.upload_resources(files).resource_ids
    assert len(ids) == 1
    parts = api.backend.list_parts(ids)[ids[0]]
    blobs = api.backend.blobs()
    stored = [blobs.part_path(part, "series").read_bytes() for part in parts]
    assert {hashlib.sha256(data).hexdigest() for data in stored} == digests(files)
    positions = [float(pydicom.dcmread(io.BytesIO(data)).ImagePositionPatient[2]) for data in stored]
    assert positions in (sorted(positions), sorted(positions, reverse=True))


def test_without_assembling_every_file_is_a_resource(api: Api, demo_images: Path) -> None:
    files = sorted((demo_images / "ct_ge").glob("*.dcm"))[:3]
    ids = api.resources.upload_resources(files, assemble_dicoms=False)
    assert [len(api.backend.list_parts([each])[each]) for each in ids] == [1, 1, 1]


def test_folders_and_patterns_and_files_may_be_mixed_and_each_file_counts_once(
    api: Api, demo_images: Path, project: Project
) -> None:
    xray = demo_images / "xray"
    given = [demo_images / "ct_philips", str(xray / "nih_0000*.png"), xray / "nih_00000001_000.png"]
    ids = api.resources.upload_resources(given, publish_to="chest").resource_ids
    names = [each.filename for each in api.projects.get_project_resources(project)]
    assert names == ["series_203_32files.dcm", "nih_00000001_000.png", "nih_00000001_000_mask.png"]
    assert [each.id for each in api.projects.get_project_resources(project)] == [*ids]


def test_a_folder_is_read_with_its_folders_but_without_hidden_files(
    api: Api, tmp_path: Path, demo_images: Path
) -> None:
    deep = tmp_path / "study" / "deep"
    deep.mkdir(parents=True)
    (deep / "a.png").write_bytes((demo_images / "xray" / "cr_16bit.png").read_bytes())
    (tmp_path / "study" / ".DS_Store").write_bytes(b"hidden")
    assert len(api.resources.upload_resources(tmp_path / "study")) == 1


def test_what_was_given_is_on_the_resource(api: Api, demo_images: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.json"
    note.write_text(json.dumps({"ward": "b"}))
    files = [demo_images / "xray" / "nih_00000001_000.png", demo_images / "xray" / "cr_16bit.png"]
    ids = api.resources.upload_resources(
        files, tags=["a", " b "], channel="ward-1", modality="CR", metadata=[{"age": 7}, str(note)], publish=True
    )
    first, second = (api.resources.get_by_id(each) for each in ids)
    assert set(first.tags) == {"a", "b"}
    assert (first.upload_channel, first.modality, first.status) == ("ward-1", "CR", "published")
    assert (first.metadata["age"], second.metadata["ward"]) == (7, "b")
    assert first.metadata["shape"] == [1, 512, 512]


def test_metadata_may_name_the_modality_and_may_be_json_text(api: Api, demo_images: Path) -> None:
    ids = api.resources.upload_resources(
        [demo_images / "xray" / "cr_16bit.png"], metadata='{"Modality": "DX", "site": 3}', mimetype="image/x-png"
    )
    resource = api.resources.get_by_id(ids[0])
    assert (resource.modality, resource.metadata["site"], resource.mimetype) == ("DX", 3, "image/x-png")


def test_resources_wait_in_the_inbox_until_they_are_published(api: Api, xray: str, project: Project) -> None:
    assert api.resources.get_by_id(xray).status == "inbox"
    api.projects.add_resources(xray, project)
    assert api.resources.get_by_id(xray).status == "published"


def test_files_of_one_series_need_equal_metadata(api: Api, demo_images: Path) -> None:
    files = sorted((demo_images / "ct_ge").glob("*.dcm"))
    same = api.resources.upload_resources(files, metadata=[{"n": 1}] * len(files))
    assert api.resources.get_by_id(same[0]).metadata["n"] == 1
    with pytest.raises(ValidationError, match=r"series_2_28files.dcm: its 28 files were given different metadata"):
        api.resources.upload_resources(files, metadata=[{"n": n} for n in range(len(files))])


def test_open_files_and_data_sets_are_uploaded_like_files(api: Api, demo_images: Path) -> None:
    path = demo_images / "xray" / "cr_16bit.png"
    dicom = demo_images / "ultrasound" / "examples_ybr_color.dcm"
    with open(path, "rb") as file:
        ids = api.resources.upload_resources([file, io.BytesIO(path.read_bytes()), pydicom.dcmread(dicom)])
    first, second, third = (api.resources.get_by_id(each) for each in ids)
    assert first.filename == "cr_16bit.png"
    assert first.sha256 == second.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert third.metadata["shape"] == [30, 240, 320]
    single = api.resources.upload_resource(io.BytesIO(path.read_bytes()))
    assert api.resources.get_by_id(single).sha256 == first.sha256


def test_a_linked_file_is_read_in_place_and_its_change_is_noticed(api: Api, demo_images: Path, tmp_path: Path) -> None:
    path = tmp_path / "linked.png"
    path.write_bytes((demo_images / "xray" / "cr_16bit.png").read_bytes())
    linked = api.resources.upload_resource(path, link=True)
    copied = api.resources.upload_resource(path)
    assert api.backend.list_parts([linked])[linked][0].linked_path == str(path)
    assert api.backend.list_parts([copied])[copied][0].linked_path is None
    path.write_bytes((demo_images / "xray" / "nih_00000001_000.png").read_bytes())
    assert api.resources.download_resource_file(copied).shape == (440, 440)
    with pytest.raises(StorageError, match=r"linked\.png"):
        api.resources.download_resource_file(linked)


def test_only_files_on_disk_can_be_linked(api: Api) -> None:
    with pytest.raises(ValidationError, match="Only files on disk can be linked"):
        api.resources.upload_resources([io.BytesIO(b"")], link=True)


def test_upload_resource_wants_exactly_one(api: Api, demo_images: Path) -> None:
    with pytest.raises(ValidationError, match=r"xray holds 7.*upload_resources"):
        api.resources.upload_resource(demo_images / "xray")
    assert api.resources.get_list() == []


def test_masks_come_with_their_images(api: Api, demo_images: Path) -> None:
    folder = demo_images / "xray"
    names = ["nih_00000001_000", "nih_00027426_000"]
    ids = api.resources.upload_resources(
        [folder / f"{name}.png" for name in names],
        segmentation_files=[
            [folder / f"{names[0]}_mask.png"],
            {"files": [folder / f"{names[1]}_mask.png"], "names": ["lung"]},
        ],
        ai_model="unet",
    )
    found = api.annotations.get_list(ids, group_by_resource=True)
    assert [each.identifier for each in found[1]] == ["lung"]
    assert found[0][0].identifier.startswith("seg_")
    assert {each.created_by_model for group in found for each in group} == {"unet"}
    mask = cv2.imread(str(folder / f"{names[1]}_mask.png"), cv2.IMREAD_GRAYSCALE)
    stored = cv2.imdecode(np.frombuffer(api.annotations.download_file(found[1][0]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(stored != 0, mask != 0)


def test_masks_are_read_once_before_anything_is_stored(
    api: Api, demo_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes((demo_images / "xray" / "nih_00000001_000_mask.png").read_bytes())
    create = api.backend.create_resource
    monkeypatch.setattr(api.backend, "create_resource", lambda new: (mask.unlink(), create(new))[1])
    made = api.resources.upload_resource(
        demo_images / "xray" / "nih_00000001_000.png", segmentation_files={"files": [mask], "names": ["lung"]}
    )
    assert [each.identifier for each in api.annotations.get_list(made)] == ["lung"]


def test_a_mask_of_background_only_warns_once_at_the_line_of_the_caller(api: Api, demo_images: Path) -> None:
    image, mask = demo_images / "xray" / "cr_16bit.png", np.zeros((440, 440), np.uint8)
    with pytest.warns(DatamintWarning, match="background only") as caught:
        api.resources.upload_resource(image, segmentation_files=[mask])
    assert [Path(each.filename).name for each in caught] == [Path(__file__).name]


def test_a_mask_of_another_size_stops_the_upload_before_anything_is_stored(api: Api, demo_images: Path) -> None:
    folder = demo_images / "xray"
    with pytest.raises(Exception, match=r"nih_00000001_000_mask.png has frames of 512 rows.*cr_16bit.png has 440"):
        api.resources.upload_resources(
            [folder / "cr_16bit.png"], segmentation_files=[[folder / "nih_00000001_000_mask.png"]]
        )
    assert api.resources.get_list() == []


def test_a_nifti_mask_comes_with_its_volume(api: Api, demo_images: Path, tmp_path: Path) -> None:
    labels = np.zeros((128, 128, 28), np.uint8)
    labels[10:20, 30:50, 5] = 2
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), tmp_path / "mask.nii.gz")
    made = api.resources.upload_resource(
        demo_images / "ct_ge", segmentation_files={"files": [tmp_path / "mask.nii.gz"], "names": [{2: "liver"}]}
    )
    assert [(each.identifier, each.scope) for each in api.annotations.get_list(made)] == [("liver", "image")]


def test_an_unknown_project_stops_the_upload_before_anything_is_stored(api: Api, demo_images: Path) -> None:
    with pytest.raises(ItemNotFoundError, match="'nowhere'"):
        api.resources.upload_resources(demo_images / "xray", publish_to="nowhere")
    assert api.resources.get_list() == []


def test_a_file_that_is_no_image_is_skipped_with_a_warning_and_a_report(
    api: Api, demo_images: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.warns(DatamintWarning, match=r"1 file was left out: notes\.txt: "):
        ids = api.resources.upload_resources(
            [tmp_path / "notes.txt", demo_images / "xray" / "cr_16bit.png"], on_error="skip"
        )
    assert [each is None for each in ids] == [True, False]
    assert ids.resource_ids == (ids[1],)
    assert [item.path.name for item in ids.skipped] == ["notes.txt"]


@pytest.mark.parametrize(
    "option",
    [
        {"mung_filename": "all"},
        {"discard_dicom_reports": False},
    ],
)
def test_an_option_that_is_not_done_yet_says_so(api: Api, demo_images: Path, option: dict[str, object]) -> None:
    path = demo_images / "xray" / "cr_16bit.png"
    with pytest.raises(NotImplementedError, match=next(iter(option))):
        api.resources.upload_resources([path], **option)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        api.resources.upload_resource(path, **option)  # type: ignore[arg-type]
    assert api.resources.get_list() == []


def test_the_progress_bar_goes_to_stderr(api: Api, demo_images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api.resources.upload_resources(demo_images / "xray" / "cr_16bit.png", progress_bar=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "storing" in err
