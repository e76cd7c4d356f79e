"""TIFF files of several pages: stacks, thumbnails and masks beside pages, pages that differ, and datasets of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from datamint_like import Api, ImageDataset, VolumeDataset
from datamint_like.backends.base import NewAnnotation
from datamint_like.backends.local.annotation_checks import mask_of, payload_name
from datamint_like.exceptions import DecodeError, GeometryError, SkippedResourcesWarning, ValidationError
from datamint_like.imaging import decode_frame_mask, decode_stored, probe

from .tiff_files import gray, tiff_bytes

RNG = np.random.default_rng(3)
STACK = RNG.integers(0, 4000, (6, 20, 31)).astype(np.uint16)
REDUCED, MASK = 1, 4


def decoded(path: Path) -> np.ndarray:
    facts = probe([path])
    array = decode_stored([path], facts).array
    assert (array.shape, str(array.dtype)) == ((facts.channels, *facts.shape), facts.dtype)
    return array


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_are_the_planes_of_a_volume_without_geometry(compression, bigtiff: bool, tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack", compression=compression, bigtiff=bigtiff)
    facts = probe([tmp_path / "a.tif"])
    assert (facts.kind, facts.shape, facts.affine) == ("volume", (6, 20, 31), None)
    assert np.array_equal(decoded(tmp_path / "a.tif")[0], STACK)


def test_colour_pages_are_the_planes_of_a_colour_volume(tmp_path: Path):
    frames = [Image.fromarray(RNG.integers(0, 256, (9, 14, 3)).astype(np.uint8)) for _ in range(4)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:], compression="tiff_lzw")
    expected = np.moveaxis(np.stack([np.asarray(frame) for frame in frames]), -1, 0)
    assert np.array_equal(decoded(tmp_path / "a.tif"), expected)


def test_thumbnails_and_masks_are_no_pages(tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for plane in STACK:
            writer.write(plane, photometric="minisblack")
            writer.write(plane[::4, ::4], photometric="minisblack", subfiletype=REDUCED)
            writer.write(plane > 99, photometric="minisblack", subfiletype=MASK)
    assert np.array_equal(decoded(tmp_path / "a.tif")[0], STACK)


def test_levels_in_sub_directories_are_no_pages(tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(STACK[0], photometric="minisblack", subifds=1)
        writer.write(STACK[0, ::2, ::2], photometric="minisblack", subfiletype=REDUCED)
    assert probe([tmp_path / "a.tif"]).kind == "image"
    assert np.array_equal(decoded(tmp_path / "a.tif")[0, 0], STACK[0])


def test_a_single_page_that_calls_itself_reduced_is_read(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], subfiletype=REDUCED)
    assert np.array_equal(decoded(tmp_path / "a.tif")[0, 0], STACK[0])


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (STACK[0, :10], "found 10 x 31 pixels, 1 channels of int32"),
        (STACK[0].astype(np.uint8), "found 20 x 31 pixels, 1 channels of uint8"),
        (np.zeros((20, 31, 3), np.uint8), "found 20 x 31 pixels, 3 channels of uint8"),
    ],
)
def test_pages_that_differ_are_an_error_that_says_which(other: np.ndarray, says: str, tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for plane in (STACK[0], STACK[1], other):
            writer.write(plane, photometric="rgb" if plane.ndim == 3 else "minisblack")
    with pytest.raises(GeometryError, match=rf"^a\.tif: page 3 of its 3 differs: expected 20 x 31 .* {says}"):
        probe([tmp_path / "a.tif"])


def test_a_page_that_cannot_be_read_is_named(tmp_path: Path):
    pages = [(gray(3, 4), [bytes(12)]), (gray(3, 4, compression=50000), [bytes(12)])]
    (tmp_path / "a.tif").write_bytes(tiff_bytes(*pages))
    with pytest.raises(DecodeError, match=r"^a\.tif: page 2: it is a TIFF with the compression Zstandard"):
        probe([tmp_path / "a.tif"])


def test_each_page_is_turned_by_its_own_orientation_and_polarity(tmp_path: Path):
    values = RNG.integers(0, 256, (2, 8, 8)).astype(np.uint8)
    pages = [
        ({**gray(8, 8, photometric=polarity), 274: turn}, [plane.tobytes()])
        for plane, turn, polarity in zip(values, (1, 6), (1, 0), strict=True)
    ]
    (tmp_path / "a.tif").write_bytes(tiff_bytes(*pages))
    array = decoded(tmp_path / "a.tif")[0]
    assert np.array_equal(array[0], values[0])
    with Image.open(tmp_path / "a.tif") as image:
        image.seek(1)
        assert np.array_equal(array[1], np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("kind", ["imagej", "shaped"])
def test_a_stack_whose_first_directory_stands_for_all_planes_is_whole(kind: str, tmp_path: Path):
    options = {"imagej": True} if kind == "imagej" else {"photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", STACK, metadata={"axes": "ZYX"}, truncate=True, **options)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 1
    assert np.array_equal(decoded(tmp_path / "a.tif")[0], STACK)
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:-700])
    with pytest.raises(DecodeError, match=r"^cut\.tif: it is cut short"):
        probe([tmp_path / "cut.tif"])


def test_planes_that_a_description_announces_and_nothing_tells_of_are_an_error(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True)
    data = (tmp_path / "a.tif").read_bytes()
    assert b"images=6\n" in data
    (tmp_path / "b.tif").write_bytes(data.replace(b"images=6\n", b"images=9\n"))
    with pytest.raises(DecodeError, match=r"^b\.tif: its header announces 9 planes, and it has 6 pages"):
        probe([tmp_path / "b.tif"])
    assert np.array_equal(decoded(tmp_path / "a.tif")[0], STACK)


def test_a_metamorph_stack_has_all_its_planes(tmp_path: Path):
    tags = {**gray(20, 31, 16), 278: 8, 33629: [0] * 6}
    data = tiff_bytes((tags, [STACK[0, :8].tobytes(), STACK[0, 8:16].tobytes(), STACK[0, 16:].tobytes()]))
    (tmp_path / "a.stk").write_bytes(data + STACK[1:].tobytes())
    assert np.array_equal(decoded(tmp_path / "a.stk")[0], STACK)


def test_a_stack_in_a_project_gives_volumes_slices_and_the_same_bytes_back(tmp_path: Path):
    path = tmp_path / "stack.tiff"
    tifffile.imwrite(path, STACK, photometric="minisblack", compression="zlib")
    tifffile.imwrite(tmp_path / "single.tif", STACK[0])
    api = Api()
    stack, single = (api.resources.upload_resource(each) for each in (path, tmp_path / "single.tif"))
    api.projects.create("stacks", resources_ids=[stack, single])
    with pytest.warns(SkippedResourcesWarning, match="left out"):
        volumes = VolumeDataset(project="stacks").prepare()
    assert len(volumes) == 1
    item = volumes[0]
    assert item["image"].shape == (1, 6, 20, 31)
    assert np.array_equal(item["image"][0].numpy(), STACK)
    assert item["metainfo"]["affine"] is None
    slices = volumes.slice("axial")
    assert len(slices) == 6
    assert all(np.array_equal(slices[k]["image"][0].numpy(), STACK[k]) for k in range(6))
    with pytest.warns(SkippedResourcesWarning, match="left out"):
        assert np.array_equal(ImageDataset(project="stacks")[0]["image"][0].numpy(), STACK[0])
    assert api.resources.download_resource_file(stack, auto_convert=False) == path.read_bytes()
    assert np.array_equal(api.resources.download_resource_file(stack), STACK)
    assert np.array_equal(api.resources.download_resource_file(single), STACK[0])
    api.resources.download_resource_file(stack, save_path=tmp_path / "saved", add_extension=True)
    assert (tmp_path / "saved.tif").read_bytes() == path.read_bytes()


def test_the_pages_of_a_mask_are_the_masks_of_the_frames(tmp_path: Path):
    masks = (STACK > 2000).astype(np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", STACK, photometric="minisblack")
    tifffile.imwrite(tmp_path / "mask.tif", masks * 255, photometric="minisblack")
    api = Api()
    stack = api.resources.upload_resource(tmp_path / "stack.tif")
    api.projects.create("stacks", resources_ids=[stack])
    api.annotations.upload_segmentations(
        stack, tmp_path / "mask.tif", "bright", author_email="ana@lab.example", frame_index=list(range(6))
    )
    item = VolumeDataset(project="stacks")[0]
    (found,) = item["segmentations"].values()
    assert np.array_equal(found.numpy().max(axis=0), masks)


@pytest.mark.parametrize("bits", [4, 8])
def test_the_palette_indices_of_a_mask_are_its_labels(bits: int, tmp_path: Path):
    tifffile.imwrite(tmp_path / "image.tif", STACK[:2, :, :30], photometric="minisblack")
    labels = (STACK[:2, :, :30] % 3).astype(np.uint8)
    palette = RNG.integers(0, 65535, (3, 1 << bits)).ravel().tolist()
    stored = labels if bits == 8 else labels[..., ::2] << 4 | labels[..., 1::2]
    pages = [({**gray(20, 30, bits, photometric=3), 320: palette}, [page.tobytes()]) for page in stored]
    (tmp_path / "mask.tif").write_bytes(tiff_bytes(*pages))
    api = Api()
    image = api.resources.upload_resource(tmp_path / "image.tif")
    api.projects.create("stacks", resources_ids=[image])
    names = {1: "cell", 2: "nucleus"}
    api.annotations.upload_segmentations(image, tmp_path / "mask.tif", names, author_email="ana@lab.example")
    item = VolumeDataset(project="stacks", return_as_semantic_segmentation=True)[0]
    (found,) = item["segmentations"].values()
    assert np.array_equal(found.argmax(axis=0).numpy(), labels)


def test_a_page_is_the_mask_of_a_frame_and_several_are_not(tmp_path: Path):
    facts = probe([_saved(tmp_path / "a.tif", STACK[0])])
    mask = (STACK[0] > 2000).astype(np.uint8)
    payload = _saved(tmp_path / "m.tif", mask * np.uint8(7)).read_bytes()
    assert np.array_equal(decode_frame_mask(payload, facts, name="m"), mask)
    both = _saved(tmp_path / "m.tif", np.stack([mask, mask])).read_bytes()
    with pytest.raises(GeometryError, match=r"^m: the mask of one frame has 2 pages"):
        decode_frame_mask(both, facts, name="m")


@pytest.mark.parametrize("extension", [".tif", ".bmp", ".webp"])
def test_the_store_takes_pictures_of_each_kind_as_masks_of_a_frame(extension: str, tmp_path: Path):
    mask = np.ascontiguousarray((STACK[0] > 2000).astype(np.uint8) * np.uint8(255))
    payload = cv2.imencode(extension, mask, [cv2.IMWRITE_WEBP_QUALITY, 101] if extension == ".webp" else [])[
        1
    ].tobytes()
    facts = probe([_saved(tmp_path / "a.tif", STACK)])
    assert np.array_equal(mask_of(payload, facts, 3, "mask"), mask != 0)
    new = NewAnnotation("segmentation", "cell", scope="frame", frame_index=3, author="a@b.c", payload=payload)
    assert payload_name(new) == f"cell{extension}"
    with pytest.raises(ValidationError, match="is a picture, the resource has 6 planes"):
        mask_of(payload, facts, None, "mask")


def _saved(path: Path, values: np.ndarray) -> Path:
    tifffile.imwrite(path, values, photometric="minisblack")
    return path
