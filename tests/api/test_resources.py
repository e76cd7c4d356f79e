"""Resources that are there: found, downloaded, tagged, published, deleted, restored."""

from __future__ import annotations

import hashlib
import threading
from datetime import date, timedelta
from pathlib import Path

import cv2
import nibabel
import numpy as np
import pydicom
import pytest

from datamint_like import Api
from datamint_like.entities import Project
from datamint_like.exceptions import ItemNotFoundError, ValidationError


def test_conditions_narrow_a_listing(api: Api, two_xrays: list[str], volume: str, project: Project) -> None:
    first, second = two_xrays
    api.resources.set_tags(first, ["a", "b"])
    api.resources.set_tags(second, ["c"])
    api.projects.add_resources([first, volume], project)
    ids = lambda **conditions: [each.id for each in api.resources.get_list(**conditions)]  # noqa: E731
    assert ids() == [first, second, volume]
    assert ids(limit=2) == [first, second]
    assert ids(tags=["a", "c"]) == [first, second]
    assert ids(modality="CT") == [volume]
    assert ids(mimetype="image/png") == [first, second]
    assert ids(filename="nih_00027426") == [second]
    assert ids(project_name="chest") == ids(project_name=project) == ids(project_name=["chest"]) == [first, volume]
    assert ids(status="inbox") == [second]
    assert ids(status="") == [first, second, volume]
    assert ids(order_field="filename", order_ascending=False) == [volume, second, first]
    assert ids(channel="nowhere") == []
    tomorrow = date.today() + timedelta(days=2)
    assert ids(from_date=tomorrow) == []
    assert ids(to_date=tomorrow.isoformat()) == [first, second, volume]
    with pytest.raises(ItemNotFoundError, match="'nowhere'"):
        ids(project_name="nowhere")
    with pytest.raises(NotImplementedError, match="filename="):
        ids(source_filepath="/somewhere")


def test_a_series_downloads_as_one_multi_frame_data_set(api: Api, volume: str, tmp_path: Path) -> None:
    dataset = api.resources.download_resource_file(volume, save_path=tmp_path / "whole.dcm")
    assert isinstance(dataset, pydicom.Dataset)
    assert dataset.NumberOfFrames == 28
    assert pydicom.dcmread(tmp_path / "whole.dcm").pixel_array.shape == (28, 128, 128)
    again = api.resources.download_resource_file(volume, auto_convert=False)
    assert again == (tmp_path / "whole.dcm").read_bytes()


def test_a_single_file_downloads_byte_for_byte(api: Api, xray: str, demo_images: Path, tmp_path: Path) -> None:
    original = (demo_images / "xray" / "nih_00000001_000.png").read_bytes()
    data, path = api.resources.download_resource_file(xray, tmp_path / "image", auto_convert=False, add_extension=True)
    assert data == original
    assert path == str(tmp_path / "image.png")
    assert Path(path).read_bytes() == original


def test_a_picture_downloads_as_the_array_that_another_reader_sees(api: Api, demo_images: Path) -> None:
    path = demo_images / "xray" / "cr_16bit.png"
    image = api.resources.download_resource_file(api.resources.upload_resource(path))
    assert np.array_equal(image, cv2.imread(str(path), cv2.IMREAD_UNCHANGED))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_nifti_downloads_as_a_nibabel_image(api: Api, tmp_path: Path, ending: str) -> None:
    values = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    path = tmp_path / f"volume{ending}"
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2, 3, 4, 1])), path)
    resource = api.resources.upload_resource(path)
    image, saved = api.resources.download_resource_file(resource, tmp_path / "again", add_extension=True)
    assert np.array_equal(np.asanyarray(image.dataobj), values)
    assert np.array_equal(image.affine, np.diag([2, 3, 4, 1]))
    assert Path(saved).name == f"again{ending}"
    assert hashlib.sha256(Path(saved).read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_a_save_path_that_cannot_be_written_is_named(api: Api, xray: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"nowhere/x\.png cannot be written"):
        api.resources.download_resource_file(xray, tmp_path / "nowhere" / "x.png")
    with pytest.raises(ValidationError, match="add_extension needs save_path"):
        api.resources.download_resource_file(xray, add_extension=True)


def test_one_id_as_text_is_one_resource(api: Api, two_xrays: list[str]) -> None:
    first, second = two_xrays
    api.resources.set_tags(first, ["a"])
    api.resources.set_tags([api.resources.get_by_id(second)], ["b", "b"])
    api.resources.add_tags(two_xrays, ["c"])
    assert api.resources.get_by_id(first).tags == ("a", "c")
    assert api.resources.get_by_id(second).tags == ("b", "c")


def test_tags_added_at_once_by_many_are_all_kept(api: Api, xray: str) -> None:
    stale = api.resources.get_by_id(xray)

    def add(n: int) -> None:
        with Api(api.server_url) as own:
            own.resources.add_tags(stale, [f"tag-{n}"])

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(api.resources.get_by_id(xray).tags) == {f"tag-{n}" for n in range(8)}


def test_publishing_twice_is_no_error(api: Api, two_xrays: list[str]) -> None:
    api.resources.publish_resources(two_xrays[0])
    api.resources.publish(two_xrays)
    api.resources.bulk_publish(two_xrays)
    assert {each.status for each in api.resources.get_list()} == {"published"}


def test_a_deleted_resource_comes_back(api: Api, two_xrays: list[str], project: Project) -> None:
    api.projects.add_resources(two_xrays, project)
    api.resources.delete(two_xrays[0])
    assert [each.id for each in api.resources.get_all()] == two_xrays[1:]
    assert [each.id for each in api.resources.get_deleted()] == two_xrays[:1]
    assert [each.id for each in api.projects.get_project_resources(project)] == two_xrays[1:]
    assert api.resources.restore(two_xrays[0]).deleted is False
    assert [each.id for each in api.projects.get_project_resources(project)] == two_xrays


def test_many_are_restored_with_a_report(api: Api, two_xrays: list[str]) -> None:
    lost = "11111111-1111-1111-1111-111111111111"
    api.resources.bulk_delete(two_xrays[:1])
    assert api.resources.bulk_restore([*two_xrays, lost]) == {
        "restored": two_xrays[:1],
        "skipped": [{"id": two_xrays[1], "reason": "not_deleted"}, {"id": lost, "reason": "not_found"}],
    }


def test_annotations_of_one_resource_are_at_hand(api: Api, xray: str) -> None:
    api.annotations.add_label_annotation(xray, "normal")
    assert [each.identifier for each in api.resources.get_annotations(xray)] == ["normal"]
    assert api.resources.get_annotations(xray, "segmentation") == []
