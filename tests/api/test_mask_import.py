"""DICOM SEG and RTSTRUCT as masks and as import sources: what they attach to, who made them, what is left out."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from pycocotools import mask as coco

import datamint_like
from datamint_like import Api, ImageDataset, VolumeDataset
from datamint_like.api._segments import annotator_of
from datamint_like.api.importing import ImportOptions, ImportReport, import_files
from datamint_like.exceptions import DatamintWarning, DecodeError, GeometryError, ValidationError
from datamint_like.imaging import Group, decode_segments, encode_volume_mask
from tests.imaging.conftest import only_group
from tests.imaging.dicom_files import write_slice
from tests.imaging.mask_files import write_rtstruct, write_seg

ANA = "silva.ana@dicom.invalid"


@pytest.fixture
def ct(demo_images: Path) -> Group:
    return only_group(demo_images / "ct_philips")


@pytest.fixture
def tilted(demo_images: Path) -> Group:
    return only_group(demo_images / "ct_ge")


def boxes(group: Group) -> np.ndarray:
    """(K, J, I, 2): a box, and one that overlaps it; no plane or row is like its mirror."""
    masks = np.zeros((*group.facts.shape, 2), np.uint8)
    masks[3:9, 20:50, 30:90, 0] = 1
    masks[5:12, 40:70, 60:100, 1] = 1
    return masks


def contours(group: Group) -> dict[str, list[tuple[str, np.ndarray]]]:
    """The same boxes as contours around their pixels."""
    facts = group.facts
    assert facts.affine is not None
    origins = facts.plane_origins or facts.affine.points([(k, 0, 0) for k in range(facts.shape[0])])
    found = {}
    for name, (planes, top, bottom, left, right) in {
        "Liver": (range(3, 9), 20, 50, 30, 90),
        "Lesion": (range(5, 12), 40, 70, 60, 100),
    }.items():
        corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)]) - 0.5
        offset = corners @ facts.affine.matrix[:3, 1:3].T
        found[name] = [("CLOSED_PLANAR", (np.array(origins[k]) + offset) * [-1, -1, 1]) for k in planes]
    return found


@pytest.fixture
def study(tmp_path: Path, demo_images: Path, ct: Group) -> Path:
    """A series with a segmentation and a structure set of it."""
    folder = tmp_path / "study"
    shutil.copytree(demo_images / "ct_philips", folder / "ct")
    write_seg(folder / "seg.dcm", ct.paths, boxes(ct))
    write_rtstruct(folder / "rt.dcm", contours(ct), ct)
    return folder


def bring(api: Api, *paths: Path, **options: str) -> ImportReport:
    return import_files(api, paths, "liver", ImportOptions(**options))  # type: ignore[arg-type]


def masks_of(api: Api) -> list[tuple[str, str, str]]:
    return [(each.identifier, each.author, each.imported_from or "") for each in api.annotations.get_all()]


# -- import


def test_a_study_comes_with_its_annotations_and_a_second_import_adds_nothing(api: Api, study: Path):
    report = bring(api, study)
    ((resource, files),) = report.imported
    assert files == 32
    assert [(each.path.name, each.resource_id, each.count) for each in report.annotated] == [
        ("rt.dcm", resource.id, 2),
        ("seg.dcm", resource.id, 2),
    ]
    assert report.skipped == ()
    origins = [f"urn:oid:{pydicom.dcmread(study / name).SOPInstanceUID}" for name in ("rt.dcm", "seg.dcm")]
    expected = [(name, ANA, origin) for origin in origins for name in ("Liver", "Lesion")]
    assert masks_of(api) == expected
    again = bring(api, study)
    assert (again.imported, again.annotated, again.skipped) == ((), (), ())
    assert [path.name for path in again.annotations_there] == ["rt.dcm", "seg.dcm"]
    assert masks_of(api) == expected


def test_an_annotation_file_waits_for_its_series(api: Api, study: Path, ct: Group, demo_images: Path):
    shutil.move(study / "ct", study.parent / "later")
    shutil.copy(demo_images / "xray" / "nih_00000001_000.png", study)
    report = bring(api, study)
    assert len(report.imported) == 1
    assert report.annotated == ()
    for left_out, kind in zip(report.skipped, ("a structure set", "a segmentation"), strict=True):
        assert f"it is {kind}" in left_out.reason
        assert f"of the series {ct.facts.series_uid}, which is neither among the files nor in" in left_out.reason
    assert masks_of(api) == []
    bring(api, study.parent / "later")
    assert len(bring(api, study).annotated) == 2
    assert len(masks_of(api)) == 4


def test_only_annotation_files_of_unknown_series_are_an_error_that_says_which(api: Api, study: Path, ct: Group):
    with pytest.raises(DecodeError, match=rf"Nothing was imported: rt.dcm: .* of the series {ct.facts.series_uid}"):
        bring(api, study / "rt.dcm", study / "seg.dcm")
    assert api.projects.get_all() == []


def test_annotations_alone_attach_to_what_the_project_holds(api: Api, study: Path):
    bring(api, study / "ct")
    report = bring(api, study / "seg.dcm")
    assert [(each.count, each.path.name) for each in report.annotated] == [(2, "seg.dcm")]
    assert bring(api, study / "seg.dcm").annotations_there == (study / "seg.dcm",)


def test_annotations_that_were_deleted_come_again(api: Api, study: Path):
    bring(api, study)
    api.annotations.delete(api.annotations.get_all())
    assert len(bring(api, study).annotated) == 2


def test_a_segmentation_that_does_not_fit_is_left_out_and_the_series_is_there(api: Api, study: Path):
    dataset = pydicom.dcmread(study / "seg.dcm")
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.PlanePositionSequence[0].ImagePositionPatient[2] += 0.5
    dataset.save_as(study / "seg.dcm")
    report = bring(api, study)
    assert len(report.imported) == 1
    assert [each.path.name for each in report.annotated] == ["rt.dcm"]
    assert "seg.dcm: frame 1 lies at" in report.skipped[0].reason
    assert "between plane" in report.skipped[0].reason


def test_nothing_is_stored_where_one_does_not_fit_and_errors_are_to_be_raised(api: Api, study: Path):
    rois = contours(only_group(study / "ct"))
    rois["Liver"][0][1][:, 2] += 0.4
    write_rtstruct(study / "rt.dcm", rois, only_group(study / "ct"))
    with pytest.raises(GeometryError, match=r"rt.dcm: contour 1 of 'Liver' lies at"):
        bring(api, study, on_error="raise")
    assert (api.resources.get_all(), api.projects.get_all()) == ([], [])
    with pytest.raises(GeometryError, match=r"rt.dcm"):
        api.resources.upload_resources(study)
    assert api.resources.get_all() == []


def test_uploads_attach_annotation_files_and_say_so(api: Api, study: Path):
    made = api.resources.upload_resources(study)
    assert len(made.resource_ids) == 1
    assert made[:32] == [*made.resource_ids] * 32
    assert made[32:] == [None, None]
    assert [path.name for path in made.annotation_files] == ["rt.dcm", "seg.dcm"]
    assert len(api.resources.get_annotations(made[0])) == 4
    project = api.projects.create("other")
    with pytest.raises(DecodeError, match="nor in the project"):
        api.resources.upload_resources(study / "seg.dcm", publish_to=project)


def test_a_file_given_as_mask_and_in_the_folder_counts_once(api: Api, study: Path):
    api.resources.upload_resources([study], segmentation_files=[[study / "seg.dcm"]])
    assert len(api.annotations.get_all()) == 4


def test_a_segmentation_without_series_is_bound_by_its_images(api: Api, study: Path):
    dataset = pydicom.dcmread(study / "seg.dcm")
    del dataset.ReferencedSeriesSequence
    dataset.save_as(study / "seg.dcm")
    assert {each.path.name for each in bring(api, study).annotated} == {"rt.dcm", "seg.dcm"}


def test_a_structure_set_that_names_only_a_frame_of_reference_is_bound_where_one_resource_has_it(
    api: Api, study: Path, ct: Group
):
    (study / "seg.dcm").unlink()
    dataset = pydicom.dcmread(study / "rt.dcm")
    del dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    dataset.save_as(study / "rt.dcm")
    assert len(bring(api, study).annotated) == 1
    with Api((study.parent / "two").as_uri()) as other:
        bring(other, study / "ct")
        assert len(bring(other, study / "rt.dcm").annotated) == 1
    shutil.copytree(study / "ct", study / "twin")
    for path in (study / "twin").iterdir():
        twin = pydicom.dcmread(path)
        twin.SeriesInstanceUID, twin.SOPInstanceUID = "1.2.3", f"{twin.SOPInstanceUID}.1"[-64:]
        twin.save_as(path)
    with Api((study.parent / "three").as_uri()) as other:
        (left_out,) = bring(other, study).skipped
    assert "not exactly one resource of its study has its frame of reference" in left_out.reason


def test_two_segments_of_one_name_survive_and_empty_ones_do_not(api: Api, study: Path, ct: Group):
    (study / "rt.dcm").unlink()
    masks = np.concatenate([boxes(ct), np.zeros((*ct.facts.shape, 1), np.uint8)], axis=-1)
    write_seg(study / "seg.dcm", ct.paths, masks, ["Lesion", "Lesion", "None"], creator=None)
    bring(api, study)
    owner = api.backend.current_user().email
    assert [(name, author) for name, author, _ in masks_of(api)] == [("Lesion", owner)] * 2


def test_points_are_noted_in_the_report(api: Api, study: Path, ct: Group):
    rois = contours(ct)
    rois["Isocentre"] = [("POINT", rois["Liver"][0][1][:1])]
    write_rtstruct(study / "rt.dcm", rois, ct)
    notes = {each.path.name: each.notes for each in bring(api, study).annotated}
    assert notes["rt.dcm"] == ("1 contour of 'Isocentre' (POINT) left out: they enclose nothing.",)


@pytest.mark.parametrize(
    ("person", "email"),
    [
        ("Silva^Ana", "silva.ana@dicom.invalid"),
        ("Silva^Ana Maria^^Dr.", "silva.ana-maria.dr@dicom.invalid"),
        ("ana@lab.example", "ana@lab.example"),
        ("Yamada^Tarou=山田^太郎", "yamada.tarou@dicom.invalid"),
        ("=山田^太郎", "山田.太郎@dicom.invalid"),
        ("Müller^Jörg", "müller.jörg@dicom.invalid"),
        ("///", "unnamed@dicom.invalid"),
        ("x" * 300, f"{'x' * 64}@dicom.invalid"),
        ("a @ b", "a-b@dicom.invalid"),
    ],
)
def test_a_person_becomes_an_address_that_is_nobodys(person: str, email: str):
    assert annotator_of(person) == email


def test_the_command_says_what_was_attached(study: Path, capsys: pytest.CaptureFixture[str]):
    from datamint_like.cli.main import main

    (study / "seg.dcm").rename(study.parent / "seg.dcm")
    assert main(["import", str(study), "--project", "liver"]) == 0
    assert "Attached 2 annotations from 1 annotation file (SEG, RTSTRUCT) to 1 resource." in capsys.readouterr().out
    assert main(["import", str(study), str(study.parent / "seg.dcm"), "--project", "liver", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["file"], each["annotations"]) for each in found["annotated"]] == [("seg.dcm", 2)]
    assert found["annotations_already_there"] == ["rt.dcm"]
    assert main(["import", str(study), "--project", "liver"]) == 0
    assert "Already attached, not added again: 1 annotation file." in capsys.readouterr().out


# -- as masks of a resource that is there


def by_author(dataset: VolumeDataset, index: int) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = dataset[index]["segmentations"]
    return found


@pytest.mark.parametrize("series", ["ct", "tilted"])
def test_all_payloads_of_one_mask_lie_in_one_place(
    series: str, api: Api, tmp_path: Path, request: pytest.FixtureRequest
):
    group: Group = request.getfixturevalue(series)
    masks = boxes(group)
    masks[..., 0] &= ~masks[..., 1] & 1  # a label map holds one class a voxel
    project = api.projects.create("liver")
    (ct,) = api.resources.upload_resources(list(group.paths), publish_to=project).resource_ids
    labels = masks[..., 0] + 2 * masks[..., 1]
    names = {1: "Liver", 2: "Lesion"}
    nifti = encode_volume_mask(labels, group.facts)
    rois = contours(group)
    inner = [points for (_, points), k in zip(rois["Lesion"], range(5, 12), strict=True) if k < 9]
    rois["Liver"][2:] = [*rois["Liver"][2:], *(("CLOSEDPLANAR_XOR", _clipped(points, group)) for points in inner)]
    np.save(tmp_path / "m.npy", labels.transpose(2, 1, 0))
    upload = api.annotations.upload_segmentations
    upload(ct, write_seg(tmp_path / "b.dcm", group.paths, masks), author_email="seg@x")
    upload(ct, write_seg(tmp_path / "l.dcm", group.paths, labels, kind="LABELMAP"), author_email="labelmap@x")
    upload(ct, write_rtstruct(tmp_path / "r.dcm", rois, group).read_bytes(), author_email="rtstruct@x")
    upload(ct, nifti, names, author_email="nifti@x")
    upload(ct, np.moveaxis(labels, 0, -1), names, author_email="frames@x")
    for k in range(2, 13):
        if labels[k].any():
            upload(ct, _png(labels[k]), names, frame_index=k, author_email="png@x")
    api.annotations.upload_volume_segmentation(ct, tmp_path / "m.npy", names, author_email="numpy@x")
    authors = ["frames@x", "labelmap@x", "nifti@x", "numpy@x", "png@x", "rtstruct@x", "seg@x"]
    whole = VolumeDataset(
        project="liver", server_url=api.server_url, return_as_semantic_segmentation=True, irregular_spacing="keep"
    )
    found = by_author(whole, 0)
    assert sorted(found) == authors
    for author in authors:
        counts = sorted(int(channel.sum()) for channel in found[author][1:])
        assert counts == sorted(int(masks[..., n].sum()) for n in (0, 1))
        assert torch.equal(found[author], found["nifti@x"]), author
    slices = whole.slice("axial")
    for index in (0, 4, 7, len(slices) - 5):
        cut = by_author(slices, index)
        assert all(torch.equal(cut[author], cut["nifti@x"]) for author in authors)


def _clipped(points: np.ndarray, group: Group) -> np.ndarray:
    """The part of a Lesion contour inside the Liver's box: rows 40 to 50, columns 60 to 90."""
    a, b, _, d = points
    down, across = (d - a) / 30, (b - a) / 40
    return np.array([a, a + 30 * across, a + 30 * across + 10 * down, a + 10 * down])


