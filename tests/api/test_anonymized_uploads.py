"""Uploads and imports without identity: what is stored tells nobody, and what belongs together still does."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import dcmread

from datamint_like import Api, VolumeDataset
from datamint_like.api.importing import ImportOptions, import_files
from datamint_like.backends.deidentification_secret import secret_of
from datamint_like.cli.main import main
from datamint_like.config import config_folder
from datamint_like.exceptions import DatamintWarning, DecodeError, ValidationError
from datamint_like.imaging import assemble
from tests.imaging.identified_files import DIRECT, ELSEWHERE, write_identified
from tests.imaging.mask_files import write_rtstruct, write_seg

KEY = "deidentify.key"


def stored_bytes(api: Api, tmp_path: Path) -> bytes:
    """Everything in the store: blobs and database."""
    return b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())


def study(folder: Path, demo_images: Path) -> Path:
    """A series of a named patient, with a segmentation and a structure set of it."""
    folder.mkdir()
    for path in (demo_images / "ct_philips").iterdir():
        dataset = dcmread(path)
        dataset.PatientName, dataset.PatientID = DIRECT["PatientName"], DIRECT["PatientID"]
        dataset.StudyDate, dataset.AccessionNumber = DIRECT["StudyDate"], DIRECT["AccessionNumber"]
        dataset.save_as(folder / f"Quixote_{path.name}")
    (group,) = assemble(folder.iterdir()).groups
    block = np.zeros(group.facts.shape, np.uint8)
    block[5, 40:60, 50:70] = 1
    write_seg(folder / "Quixote_seg.dcm", group.paths, block[..., None], ["liver"])
    return folder


def test_nothing_of_the_identity_is_in_the_store(api: Api, tmp_path: Path) -> None:
    path = write_identified(tmp_path / "Quixote_Alonso.dcm")
    resource = api.resources.get_by_id(api.resources.upload_resource(path, anonymize=True))
    everything = stored_bytes(api, tmp_path)
    for value in (*DIRECT.values(), *ELSEWHERE.values(), "Quixote", "uixote_A"):
        assert value.encode() not in everything
    assert resource.patient_id is not None
    assert resource.patient_id.startswith("ANON-")


def test_a_series_its_segmentation_and_its_values_come_through(api: Api, demo_images: Path, tmp_path: Path) -> None:
    folder = study(tmp_path / "in", demo_images)
    plain, hidden = api.projects.create("plain"), api.projects.create("hidden")
    first = api.resources.upload_resources(folder, publish_to=plain)
    second = api.resources.upload_resources(folder, publish_to=hidden, anonymize=True)
    assert [path.name for path in second.annotation_files] == ["Quixote_seg.dcm"]
    assert second.files == first.files
    items = [VolumeDataset(project=name, server_url=api.server_url)[0] for name in ("plain", "hidden")]
    assert np.array_equal(items[0]["image"], items[1]["image"])
    masks = [next(iter(item["segmentations"].values())) for item in items]
    assert np.array_equal(masks[0], masks[1])
    assert masks[0].sum() == 400
    assert np.array_equal(items[0]["metainfo"]["affine"], items[1]["metainfo"]["affine"])
    assert second.report is not None
    assert second.report.files == 33


def test_files_of_one_patient_stay_of_one_patient_from_call_to_call(api: Api, tmp_path: Path) -> None:
    def patient(name: str, **elements: str) -> str | None:
        made = api.resources.upload_resource(write_identified(tmp_path / name, **elements), anonymize=True)
        return api.resources.get_by_id(made).patient_id

    first = patient("a.dcm")
    assert patient("b.dcm", SOPInstanceUID="1.2.3.5", SeriesInstanceUID="1.2.3.6") == first
    assert patient("c.dcm", PatientID="another one") != first


def test_two_stores_give_one_patient_two_names(tmp_path: Path) -> None:
    path, found = write_identified(tmp_path / "a.dcm"), set()
    for name in ("one", "two"):
        with Api((tmp_path / name).as_uri()) as api:
            found.add(api.resources.get_by_id(api.resources.upload_resource(path, anonymize=True)).patient_id)
    assert len(found) == 2


def test_the_secret_is_the_owners_alone_and_made_once(api: Api, tmp_path: Path, demo_images: Path) -> None:
    image = demo_images / "xray" / "cr_16bit.png"
    api.resources.upload_resource(image, anonymize=True)
    key = tmp_path / "store" / KEY
    before = key.read_bytes()
    api.resources.upload_resource(image, anonymize=True)
    assert key.read_bytes() == before
    assert len(before) == 32
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_names_of_pictures_become_neutral(api: Api, demo_images: Path) -> None:
    made = api.resources.upload_resource(demo_images / "xray" / "nih_00000001_000.png", anonymize=True)
    name = api.resources.get_by_id(made).filename
    assert name.endswith(".png")
    assert "nih" not in name


def test_burned_in_annotation_stops_the_upload_unless_it_is_allowed(api: Api, demo_images: Path) -> None:
    path = demo_images / "ultrasound" / "examples_ybr_color.dcm"
    with pytest.raises(DecodeError, match=r"examples_ybr_color\.dcm: it cannot be de-identified: Burned In Annotation"):
        api.resources.upload_resource(path, anonymize=True)
    assert api.resources.get_list() == []
    assert api.resources.upload_resource(path, anonymize=True, allow_burned_in=True)


def test_what_is_refused_can_be_skipped(api: Api, demo_images: Path) -> None:
    refused = demo_images / "ultrasound" / "examples_ybr_color.dcm"
    with pytest.warns(DatamintWarning, match=r"1 file was left out: examples_ybr_color\.dcm: it cannot be"):
        made = api.resources.upload_resources(
            [refused, demo_images / "xray" / "cr_16bit.png"], anonymize=True, on_error="skip"
        )
    assert [each is None for each in made] == [True, False]
    assert [item.path for item in made.skipped] == [refused]


def test_messages_call_files_as_they_were_given(api: Api, tmp_path: Path) -> None:
    for name in ("one.dcm", "two.dcm"):
        write_identified(tmp_path / name)
    with pytest.raises(DecodeError, match=r"two\.dcm: it is the same image .* another file, one\.dcm"):
        api.resources.upload_resources([tmp_path / "one.dcm", tmp_path / "two.dcm"], anonymize=True)


def test_a_retained_attribute_stays(api: Api, tmp_path: Path) -> None:
    path = write_identified(tmp_path / "a.dcm")
    made = api.resources.upload_resource(path, anonymize=True, anonymize_retain_codes=[(0x0010, 0x1010)])
    assert api.resources.download_resource_file(made).PatientAge == DIRECT["PatientAge"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"anonymize_retain_codes": [(16, 16)]}, "Pass anonymize=True"),
        ({"allow_burned_in": True}, "Pass anonymize=True"),
        ({"anonymize": "no"}, "anonymize is True or False"),
        ({"anonymize": True, "allow_burned_in": "no"}, "allow_burned_in is True or False"),
        ({"anonymize": True, "link": True}, "cannot be linked"),
        ({"anonymize": True, "anonymize_retain_codes": ["PatientAge"]}, "list of \\(group, element\\)"),
        ({"anonymize": True, "anonymize_retain_codes": "PatientAge"}, "not a str"),
        ({"anonymize": True, "anonymize_retain_codes": [(1 << 20, 1)]}, "list of \\(group, element\\)"),
    ],
)
def test_options_that_cannot_be_are_refused(api: Api, demo_images: Path, options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        api.resources.upload_resource(demo_images / "xray" / "cr_16bit.png", **options)  # type: ignore[arg-type]
    assert api.resources.get_list() == []


def test_open_files_and_data_sets_are_taken_too(api: Api, tmp_path: Path) -> None:
    path = write_identified(tmp_path / "Quixote.dcm")
    with open(path, "rb") as file:
        made = api.resources.upload_resources([file], anonymize=True)
    again = api.resources.upload_resource(dcmread(path), anonymize=True)
    assert [path.name for path in made.files] == ["Quixote.dcm"]
    assert api.resources.get_by_id(again).patient_id == api.resources.get_by_id(made.resource_ids[0]).patient_id


def test_masks_given_with_a_file_lose_their_texts(api: Api, demo_images: Path, tmp_path: Path) -> None:
    labels = np.zeros((128, 128, 32), np.uint8)
    labels[10:20, 30:50, 5] = 1
    mask = nibabel.Nifti1Image(labels, np.eye(4))
    mask.header["descrip"] = b"drawn for Quixote"
    nibabel.save(mask, tmp_path / "mask.nii")
    made = api.resources.upload_resource(
        demo_images / "ct_philips", anonymize=True, segmentation_files=[tmp_path / "mask.nii"]
    )
    assert len(api.annotations.get_list(made)) == 1
    assert b"Quixote" not in stored_bytes(api, tmp_path)


def test_a_segmentation_given_with_its_series_still_fits_it(api: Api, demo_images: Path, tmp_path: Path) -> None:
    folder = study(tmp_path / "in", demo_images)
    (folder / "Quixote_seg.dcm").rename(tmp_path / "seg.dcm")
    made = api.resources.upload_resource(folder, anonymize=True, segmentation_files=[tmp_path / "seg.dcm"])
    (annotation,) = api.annotations.get_list(made)
    original = dcmread(tmp_path / "seg.dcm").SOPInstanceUID
    assert annotation.identifier == "liver"
    assert original not in str(annotation.imported_from)


def test_an_import_again_adds_nothing_and_a_structure_set_binds_later(
    api: Api, demo_images: Path, tmp_path: Path
) -> None:
    folder = study(tmp_path / "in", demo_images)
    (group,) = assemble(folder.glob("*IM*.dcm")).groups
    options = ImportOptions(anonymize=True)
    first = import_files(api, [folder], "study", options)
    again = import_files(api, [folder], "study", options)
    assert group.facts.affine is not None
    corners = [
        group.facts.affine.matrix @ np.array([4, j, i, 1.0]) for j, i in ((40, 40), (40, 60), (60, 60), (60, 40))
    ]
    contour = ("CLOSED_PLANAR", np.array([corner[:3] * [-1, -1, 1] for corner in corners]))
    write_rtstruct(tmp_path / "rt.dcm", {"tumour": [contour]}, group)
    later = import_files(api, [tmp_path / "rt.dcm"], "study", options)
    assert [len(first.imported), len(again.imported), len(again.already_there)] == [1, 0, 1]
    assert [path.name for path in again.annotations_there] == ["Quixote_seg.dcm"]
    assert [each.path.name for each in later.annotated] == ["rt.dcm"]
    assert sorted(each.identifier for each in api.annotations.get_list(first.imported[0][0])) == ["liver", "tumour"]


def test_the_command_reports_what_it_did(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_identified(tmp_path / "a.dcm")
    command = ["import", str(path), "--project", "p", "--anonymize", "--server-url", api.server_url]
    assert main(command) == 0
    assert "De-identified 1 file. Pixels were not looked at." in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["anonymized"]["files"] == 1
    assert report["anonymized"]["rules"]["shifted"]["StudyDate"] == 1


def test_the_command_without_it_says_nothing_of_it(
    api: Api, demo_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = demo_images / "xray" / "cr_16bit.png"
    assert main(["import", str(path), "--project", "p", "--json", "--server-url", api.server_url]) == 0
    assert json.loads(capsys.readouterr().out)["anonymized"] is None


def test_the_secret_for_a_server_lies_in_the_users_config_folder_whoever_logs_in(isolated_home: Path) -> None:
    secret = secret_of("https://ana:word@host/store")
    (path,) = config_folder().rglob("*.key")
    assert secret_of("https://host/store") == secret == path.read_bytes()
    assert secret_of("https://other/store") != secret
    assert isolated_home in path.parents
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
