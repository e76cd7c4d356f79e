"""Masks: of images, of frames, of volumes."""

from __future__ import annotations

import gzip
import io

import nibabel as nib
import numpy as np
from PIL import Image

from tests.interop.tour.guide import ANA, BO, VIDEOS, VOLUMES, Tour, agree, place, step


@step()
def of_an_image(tour: Tour) -> None:
    (made,) = tour.api.annotations.upload_segmentations(
        tour.id("png"), tour.file("chest_mask.png"), {"default": "lung"}, author_email=ANA
    )
    found = tour.api.annotations.get_by_id(tour.note("lung", made))
    agree((str(found.type), found.name, (found.scope, found.frame_index)), ("segmentation", "lung", place(tour, 0)))
    agree(found.created_by, ANA)
    mask = np.asarray(Image.open(io.BytesIO(tour.api.annotations.download_file(found))))
    drawn = np.asarray(Image.open(tour.file("chest_mask.png")))
    agree(bool(((mask != 0) == (drawn != 0)).all()), True, "the mask's pixels")


@step()
def of_an_image_by_another(tour: Tour) -> None:
    square = np.zeros((512, 512), np.uint8)
    square[100:110, 200:230] = 1
    (made,) = tour.api.annotations.upload_segmentations(tour.id("png"), square, "lesion", author_email=BO)
    tour.note("lesion", made)


@step()
def in_colours(tour: Tour) -> None:
    colours = np.zeros((3, 512, 512, 1), np.uint8)
    colours[0, :10] = 255
    colours[1, 20:25] = 255
    made = tour.api.annotations.upload_segmentations(
        tour.id("jpeg"), colours, {(255, 0, 0): "lung", (0, 255, 0): "lesion"}, author_email=ANA
    )
    agree({tour.api.annotations.get_by_id(each).name for each in made}, {"lung", "lesion"})


@step()
def of_frames(tour: Tour) -> None:
    stack = np.zeros((48, 64, 2), np.uint8)
    stack[4:8, 10:20, 0] = 1
    stack[4:8, 10:30, 1] = 1
    worklist = tour.id(f"worklist of {VIDEOS}")
    made = tour.api.annotations.upload_segmentations(
        tour.id("video"), stack, "lesion", frame_index=[1, 3], author_email=ANA, worklist_id=worklist
    )
    found = [tour.api.annotations.get_by_id(each) for each in made]
    agree([(each.scope, each.frame_index) for each in found], [place(tour, 1), place(tour, 3)])
    agree({each.annotation_worklist_id for each in found}, {worklist})


@step()
def of_a_volume(tour: Tour) -> None:
    made = tour.api.annotations.upload_volume_segmentation(
        tour.id("nifti"), tour.file("brain_mask.nii.gz"), {1: "lesion", 2: "vessel"}
    )
    found = {each.name: each for each in map(tour.api.annotations.get_by_id, made)}
    agree(set(found), {"lesion", "vessel"})
    labels = nib.load(tour.file("brain_mask.nii.gz"))
    for name, value in (("lesion", 1), ("vessel", 2)):
        mask = _volume(tour.api.annotations.download_file(tour.note(f"volume {name}", found[name])))
        agree(bool(((np.asarray(mask.dataobj) != 0) == (np.asarray(labels.dataobj) == value)).all()), True, name)
        agree(bool(np.allclose(mask.affine, labels.affine)), True, "the affine")
        agree((found[name].scope, found[name].frame_index), ("image", None))


@step()
def of_a_volume_as_array(tour: Tour) -> None:
    voxels = np.zeros((12, 10, 6), np.uint8)
    voxels[5, 5, 5] = 1
    worklist = tour.id(f"worklist of {VOLUMES}")
    (made,) = tour.api.annotations.upload_volume_segmentation(
        tour.id("nifti"), voxels, {1: "vessel"}, worklist_id=worklist
    )
    found = tour.api.annotations.get_by_id(made)
    agree(found.annotation_worklist_id, worklist)
    mask = _volume(tour.api.annotations.download_file(found))
    agree(np.argwhere(np.asarray(mask.dataobj)).tolist(), [[5, 5, 5]])
    agree(bool(np.allclose(mask.affine, nib.load(tour.file("brain.nii.gz")).affine)), True, "the volume's affine")


@step()
def of_slices(tour: Tour) -> None:
    stack = np.zeros((128, 128, 2), np.uint8)
    stack[3:6, 7:9] = 1
    made = tour.api.annotations.upload_segmentations(tour.id("series"), stack, "lesion", frame_index=[0, 4])
    found = [tour.api.annotations.get_by_id(each) for each in made]
    agree([(each.scope, each.frame_index) for each in found], [place(tour, 0), place(tour, 4)])


@step()
def bulk_download(tour: Tour) -> None:
    folder = tour.scratch / "masks"
    folder.mkdir(exist_ok=True)
    found = tour.api.annotations.download_multiple_files(tour.ids("lung", "lesion"), str(folder))
    agree([each["success"] for each in found], [True, True])
    agree(len(list(folder.iterdir())), 2)


def _volume(data: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