def _png(labels: np.ndarray) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", labels)[1].tobytes())


def test_a_label_map_of_the_truth_and_what_was_imported_agree_as_tensors(
    api: Api, real_data: Path, demo_images: Path, tmp_path: Path
):
    folder = real_data / "derived/ct_small_axial_labels"
    study = tmp_path / "study"
    shutil.copytree(demo_images / "ct_philips", study / "ct")
    shutil.copy(folder / "seg_labelmap.dcm", study)
    report = import_files(api, [study], "truth", ImportOptions())
    resource = report.imported[0][0]
    names = {1: "Body", 2: "Dense"}
    api.annotations.upload_segmentations(resource, folder / "label.nii.gz", names, author_email="truth@x")
    items = VolumeDataset(project="truth", server_url=api.server_url, return_as_semantic_segmentation=True)
    imported, truth = (by_author(items, 0)[author] for author in (api.backend.current_user().email, "truth@x"))
    assert torch.equal(imported, truth)
    image = nib.load(folder / "label.nii.gz")
    assert int(truth[1:].sum()) == int(np.count_nonzero(np.asarray(image.dataobj)))
    for slices in (items.slice("axial"), items.slice("coronal")):
        assert torch.equal(by_author(slices, 17)[api.backend.current_user().email], by_author(slices, 17)["truth@x"])


