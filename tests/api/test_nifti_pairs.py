"""A NIfTI header with its image through the store: uploads, links, import, download, items, and as a mask."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from datamint_like import Api, VolumeDataset
from datamint_like.cli.main import main
from datamint_like.exceptions import DecodeError, StorageError, ValidationError
from datamint_like.imaging import decode_mask, facts_of
from tests.imaging.nifti_pair_files import AFFINE, ramp, write_pair


@pytest.fixture(params=["", ".gz"])
def pair(request: Any, tmp_path: Path) -> tuple[Path, Path]:
    return write_pair(tmp_path / "scan", ramp("i2", (6, 5, 4)), ending=request.param)


def check(api: Api, resource_id: str, pair: tuple[Path, Path]) -> None:
    resource = api.resources.get_by_id(resource_id)
    assert (resource.filename, resource.storage, resource.metadata["shape"]) == (
        "brain.nii",
        "NiftiResource",
        [4, 5, 6],
    )
    parts = api.backend.list_parts([resource_id])[resource_id]
    assert [part.filename for part in parts] == [path.name for path in pair]
    blobs = api.backend.blobs()
    assert [blobs.part_path(part, "brain.nii").read_bytes() for part in parts] == [p.read_bytes() for p in pair]
    image = api.resources.download_resource_file(resource_id)
    assert isinstance(image, nibabel.Nifti1Image)
    assert np.array_equal(np.asarray(image.dataobj), ramp("i2", (6, 5, 4)))
    assert np.allclose(image.affine, AFFINE)
    assert api.resources.download_resource_file(resource_id, auto_convert=False) == image.to_bytes()
    item = VolumeDataset(resources=[resource], server_url=api.backend.url)[0]
    assert sorted(item["image"].flatten().tolist()) == list(range(120))


def test_two_files_a_folder_and_open_files_give_the_same_resource(api: Api, pair: tuple[Path, Path]) -> None:
    check(api, api.resources.upload_resource([pair[1], pair[0]]), pair)
    (by_folder,) = set(api.resources.upload_resources(pair[0].parent))
    check(api, by_folder, pair)
    check(api, api.resources.upload_resource(pair[0].parent), pair)
    with open(pair[1], "rb") as image, open(pair[0], "rb") as header:
        (by_streams, same) = api.resources.upload_resources([image, header])
    assert same == by_streams
    check(api, by_streams, pair)


def test_open_files_of_equal_names_are_never_paired_by_chance(api: Api, tmp_path: Path) -> None:
    one, two = write_pair(tmp_path / "a", ramp()), write_pair(tmp_path / "b", ramp())
    streams = [io.BytesIO(path.read_bytes()) for path in (*one, *two)]
    for stream, path in zip(streams, (*one, *two), strict=True):
        stream.name = str(path)
    with pytest.raises(DecodeError, match=r"its image is missing\. Give brain\.img"):
        api.resources.upload_resources(streams)


def test_a_linked_pair_stays_where_it_lies_and_a_change_of_either_file_is_told(
    api: Api, pair: tuple[Path, Path]
) -> None:
    (resource_id,) = api.resources.upload_resources(pair[0].parent, link=True).resource_ids
    check(api, resource_id, pair)
    for path in pair:
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(StorageError, match=path.name):
            api.resources.download_resource_file(resource_id)
        path.write_bytes(whole)


def test_half_a_pair_is_no_resource_and_says_what_is_missing(api: Api, pair: tuple[Path, Path]) -> None:
    with pytest.raises(DecodeError, match=r"brain\.hdr.*its image is missing\. Give brain\.img"):
        api.resources.upload_resource(pair[0])
    with pytest.raises(DecodeError, match=r"brain\.img.*its header brain\.hdr is missing"):
        api.resources.upload_resource(pair[1])


def test_import_counts_a_pair_as_one_resource(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str], demo_images: Path
) -> None:
    lonely = pair[0].with_name(pair[0].name.replace("brain", "lonely"))
    lonely.write_bytes(pair[0].read_bytes())
    assert main(["import", str(pair[0].parent), "--project", "heads", "--link"]) == 3
    said = capsys.readouterr().out
    assert "Imported 1 resource (2 files) into 'heads'." in said
    assert "its image is missing" in said
    assert main(["import", str(pair[0]), str(pair[1]), "--project", "heads"]) == 0
    with Api() as handle:
        assert [each.filename for each in handle.projects.get_project_resources("heads")] == ["brain.nii"]


def test_a_pair_is_a_mask_by_the_path_of_its_header(api: Api, pair: tuple[Path, Path], tmp_path: Path) -> None:
    resource_id = api.resources.upload_resource(list(pair))
    facts = facts_of(api.resources.get_by_id(resource_id))
    assert facts is not None
    labels = (ramp("i2", (6, 5, 4)) > 60).astype(np.uint8)
    header, image = write_pair(tmp_path / "masks", labels, stem="mask", ending=".gz", version=2)
    write_pair(tmp_path / "masks", ramp("u1"), stem="mask.other")
    for given in (header, str(header), nibabel.load(header)):
        (found,) = api.annotations.upload_volume_segmentation(resource_id, given, {1: "half"})
        stored = api.annotations.download_file(found)
        assert np.array_equal(decode_mask(stored, facts, name="mask"), labels.T)
    assert len(api.annotations.upload_segmentations(resource_id, header, {1: "half"})) == 1
    image.unlink()
    with pytest.raises((DecodeError, ValidationError), match=r"mask\.hdr\.gz.*its image is missing"):
        api.annotations.upload_volume_segmentation(resource_id, header, {1: "half"})


def test_a_dataset_of_a_pair_pickles_and_reads_the_same(api: Api, pair: tuple[Path, Path]) -> None:
    resource = api.resources.get_by_id(api.resources.upload_resource(list(pair)))
    slices = VolumeDataset(resources=[resource], server_url=api.backend.url).slice("axial")
    copy = pickle.loads(pickle.dumps(slices))
    assert len(copy) == 4
    assert np.array_equal(copy[2]["image"], slices[2]["image"])
