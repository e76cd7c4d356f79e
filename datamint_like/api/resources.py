"""Calls about resources: upload, find, download, tag, publish, delete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from datamint_like.api._annotation_files import store_annotated
from datamint_like.api._annotation_rows import Origin
from datamint_like.api._bulk import BulkLoad, bulk_load
from datamint_like.api._choices import resource_status
from datamint_like.api._deidentified import Anonymize, mask_without_identity, without_identity
from datamint_like.api._downloads import convert, extension_of, save, target_of
from datamint_like.api._endpoint import (
    Endpoint,
    ProjectRef,
    ResourceRef,
    id_of,
    ids_of,
    iso,
    limit_of,
    one_spelling,
    open_project,
    project_of,
)
from datamint_like.api._files_given import FileInputs, Originals, as_list, is_on_disk, on_disk
from datamint_like.api._masks import MaskOptions
from datamint_like.api._segmentation_files import MaskUploads, SegmentationFiles, masks_given
from datamint_like.api._upload_arguments import MetadataGiven, metadata_list, refuse_what_is_missing, tag_list
from datamint_like.api._uploaded_ids import UploadedIds
from datamint_like.api._uploads import OnError, UploadOptions, plan, warn_of
from datamint_like.api.annotations import AnnotationsApi
from datamint_like.backends.base import DeletedRows, NewResource, ResourceQuery
from datamint_like.entities import Annotation, Resource
from datamint_like.exceptions import DecodeError, ItemNotFoundError, ValidationError


class ResourcesApi(Endpoint):
    """Resources: images, volumes, series and videos of the store.

    Wherever resources are asked for, `Resource` objects or ids will do, one or many.

    Example:
        >>> id = api.resources.upload_resource("ct")
        >>> api.resources.get_by_id(id).modality
        'CT'
    """

    # -- upload

    def upload_resources(
        self,
        files_path: FileInputs,
        mimetype: str | None = None,
        anonymize: bool = False,
        anonymize_retain_codes: Sequence[tuple[int, int]] = (),
        on_error: OnError = "raise",
        tags: Sequence[str] | None = None,
        mung_filename: Sequence[int] | Literal["all"] | None = None,
        channel: str | None = None,
        publish: bool = False,
        publish_to: ProjectRef | None = None,
        segmentation_files: Sequence[SegmentationFiles] | None = None,
        transpose_segmentation: bool = False,
        ai_model: str | None = None,
        modality: str | None = None,
        assemble_dicoms: bool = True,
        metadata: Sequence[MetadataGiven] | MetadataGiven = None,
        discard_dicom_reports: bool = True,
        progress_bar: bool = False,
        *,
        model_name: str | None = None,
        link: bool = False,
        allow_burned_in: bool = False,
    ) -> UploadedIds:
        """The ids of the new resources, one entry for each file: `zip(files, ids)` pairs them.

        A DICOM series is one resource (with `assemble_dicoms=False` every file is one), whose id stands there once for
        each of its files; `.resource_ids` of the result has every id once. A file that is no part of a resource has
        None. Folders and patterns stand for the files they hold (`.files` of the result); folders are read with the
        folders in them, without hidden files.

        DICOM segmentations and structure sets (SEG, RTSTRUCT) among the files are no resources: they become annotations
        of the series that they reference, which is among the files or stored (in `publish_to`, where that is given).

        Every header is read, and every mask checked, before the first byte is stored. With `on_error="raise"`
        nothing is stored when one file is no image; with `"skip"` it is left out with a warning, and
        `.skipped` of the result says why. `on_error="skip"` still raises when no file at all is an image, and when
        a mask does not fit.

        Args:
            files_path: Paths, folders, glob patterns, open binary files or pydicom data sets; one or many.
            mimetype: Overrides the media type that the content tells.
            anonymize: Store the files, and the masks given with them, without identity: DICOM by the basic profile of
                PS3.15 Annex E, dates shifted by one secret offset a patient, UIDs and patient ids replaced in the same
                way for all files of this store; metadata of other formats dropped. Names become neutral. Pixels are
                not looked at. `.report` of the result says what was done. Needs the extra `deid`.
            anonymize_retain_codes: (group, element) of DICOM attributes that stay as they are.
            on_error: What a file that is no image does to the others.
            tags: Tags of every new resource.
            mung_filename: Not implemented; resources keep the base names of files, anonymized ones get neutral names.
            channel: Upload channel of every new resource.
            publish: Publish at once instead of leaving the resources in the inbox.
            publish_to: A project that the resources join (and so are published); it must exist.
            segmentation_files: For each entry of `files_path` its masks: a list of files, or a dict with
                `files` and `names`, as `annotations.upload_segmentations` takes them.
            transpose_segmentation: Exchange the axes of each frame of these masks.
            ai_model: Author of these masks when a model made them.
            modality: Overrides the header; `metadata["modality"]` does, too.
            assemble_dicoms: Make one resource of the files of a DICOM series.
            metadata: For each entry a dict, or JSON text, or the path of a JSON file; or one for all.
            discard_dicom_reports: Must stay True: structured reports are no images and are left out.
            progress_bar: Show one on stderr.
            model_name: Later published name of `ai_model`.
            link: Register the files where they are instead of copying them.
            allow_burned_in: Anonymize also DICOM images whose pixels may show who the patient is: Burned In Annotation
                is YES, or absent from ultrasound, secondary captures and angiography.

        Raises:
            ValidationError: A path is missing, a folder is empty, options contradict each other, or the project is
                archived.
            DecodeError: A file is no image or is damaged; the message names it.
            ItemNotFoundError: `publish_to` is unknown.
            StorageError: The disk is full.
            MissingExtraError: Files are to be anonymized, and the extra `deid` is not installed.
            NotImplementedError: An option that is not there yet.

        Example:
            >>> import tempfile, datamint_like
            >>> from datamint_like import Api
            >>> folder = Path(datamint_like.__file__).parent / "demo" / "images" / "ct_ge"
            >>> with tempfile.TemporaryDirectory() as home, Api(server_url=Path(home).as_uri()) as api:
            ...     project = api.projects.create("ct")
            ...     ids = api.resources.upload_resources(folder, publish_to=project, tags=["ct"])
            ...     [resource.metadata["frame_count"] for resource in api.projects.get_project_resources("ct")]
            [28]
            >>> ids = api.resources.upload_resources("ct", anonymize=True)
            >>> api.resources.get_by_id(ids.resource_ids[0]).patient_id[:5], ids.report.files
            ('ANON-', 32)
        """
        without = Anonymize.asked(anonymize, anonymize_retain_codes, allow_burned_in, link)
        refuse_what_is_missing(mung_filename, discard_dicom_reports, without)
        files = as_list(files_path)
        if link and not all(is_on_disk(given) for given in files):
            raise ValidationError("Only files on disk can be linked. Pass paths, or link=False.")
        options = UploadOptions(
            mimetype=mimetype,
            modality=modality,
            tags=tag_list(tags),
            channel=channel,
            publish=publish,
            link=link,
            anonymize=without,
            assemble_dicoms=assemble_dicoms,
            on_error=on_error,
            progress_bar=progress_bar,
            metadata=metadata_list(metadata, len(files)),
        )
        origin = Origin(model_id=one_spelling(ai_model=ai_model, model_name=model_name))
        mask_options = MaskOptions(transpose=transpose_segmentation, origin=origin)
        masks = MaskUploads(masks_given(segmentation_files, len(files)), mask_options)
        return self._upload(files, options, masks, publish_to)

    def _upload(
        self,
        files: list[Any],
        options: UploadOptions,
        masks: MaskUploads,
        publish_to: ProjectRef | None,
        single: bool = False,
    ) -> UploadedIds:
        if publish_to is not None:
            options = replace(options, project_id=open_project(self._backend, publish_to).id)
        how, url = options.anonymize, self._backend.url
        with on_disk(files) as given, without_identity(given, how, url, progress_bar=options.progress_bar) as clean:
            planned = plan(clean.files, options, clean.skipped)
            if single and planned.annotations and not planned.items:
                raise DecodeError(
                    f"{planned.annotations[0].path.name}: it is a segmentation or structure set, which is no resource. "
                    "Give it to annotations.upload_segmentations with its resource, or to upload_resources."
                )
            if single and len(planned.items) != 1:
                alone = len(files) == 1 and is_on_disk(files[0])
                which = f"{Path(files[0]).name} holds" if alone else "the files given make"
                raise ValidationError(
                    f"upload_resource makes one resource, but {which} {len(planned.items)}. "
                    "Use upload_resources for it."
                )
            masks.prepare(planned.items, lambda source: mask_without_identity(source, how, url))
            made, done = store_annotated(self._backend, planned, options, masks.add)
        if done.skipped and not (made.ids or done.attached or done.already_there):
            raise DecodeError(f"Nothing was stored: {done.skipped[0].reason}")
        skipped = [Originals(clean.given).skipped(each) for each in made.skipped + done.skipped]
        warn_of(skipped)
        attached = dict.fromkeys(each.path for each in done.attached)
        return UploadedIds(clean.given, made, skipped, attached, clean.report)

    def upload_resource(
        self,
        file_path: FileInputs,
        mimetype: str | None = None,
        anonymize: bool = False,
        anonymize_retain_codes: Sequence[tuple[int, int]] = (),
        tags: Sequence[str] | None = None,
        mung_filename: Sequence[int] | Literal["all"] | None = None,
        channel: str | None = None,
        publish: bool = False,
        publish_to: ProjectRef | None = None,
        segmentation_files: SegmentationFiles = None,
        transpose_segmentation: bool = False,
        modality: str | None = None,
        metadata: MetadataGiven = None,
        discard_dicom_reports: bool = True,
        *,
        link: bool = False,
        allow_burned_in: bool = False,
    ) -> str:
        """The id of the one new resource that a file makes, or several: a series, a NIfTI header and its image.

        The arguments are those of `upload_resources`, metadata and masks those of the one resource.

        Raises:
            ValidationError: The path holds files of more than one resource; nothing is stored.

        Example:
            >>> id = api.resources.upload_resource("ct", tags=["phantom"], publish_to="head-ct")
            >>> [resource.tags for resource in api.projects.get_project_resources("head-ct")]
            [('ct',), ('phantom',)]
        """
        without = Anonymize.asked(anonymize, anonymize_retain_codes, allow_burned_in, link)
        refuse_what_is_missing(mung_filename, discard_dicom_reports, without)
        files = as_list(file_path)
        if link and not all(is_on_disk(given) for given in files):
            raise ValidationError("Only a file on disk can be linked. Pass its path, or link=False.")
        options = UploadOptions(
            mimetype=mimetype,
            modality=modality,
            tags=tag_list(tags),
            channel=channel,
            publish=publish,
            link=link,
            anonymize=without,
            metadata=metadata_list([metadata] * len(files), len(files)),
        )
        masks = MaskUploads(
            masks_given([segmentation_files, *[None] * (len(files) - 1)], len(files)),
            MaskOptions(transpose=transpose_segmentation),
        )
        return self._upload(files, options, masks, publish_to, single=True).resource_ids[0]

    def bulk_load(self, rows: Iterable[NewResource], project: ProjectRef, *, batch_size: int = 2000) -> BulkLoad:
        """A report, once all rows are resources of the project, published, with their annotations.

        For very many resources of which header facts and digests are known, as from a manifest or another store: with
        `parts` no file is read, and thousands of rows are stored in one write. Rows are checked as `upload_resource`
        checks; of a part with `linked_path` size and modification time are compared, and the digest when a dataset
        first reads it. Rows with `paths` are stored (or linked) from files.

        A server is sent the files that the project lacks, of `paths` and of `linked_path` alike, several at once; it
        checks digests at once, reads the headers itself, and refuses `link=True`. An embedded store checks all rows.
        Over HTTP the fields of all rows are checked here, against their types; the server checks the rows that it is
        sent, and sees nothing of those that the project holds already or that are given twice.

        Each batch is stored whole or not at all. A load that failed or was killed goes on when it is started again with
        the same rows: what the project holds byte for byte is passed over, and so is what is given twice.

        Args:
            rows: The resources, in dataset order; taken as they come, a batch at a time.
            project: A project, its name or its id.
            batch_size: Rows that are held in memory and stored together, 100,000 at most: a batch also ends where its
                masks, and the files that are not linked, have 128 MiB.

        Raises:
            ValidationError: A row does not fit, or a part's bytes are neither linked nor in the store. The message
                begins with the number of the row, counted from 0, and a note tells how many are stored.
            DecodeError, GeometryError, ItemNotFoundError: The same of a file, a mask, or a worklist of a row.
            NotImplementedError: The server speaks Datamint's protocol alone, and cannot tell what it holds already.

        Example:
            >>> import hashlib
            >>> from datamint_like.backends.base import NewAnnotation, NewResource
            >>> from datamint_like.entities import Part
            >>> from datamint_like.imaging import probe
            >>> file = sorted(Path("ct").iterdir())[0].absolute()
            >>> facts, digest = probe([file]), hashlib.sha256(file.read_bytes()).hexdigest()
            >>> part = Part(index=0, filename=file.name, size=file.stat().st_size, sha256=digest, linked_path=str(file))
            >>> said = (NewAnnotation("label", "benign", author="ana@lab.example"),)
            >>> row = NewResource((), file.name, facts, parts=(part,), annotations=said)
            >>> project = api.projects.create("many")
            >>> print(api.resources.bulk_load([row], project))
            1 resource made, 0 there already.
            >>> print(api.resources.bulk_load([row], project))
            0 resources made, 1 there already.
        """
        return bulk_load(self._backend, rows, project_of(self._backend, project).id, batch_size)

    # -- finding

    def get_list(
        self,
        status: Literal["", "inbox", "published"] | None = None,
        from_date: date | str | None = None,
        to_date: date | str | None = None,
        tags: Sequence[str] | None = None,
        modality: str | None = None,
        mimetype: str | None = None,
        source_filepath: str | Path | None = None,
        order_field: str | None = None,
        order_ascending: bool | None = None,
        channel: str | None = None,
        project_name: ProjectRef | Iterable[ProjectRef] | None = None,
        filename: str | None = None,
        limit: int | None = None,
        deleted: DeletedRows | None = None,
    ) -> list[Resource]:
        """The resources that meet every condition given.

        Dates are ISO, from inclusive, to exclusive. A resource meets `tags` when it has any of them, `filename`
        when its name contains it, `project_name` when it is in every project named.

        Raises:
            ItemNotFoundError: A project named is unknown.
            ValidationError: There is no such status, or another condition cannot be understood.
            NotImplementedError: `source_filepath` is given: folders of the uploader are not recorded.

        Example:
            >>> [resource.filename for resource in api.resources.get_list(modality="CR", filename="nih", limit=1)]
            ['nih_00000001_000.png']
        """
        if source_filepath is not None:
            raise NotImplementedError(
                "source_filepath cannot be asked for: the store does not record the folders of an uploader. "
                "Use filename=."
            )
        query = ResourceQuery(
            status=resource_status(status),
            from_date=iso(from_date),
            to_date=iso(to_date),
            tags=tag_list(tags),
            modality=modality,
            mimetype=mimetype,
            channel=channel,
            filename=filename,
            project_names=tuple(self._project_names(project_name)),
            deleted=deleted or "exclude",
            order_field=order_field,
            order_ascending=True if order_ascending is None else order_ascending,
            limit=limit_of(limit),
        )
        return self._backend.list_resources(query)

    def _project_names(self, projects: ProjectRef | Iterable[ProjectRef] | None) -> list[str]:
        if projects is None:
            return []
        many = projects if isinstance(projects, Iterable) and not isinstance(projects, str) else [projects]
        return [project_of(self._backend, project).name for project in many]

    def get_all(self, limit: int | None = None) -> list[Resource]:
        """Every resource that is not deleted, or the first `limit`.

        Example:
            >>> len(api.resources.get_all(limit=2))
            2
        """
        return self.get_list(limit=limit)

    def get_deleted(self, **conditions: Any) -> list[Resource]:
        """The deleted resources, which `restore` brings back; `conditions` are those of `get_list`.

        Example:
            >>> api.resources.delete(xray)
            >>> [resource.filename for resource in api.resources.get_deleted()]
            ['nih_00000001_000.png']
        """
        return self.get_list(**{**conditions, "deleted": "only"})

    def get_by_id(self, entity_id: str) -> Resource:
        """The resource with this id.

        Raises:
            ItemNotFoundError: The store holds none.

        Example:
            >>> api.resources.get_by_id(xray.id).filename
            'nih_00000001_000.png'
        """
        return self._backend.get_resource(entity_id)

    def get_annotations(self, resource: ResourceRef, annotation_type: str | None = None) -> list[Annotation]:
        """The annotations of one resource, in order.

        Example:
            >>> [each.identifier for each in api.resources.get_annotations(xray)]
            ['chest', 'view', 'lung']
        """
        return AnnotationsApi(self._api).get_list(resource, annotation_type)

    # -- bytes

    def download_resource_file(
        self,
        resource: ResourceRef,
        save_path: str | Path | None = None,
        auto_convert: bool = True,
        add_extension: bool = False,
    ) -> Any:
        """One file that holds the whole resource: as an object to work with, or its bytes.

        A DICOM series comes as one multi-frame DICOM, a NIfTI header and its image as one .nii; the original files
        are in `backend.list_parts`. With `auto_convert` the result is a `pydicom.Dataset`, a `nibabel` image, or an
        array with the values that the file means: (H, W) or (H, W, C) for pictures, of several pages (N, H, W) or
        (N, H, W, C), (N, H, W, 3) for a video file; otherwise bytes. `add_extension=True` returns `(result, path)`.

        Args:
            resource: The resource, or its id.
            save_path: Where the bytes are written as well, whole or not at all.
            auto_convert: Return an object instead of bytes.
            add_extension: Append the extension of the format to `save_path` where it has none.

        Raises:
            ItemNotFoundError: The resource is unknown.
            StorageError: Its bytes are gone, or a linked file changed.

        Example:
            >>> api.resources.download_resource_file(xray).shape
            (512, 512)
            >>> series, path = api.resources.download_resource_file(head, "head", add_extension=True)
            >>> series.NumberOfFrames, Path(path).name
            ('32', 'head.dcm')
        """
        found = self._backend.get_resource(id_of(resource, Resource))
        with self._backend.open_resource_file(found.id) as file:
            data = file.read()
        path = None if save_path is None else target_of(save_path, "save_path")
        if add_extension:
            if path is None:
                raise ValidationError("add_extension needs save_path: there is no file to name.")
            extension = extension_of(found, data)
            path = path if path.name.lower().endswith(extension) else path.with_name(path.name + extension)
        if path is not None:
            save(path, data)
        result = convert(found, data) if auto_convert else data
        return (result, str(path)) if add_extension else result

    # -- changing

    def set_tags(self, resource: ResourceRef | Iterable[ResourceRef], tags: Sequence[str]) -> None:
        """Replace all tags of one resource or of many; a single string is one id.

        Example:
            >>> api.resources.set_tags([xray, head], ["checked"])
            >>> api.resources.get_by_id(xray.id).tags
            ('checked',)
        """
        self._backend.set_tags(ids_of(resource, Resource), tag_list(tags))

    def add_tags(self, resource: ResourceRef | Iterable[ResourceRef], tags: Sequence[str]) -> None:
        """Add tags to one resource or to many, in one step of the store: no tag of another writer is lost.

        Example:
            >>> api.resources.add_tags(xray, ["checked"])
            >>> api.resources.get_by_id(xray.id).tags
            ('xray', 'checked')
        """
        self._backend.add_tags(ids_of(resource, Resource), tag_list(tags))

    def publish_resources(self, resources: ResourceRef | Iterable[ResourceRef]) -> None:
        """Move resources from the inbox to published; those published already stay so.

        Example:
            >>> id = api.resources.upload_resource("ct")
            >>> api.resources.publish_resources(id)
            >>> api.resources.get_by_id(id).status
            'published'
        """
        self._backend.publish_resources(ids_of(resources, Resource))

    publish = publish_resources
    bulk_publish = publish_resources

    def delete(self, entity: ResourceRef | Iterable[ResourceRef]) -> None:
        """Delete one resource or many; `restore` brings them back.

        Example:
            >>> api.resources.delete(xray)
            >>> len(ImageDataset(project="chest"))
            2
        """
        self._backend.delete_resources(ids_of(entity, Resource))

    def bulk_delete(self, entities: Iterable[ResourceRef]) -> None:
        """Delete many resources in one step.

        Example:
            >>> api.resources.bulk_delete([xray, head])
            >>> len(api.resources.get_deleted())
            2
        """
        self.delete(entities)

    def restore(self, resource: ResourceRef) -> Resource:
        """The deleted resource, in use again, also in its projects.

        Example:
            >>> api.resources.delete(xray)
            >>> api.resources.restore(xray).deleted
            False
        """
        return self._backend.restore_resources([id_of(resource, Resource)])[0]

    def bulk_restore(self, resources: Iterable[ResourceRef]) -> dict[str, list[Any]]:
        """What came back, `{"restored": [id], "skipped": [{"id", "reason"}]}`; one failure stops no other.

        Example:
            >>> api.resources.delete(xray)
            >>> done = api.resources.bulk_restore([xray, head])
            >>> len(done["restored"]), done["skipped"][0]["reason"]
            (1, 'not_deleted')
        """
        restored: list[Any] = []
        skipped: list[Any] = []
        for resource_id in ids_of(resources, Resource):
            try:
                found = self._backend.get_resource(resource_id)
                reason = None if found.deleted else "not_deleted"
            except ItemNotFoundError:
                reason = "not_found"
            if reason is None:
                restored.append(self._backend.restore_resources([resource_id])[0].id)
            else:
                skipped.append({"id": resource_id, "reason": reason})
        return {"restored": restored, "skipped": skipped}