def test_names_given_count_before_those_of_the_file(api: Api, study: Path, ct: Group):
    resource = api.resources.upload_resources(study / "ct")[0]
    upload = api.annotations.upload_segmentations
    for names, expected in (
        (None, ["Liver", "Lesion"]),
        ({1: "a", 2: "b"}, ["a", "b"]),
        ("all", ["all", "all"]),
        ({1: "a", "default": "rest"}, ["a", "rest"]),
    ):
        ids = upload(resource, study / "seg.dcm", names)
        assert [api.annotations.get_by_id(each).identifier for each in ids] == expected
    with pytest.raises(ValidationError, match=r"values without a name: 2"):
        upload(resource, study / "seg.dcm", {1: "a"})
    with pytest.raises(ValidationError, match="says itself where its segments lie"):
        upload(resource, study / "seg.dcm", frame_index=3)
    made = api.annotations.upload_volume_segmentation(resource, study / "rt.dcm", ai_model_name="net")
    assert {api.annotations.get_by_id(each).created_by_model for each in made} == {"net"}


@pytest.mark.parametrize("name", ["seg.dcm", "rt.dcm"])
def test_files_that_say_where_they_lie_are_not_resampled(api: Api, study: Path, name: str):
    resource = api.resources.upload_resource(study / "ct")
    for upload in (api.annotations.upload_segmentations, api.annotations.upload_volume_segmentation):
        with pytest.raises(ValidationError, match=rf"for NIfTI masks.*{name} says itself where its segments lie"):
            upload(resource, study / name, resample_masks=True)
    other = api.resources.upload_resource(Path(datamint_like.__file__).parent / "demo" / "images" / "ct_ge")
    with pytest.raises(GeometryError) as told:
        api.annotations.upload_segmentations(other, study / name)
    assert "resample_masks" not in str(told.value)


