"""Uploads of every kind of file."""

from __future__ import annotations

from tests.interop.tour.guide import PICTURES, VIDEOS, VOLUMES, Tour, agree, place, step


@step()
def png(tour: Tour) -> None:
    made = tour.api.resources.upload_resource(
        tour.file("chest.png"),
        tags=["frontal", "night shift"],
        channel="ward 7",
        modality="CR",
        metadata={"age": 58, "note": "ä"},
        publish_to=PICTURES,
    )
    found = tour.api.resources.get_by_id(tour.note("png", made))
    agree((found.filename, found.mimetype, found.status), ("chest.png", "image/png", "published"))
    agree((set(found.tags), found.upload_channel, found.modality), ({"frontal", "night shift"}, "ward 7", "CR"))
    agree((found.metadata["age"], found.metadata["note"]), (58, "ä"))
    agree(found.size, (tour.files / "chest.png").stat().st_size)
    agree(found.kind, "image")


@step()
def jpeg(tour: Tour) -> None:
    made = tour.api.resources.upload_resource(tour.file("chest.jpg"), publish_to=tour.id(PICTURES), tags=["frontal"])
    agree(tour.api.resources.get_by_id(tour.note("jpeg", made)).mimetype, "image/jpeg")


@step()
def several(tour: Tour) -> None:
    deep = tour.file("deep.png")
    first, second = tour.api.resources.upload_resources(
        [deep, tour.file("chest.jpg")], publish_to=tour.project(PICTURES), metadata=[{"n": 1}, None]
    )
    agree(tour.api.resources.get_by_id(tour.note("deep", first)).metadata["n"], 1)
    tour.note("second jpeg", second)
    agree(
        [each.id for each in tour.api.projects.get_project_resources(tour.id(PICTURES))],
        tour.ids("png", "jpeg", "deep", "second jpeg"),
    )


@step()
def inbox(tour: Tour) -> None:
    made = tour.api.resources.upload_resource(tour.file("chest.jpg"), tags=["spare"], channel="ward 8")
    agree(tour.api.resources.get_by_id(tour.note("spare", made)).status, "inbox")


@step()
def dicom(tour: Tour) -> None:
    made = tour.api.resources.upload_resource(tour.file("slice.dcm"), publish_to=VOLUMES)
    found = tour.api.resources.get_by_id(tour.note("dicom", made))
    agree((found.mimetype, found.modality, found.kind, found.get_depth()), ("application/dicom", "CT", "dicom", 1))


@step()
def anonymized_dicom(tour: Tour) -> None:
    made = tour.api.resources.upload_resource(tour.file("slice.dcm"), anonymize=True)
    agree(tour.api.resources.get_by_id(tour.note("anonymized", made)).mimetype, "application/dicom")


@step()
def dicom_series(tour: Tour) -> None:
    paths = sorted(str(each) for each in (tour.files / "series").iterdir())
    made = tour.api.resources.upload_resources(paths, publish_to=VOLUMES)
    agree((len(made), len(set(made))), (len(paths), 1), "one resource for the series")
    found = tour.api.resources.get_by_id(tour.note("series", made[0]))
    agree((found.kind, found.get_depth()), ("dicom", len(paths)))


@step()
def nifti(tour: Tour) -> None:
    made = tour.api.resources.upload_resource(tour.file("brain.nii.gz"), publish_to=VOLUMES)
    found = tour.api.resources.get_by_id(tour.note("nifti", made))
    agree((found.kind, found.is_volume(), found.get_depth()), ("nifti", True, 6))


@step()
def video(tour: Tour) -> None:
    made = tour.api.resources.upload_resource(tour.file("clip.mp4"), publish_to=VIDEOS)
    found = tour.api.resources.get_by_id(tour.note("video", made))
    agree((found.mimetype, found.kind, found.get_depth()), ("video/mp4", "video", 8))


@step()
def with_segmentation(tour: Tour) -> None:
    segmentation = {"files": [tour.file("chest_mask.png")], "names": {"default": "lung"}}
    made = tour.api.resources.upload_resource(tour.file("chest.png"), segmentation_files=segmentation)
    tour.note("segmented", made)
    (mask,) = tour.annotations("segmented")
    agree((mask.name, str(mask.type), (mask.scope, mask.frame_index)), ("lung", "segmentation", place(tour, 0)))
