"""Calls about annotations: masks, and finding, downloading, approving and deleting of all types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, overload

from datamint_like.api import _choices
from datamint_like.api._annotation_rows import Origin
from datamint_like.api._downloads import save, target_of
from datamint_like.api._endpoint import (
    AnnotationRef,
    ResourceRef,
    each_id_of,
    first,
    id_of,
    ids_of,
    iso,
    limit_of,
    one_spelling,
)
from datamint_like.api._geometry_makers import GeometryMakers
from datamint_like.api._mask_names import NamesGiven
from datamint_like.api._masks import Grid, MaskOptions, MaskSource, plan_masks, plan_volume_mask, store_masks
from datamint_like.backends.base import AnnotationQuery, DeletedRows
from datamint_like.entities import Annotation, Resource
from datamint_like.exceptions import ValidationError


class AnnotationsApi(GeometryMakers):
    """Annotations: what people and models said about resources and their frames.

    Example:
        >>> id = api.annotations.add_label_annotation(xray, "blurred", author_email="ana@lab.example")
        >>> [(each.identifier, each.status) for each in api.annotations.get_list(annotator_email="ana@lab.example")]
        [('blurred', 'new')]
    """

    # -- finding

    @overload
    def get_list(
        self,
        resource: ResourceRef | Iterable[ResourceRef] | None = ...,
        annotation_type: str | None = ...,
        annotator_email: str | None = ...,
        date_from: date | str | None = ...,
        date_to: date | str | None = ...,
        dataset_id: str | None = ...,
        worklist_id: str | None = ...,
        status: Literal["new", "published"] | None = ...,
        load_ai_segmentations: bool | None = ...,
        limit: int | None = ...,
        group_by_resource: Literal[False] = ...,
        *,
        from_date: date | str | None = ...,
        to_date: date | str | None = ...,
        source: str | None = ...,
        deleted: DeletedRows | None = ...,
    ) -> list[Annotation]: ...
    @overload
    def get_list(
        self,
        resource: ResourceRef | Iterable[ResourceRef] | None = ...,
        annotation_type: str | None = ...,
        annotator_email: str | None = ...,
        date_from: date | str | None = ...,
        date_to: date | str | None = ...,
        dataset_id: str | None = ...,
        worklist_id: str | None = ...,
        status: Literal["new", "published"] | None = ...,
        load_ai_segmentations: bool | None = ...,
        limit: int | None = ...,
        *,
        group_by_resource: Literal[True],
        from_date: date | str | None = ...,
        to_date: date | str | None = ...,
        source: str | None = ...,
        deleted: DeletedRows | None = ...,
    ) -> list[list[Annotation]]: ...
    def get_list(
        self,
        resource: ResourceRef | Iterable[ResourceRef] | None = None,
        annotation_type: str | None = None,
        annotator_email: str | None = None,
        date_from: date | str | None = None,
        date_to: date | str | None = None,
        dataset_id: str | None = None,
        worklist_id: str | None = None,
        status: Literal["new", "published"] | None = None,
        load_ai_segmentations: bool | None = None,
        limit: int | None = None,
        group_by_resource: bool = False,
        *,
        from_date: date | str | None = None,
        to_date: date | str | None = None,
        source: str | None = None,
        deleted: DeletedRows | None = None,
    ) -> list[Annotation] | list[list[Annotation]]:
        """The annotations that meet every condition given, in order of creation.

        With `group_by_resource=True` one list for each resource asked for, in the order asked for and as often,
        empty where there is none. `from_date` and `to_date` (both inclusive) are the later published names of
        `date_from` and `date_to`. Masks of models are always among the results, so `load_ai_segmentations=False` is
        not done.

        Raises:
            ItemNotFoundError: A resource is unknown.
            ValidationError: `group_by_resource` without resources; a type, status or source that there is not.

        Example:
            >>> [each.identifier for each in api.annotations.get_list(xray, annotation_type="segmentation")]
            ['lung']
            >>> by_resource = api.annotations.get_list([xray, echo], group_by_resource=True)
            >>> [len(annotations) for annotations in by_resource]
            [3, 0]
        """
        if dataset_id is not None or load_ai_segmentations is False:
            raise NotImplementedError(
                "dataset_id= and load_ai_segmentations=False are not implemented: "
                "ask with resource= and annotator_email=."
            )
        source = _choices.source_of(source)
        asked = None if resource is None else each_id_of(resource, Resource)
        wanted = None if asked is None else list(dict.fromkeys(asked))
        if wanted is not None:
            self._backend.get_resources(wanted)
        found = self._backend.list_annotations(
            AnnotationQuery(
                resource_ids=None if wanted is None else tuple(wanted),
                annotation_type=_choices.annotation_type(annotation_type),
                author=annotator_email,
                from_date=one_spelling(from_date=iso(from_date), date_from=iso(date_from)),
                to_date=one_spelling(to_date=iso(to_date), date_to=iso(date_to)),
                worklist_id=worklist_id,
                status=_choices.annotation_status(status),
                deleted=deleted or "exclude",
                limit=limit_of(limit) if source is None else None,
            )
        )
        if source is not None:
            found = first([annotation for annotation in found if annotation.source == source], limit)
        return _grouped(found, asked) if group_by_resource else found

    def get_all(self, limit: int | None = None) -> list[Annotation]:
        """Every annotation that is not deleted, or the first `limit`.

        Example:
            >>> [each.identifier for each in api.annotations.get_all(limit=2)]
            ['chest', 'view']
        """
        return self.get_list(limit=limit)

    def get_deleted(self, resource: ResourceRef | Iterable[ResourceRef] | None = None, **more: Any) -> list[Annotation]:
        """The deleted annotations; `more` are conditions of `get_list`.

        Example:
            >>> api.annotations.delete(api.annotations.get_list(xray, "label"))
            >>> [each.identifier for each in api.annotations.get_deleted(xray)]
            ['chest']
        """
        return self.get_list(resource, **{**more, "deleted": "only"})

    def get_by_id(self, entity_id: str) -> Annotation:
        """The annotation with this id.

        Raises:
            ItemNotFoundError: The store holds none.

        Example:
            >>> id = api.annotations.add_label_annotation(xray, "blurred")
            >>> api.annotations.get_by_id(id)
            Annotation(..., label 'blurred', image)
        """
        return self._backend.get_annotation(entity_id)

    # -- masks

    def upload_segmentations(
        self,
        resource: ResourceRef,
        file_path: MaskSource,
        name: NamesGiven = None,
        frame_index: int | Sequence[int] | None = None,
        imported_from: str | None = None,
        author_email: str | None = None,
        discard_empty_segmentations: bool = True,
        worklist_id: str | None = None,
        transpose_segmentation: bool = False,
        ai_model_name: str | None = None,
        *,
        model_name: str | None = None,
        source: str | None = "imported",
        resample_masks: bool = False,
    ) -> list[str]:
        """The ids of the new masks: one for each class on each frame.

        Values that are not 0 (in colour: not black) are classes. `name` is one text for all of them, or a dict
        by grey value (`{1: "liver"}`) or colour (`{(255, 0, 0): "liver"}`), whose key `"default"` names the rest;
        without it classes are called `seg_<value>`, of which there may be 64: more is an image. In a PNG or TIFF with a
        palette numbers are indices of it.

        A DICOM SEG or RTSTRUCT lies where it says; its classes keep their names (`name` may rename them, by segment
        or ROI number) and may overlap: one mask a class of a volume. Its creator is the author, unless one is given.

        Args:
            resource: The image, volume or video that the mask was drawn on, or its id.
            file_path: Picture (PNG, JPEG, WebP, BMP, or TIFF with a page for each frame), .npy, .npz or DICOM file, its
                bytes, or an array or tensor (H, W), (H, W, frames), or in colour (3, H, W, frames); COCO RLE, as JSON
                or dict; DICOM SEG or RTSTRUCT. A NIfTI file or nibabel
                image is a label map: see `upload_volume_segmentation`.
            name: Names of the classes.
            frame_index: Which stored frame each frame of the mask is for; needed where their numbers differ.
            imported_from: Name of the tool or data set that the mask comes from; of a DICOM SEG or RTSTRUCT without it
                `urn:oid:` and its SOP Instance UID.
            author_email: Who drew it; without it the current user.
            discard_empty_segmentations: Store no mask for a class that a frame does not show.
            worklist_id: The worklist that it belongs to.
            transpose_segmentation: Exchange the axes of each frame.
            ai_model_name: Author when a model made the mask.
            model_name: Later published name of `ai_model_name`.
            source: How it came to be: `"imported"`, `"manual"`, `"model_pipeline"` or `"model_deploy"`.
            resample_masks: For NIfTI masks, as in `upload_volume_segmentation`.

        Raises:
            ValidationError: A value has no name, the frames do not match, or the file looks like an image.
            GeometryError: The mask has another size than the resource.
            DecodeError: The file is no image.

        Example:
            >>> import tempfile, datamint_like
            >>> from datamint_like import Api
            >>> images = Path(datamint_like.__file__).parent / "demo" / "images" / "xray"
            >>> with tempfile.TemporaryDirectory() as home, Api(server_url=Path(home).as_uri()) as api:
            ...     xray = api.resources.upload_resource(images / "nih_00000001_000.png")
            ...     mask = images / "nih_00000001_000_mask.png"
            ...     ids = api.annotations.upload_segmentations(xray, mask, "lung")
            ...     [(mask.identifier, mask.frame_index) for mask in api.annotations.get_list(xray)]
            [('lung', 0)]
        """
        model_id = one_spelling(ai_model_name=ai_model_name, model_name=model_name)
        options = MaskOptions(
            frame_index=frame_index,
            transpose=transpose_segmentation,
            discard_empty=discard_empty_segmentations,
            resample=resample_masks,
            origin=Origin(worklist_id, imported_from, author_email, model_id, source),
        )
        found = self._backend.get_resource(id_of(resource, Resource))
        planned = plan_masks(file_path, name, Grid.of_resource(found), options)
        return store_masks(self._backend, found, planned)

    def upload_volume_segmentation(
        self,
        resource: ResourceRef,
        file_path: MaskSource,
        name: NamesGiven = None,
        imported_from: str | None = None,
        author_email: str | None = None,
        worklist_id: str | None = None,
        ai_model_name: str | None = None,
        transpose_segmentation: bool = False,
        *,
        model_name: str | None = None,
        source: str | None = "imported",
        axes: Literal["xyz", "dhw"] = "xyz",
        resample_masks: bool = False,
    ) -> list[str]:
        """The ids of the new masks of a volume: one for each label of a label map.

        A NIfTI file is laid on the volume by its affine: the same grid in another orientation is turned, another
        grid is an error, unless `resample_masks=True`. An array, or a NIfTI without geometry, lies as `axes` says.

        Args:
            resource: The volume, or its id.
            file_path: A .nii or .nii.gz file, its bytes, a .hdr file with its .img beside it, a nibabel image, or an
                integer array, tensor, .npy or .npz of the volume's shape. DICOM SEG or RTSTRUCT, as for
                `upload_segmentations`.
            name: By label, `{1: "liver"}`, or one text for all; without it labels are called `seg_<label>`, and more
                than 255 of them are an image, not a mask.
            imported_from: Name of the tool or data set that the mask comes from.
            author_email: Who drew it; without it the current user.
            worklist_id: The worklist that it belongs to.
            ai_model_name: Author when a model made the mask.
            transpose_segmentation: Must stay False: `axes` says how an array lies.
            model_name: Later published name of `ai_model_name`.
            source: How it came to be, as for `upload_segmentations`.
            axes: `"xyz"`: as nibabel shows the stored volume; `"dhw"`: as a dataset's item has it, (D, H, W).
            resample_masks: Bring a NIfTI of another grid to that of the volume, by nearest neighbour, and store it
                there. Other masks must lie on the volume's own grid.

        Raises:
            GeometryError: The mask lies on another grid; the message names both.
            ValidationError: A label has no name, there is no label, or the file looks like an image.
            DecodeError: The file is no NIfTI.

        Example:
            >>> bone = (volumes[0]["image"][0] > 300).numpy().astype(np.uint8)
            >>> ids = api.annotations.upload_volume_segmentation(head, bone, "skull", axes="dhw")
            >>> VolumeDataset(project="head-ct").segmentation_labels_set
            ['bone', 'skull', 'soft_tissue']
        """
        if axes not in ("xyz", "dhw"):
            raise ValidationError(f'axes is "xyz" or "dhw", not {axes!r}.')
        model_id = one_spelling(ai_model_name=ai_model_name, model_name=model_name)
        options = MaskOptions(
            transpose=transpose_segmentation,
            axes=axes,
            resample=resample_masks,
            origin=Origin(worklist_id, imported_from, author_email, model_id, source),
        )
        found = self._backend.get_resource(id_of(resource, Resource))
        return store_masks(self._backend, found, plan_volume_mask(file_path, name, Grid.of_resource(found), options))

    def download_file(self, annotation: AnnotationRef, fpath_out: str | Path | None = None) -> bytes:
        """The bytes of a mask's file (PNG or NIfTI), written to `fpath_out` as well where it is given.

        Raises:
            ValidationError: The annotation has no file.
            StorageError: Its bytes are gone or are not those stored.

        Example:
            >>> (lung,) = api.annotations.get_list(xray, "segmentation")
            >>> api.annotations.download_file(lung, "lung.png")[1:4]
            b'PNG'
        """
        found = self._backend.get_annotation(id_of(annotation, Annotation))
        if not found.is_segmentation():
            raise ValidationError(
                f"Annotation {found.id} ({found.annotation_type} {found.identifier!r}) has no file; segmentations have."
            )
        data = self._backend.blobs().annotation_bytes(found)
        if fpath_out is not None:
            save(target_of(fpath_out, "fpath_out"), data)
        return data

    download = download_file
    download_segmentation_file = download_file

    # -- changing

    def patch(self, annotation: AnnotationRef, identifier: str | None = None, **changes: Any) -> None:
        """Change the identifier, or with keywords `value`, `units`, `geometry`, `status`.

        Example:
            >>> id = api.annotations.add_label_annotation(xray, "blured")
            >>> api.annotations.patch(id, "blurred")
            >>> api.annotations.get_by_id(id).identifier
            'blurred'
        """
        if identifier is not None:
            changes["identifier"] = identifier
        self._backend.update_annotation(id_of(annotation, Annotation), changes)

    def approve(self, annotation: AnnotationRef) -> None:
        """Publish an annotation in the name of the current user.

        Example:
            >>> id = api.annotations.add_label_annotation(xray, "blurred")
            >>> api.annotations.approve(id)
            >>> api.annotations.get_by_id(id).status
            'published'
        """
        self._backend.approve_annotation(id_of(annotation, Annotation))

    def delete(self, entity: AnnotationRef | Iterable[AnnotationRef]) -> None:
        """Delete one annotation or many, all or none.

        Example:
            >>> api.annotations.delete(api.annotations.get_list(xray, "segmentation"))
            >>> [each.identifier for each in api.annotations.get_list(xray)]
            ['chest', 'view']
        """
        self._backend.delete_annotations(ids_of(entity, Annotation))

    def bulk_delete(self, entities: AnnotationRef | Iterable[AnnotationRef]) -> None:
        """`delete` under a published name.

        Example:
            >>> api.annotations.bulk_delete(api.annotations.get_list(xray))
            >>> api.annotations.get_list(xray)
            []
        """
        self.delete(entities)

    def delete_batch(self, annotation_ids: AnnotationRef | Iterable[AnnotationRef]) -> None:
        """`delete` under a published name.

        Example:
            >>> api.annotations.delete_batch([each.id for each in api.annotations.get_list(xray)])
            >>> api.annotations.get_list(xray)
            []
        """
        self.delete(annotation_ids)


def _grouped(found: Sequence[Annotation], asked: Sequence[str] | None) -> list[list[Annotation]]:
    if asked is None:
        raise ValidationError("group_by_resource=True needs resource=, the resources to group by.")
    groups: Mapping[str, list[Annotation]] = {resource_id: [] for resource_id in asked}
    for annotation in found:
        groups[annotation.resource_id].append(annotation)
    return [list(groups[resource_id]) for resource_id in asked]