def test_points_and_empty_files_are_told_by_a_warning(api: Api, study: Path, ct: Group):
    resource = api.resources.upload_resources(study / "ct")[0]
    path = write_rtstruct(study / "p.dcm", {"Isocentre": [("POINT", np.zeros((1, 3)))]}, ct)
    with pytest.warns(DatamintWarning) as told:
        assert api.annotations.upload_segmentations(resource, path) == []
    assert [str(each.message) for each in told] == [
        "The mask p.dcm: 1 contour of 'Isocentre' (POINT) left out: they enclose nothing.",
        "The mask p.dcm holds background only, so no mask was stored.",
    ]


def test_a_misfit_names_mask_and_resource(api: Api, study: Path, volume: str):
    with pytest.raises(GeometryError, match=r"The mask seg.dcm: .* It is for series_2_28files.dcm \("):
        api.annotations.upload_segmentations(volume, study / "seg.dcm")


def test_overlapping_segments_come_with_a_new_resource(api: Api, study: Path, ct: Group):
    ids = api.resources.upload_resources(
        [study / "ct"], segmentation_files=[{"files": [study / "seg.dcm"], "names": [{1: "a", 2: "b"}]}]
    )
    api.projects.create("p", "d", ids)
    item = VolumeDataset(project="p", server_url=api.server_url)[0]
    found = item["segmentations"][ANA].numpy()
    masks = boxes(ct)
    assert found.shape[0] == 2
    assert sorted(int(each.sum()) for each in found) == sorted(int(masks[..., n].sum()) for n in range(2))
    assert int((found[0] & found[1]).sum()) == int((masks[..., 0] & masks[..., 1]).sum()) > 0


def test_run_lengths_are_masks_of_pictures(api: Api, xray: str, tmp_path: Path):
    mask = np.zeros((512, 512), np.uint8)
    mask[10:50, 30:400] = 1
    encoded = coco.encode(np.asfortranarray(mask))
    record = {"size": encoded["size"], "counts": encoded["counts"].decode()}
    (tmp_path / "m.json").write_text(json.dumps(record))
    for given in (encoded, tmp_path / "m.json", json.dumps(record).encode()):
        (made,) = api.annotations.upload_segmentations(xray, given, "lung")
        assert np.array_equal(_picture(api.annotations.download_file(made)), mask)
    with pytest.raises(DecodeError, match="runs make 3 pixels"):
        api.annotations.upload_segmentations(xray, {"size": [2, 2], "counts": [3]}, "lung")


def _picture(data: bytes) -> np.ndarray:
    import cv2

    return (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)


def test_a_segmentation_of_a_radiograph_is_a_mask_of_its_frame(api: Api, tmp_path: Path):
    pixels = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
    elements = {"PatientBirthDate": "", "PatientSex": "", "StudyDate": "", "StudyTime": "", "AccessionNumber": ""}
    none = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient"))
    folder = tmp_path / "dx"
    folder.mkdir()
    path = write_slice(
        folder / "dx.dcm",
        pixels,
        Modality="DX",
        StudyID="",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.1.1",
        **elements,
        **none,
    )
    mask = (pixels % 7 == 0).astype(np.uint8)[None, ..., None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # highdicom's, about images without a place
        write_seg(folder / "seg.dcm", [path], mask, ["Nodule"])
    report = import_files(api, [folder], "dx", ImportOptions())
    assert [each.count for each in report.annotated] == [1]
    item = ImageDataset(project="dx", server_url=api.server_url)[0]
    assert np.array_equal(item["segmentations"][ANA][0].numpy(), mask[0, ..., 0])


def test_a_wrong_extension_and_a_damaged_file_change_nothing(api: Api, study: Path, ct: Group):
    (study / "seg.dcm").rename(study / "seg.png")
    (study / "rt.dcm").write_bytes((study / "rt.dcm").read_bytes()[:-3000])
    report = bring(api, study)
    assert [each.path.name for each in report.annotated] == ["seg.png"]
    (left_out,) = report.skipped
    assert left_out.path.name == "rt.dcm"
    found = decode_segments((study / "seg.png").read_bytes(), ct.facts, name="s").segments
    assert len(masks_of(api)) == len(found)


def test_a_segmentation_alone_makes_no_resource(api: Api, study: Path):
    with pytest.raises(DecodeError, match=r"seg.dcm: it is a segmentation or structure set, which is no resource"):
        api.resources.upload_resource(study / "seg.dcm")
    assert api.resources.upload_resource(study) == api.resources.get_all()[0].id
    assert len(api.annotations.get_all()) == 4


def test_series_of_one_name_in_two_folders_get_their_own(api: Api, study: Path, tilted: Group, demo_images: Path):
    first = pydicom.dcmread(demo_images / "ct_ge" / "IM0000.dcm", stop_before_pixels=True)
    shutil.copytree(demo_images / "ct_ge", study / "ge")
    for path in (study / "ct").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesNumber = first.SeriesNumber
        dataset.save_as(path)
    write_seg(study / "ge.dcm", tilted.paths, boxes(tilted)[..., :1], ["Skull"])
    made = api.resources.upload_resources(study)
    found = {
        len(api.backend.list_parts([each])[each]): api.resources.get_annotations(each) for each in made.resource_ids
    }
    assert sorted(each.identifier for each in found[32]) == ["Lesion", "Lesion", "Liver", "Liver"]
    assert [each.identifier for each in found[28]] == ["Skull"]
