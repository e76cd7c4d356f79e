"""Header facts of resources whose server does not tell them in our words: from their metadata, else their files."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Iterator

import msgspec

from datamint_like._threads import ahead
from datamint_like.backends.base import Known
from datamint_like.backends.remote.blobs import AT_ONCE, RemoteBlobs
from datamint_like.entities import Part, Resource
from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import HeaderFacts, facts_of, facts_to_metadata, probe
from datamint_like.imaging.sniff import is_gzip

_HEAD, _HEADER = 1 << 16, 4096  # bytes fetched of a NIfTI, and inflated bytes that its header is looked for in
#: What changes of a resource while its file stays.
_PASSING = ("status", "published", "published_on", "published_by", "tags", "upload_channel", "user_info")
_LOG = logging.getLogger(__name__)


def with_facts(
    resources: Iterable[Resource],
    part_of: Callable[[Resource], Part],
    blobs: RemoteBlobs,
    known: Known | None = None,
) -> Iterator[Resource]:
    """These resources, one after another, each with the header facts that datasets ask for.

    Where the metadata lacks them they are those of the record that `known` has, if all that may tell one version of the
    file from another is as it was; else the file is fetched, which the dataset needs anyway, and its header read. One
    that cannot be read keeps what it has, and the log tells why.
    """

    def completed(resource: Resource) -> Resource:
        if facts_of(resource) is not None:
            return resource
        earlier = None if known is None else known(resource.id)
        if earlier is not None and (same := _as_before(resource, earlier)) is not None:
            return same
        part = part_of(resource)
        try:
            facts = _of_nifti(resource, blobs.head(part, _HEAD)) if _is_nifti(resource) else None
            facts = facts or probe([blobs.part_path(part, resource.filename)], names=[part.filename])
        except (DecodeError, GeometryError) as error:
            _LOG.warning("Resource %s (%s) is left out: %s", resource.id, resource.filename, error)
            return resource
        return _told(resource, facts)

    return ahead(completed, resources, at_once=AT_ONCE)


def _told(resource: Resource, facts: HeaderFacts) -> Resource:
    """The resource with what the header of its file tells."""
    return msgspec.structs.replace(
        resource,
        metadata={**resource.metadata, **facts_to_metadata(facts)},
        modality=resource.modality or facts.modality,
        patient_id=resource.patient_id or _patient(resource) or facts.patient_id,
        study_uid=resource.study_uid or facts.study_uid,
        series_uid=resource.series_uid or facts.series_uid,
        instance_uid=resource.instance_uid or facts.instance_uid,
    )


def _as_before(resource: Resource, earlier: Resource) -> Resource | None:
    """The resource with the facts of its earlier record; None where the file may be another."""
    facts = facts_of(earlier)
    if facts is None:
        return None
    filled = ("modality", "patient_id", "study_uid", "series_uid", "instance_uid")
    own = {name: getattr(resource, name) or getattr(earlier, name) for name in filled}
    metadata = {**resource.metadata, **facts_to_metadata(facts)}
    told = msgspec.structs.replace(resource, metadata=metadata, **own)
    passing = {name: getattr(resource, name) for name in _PASSING}
    return told if told == msgspec.structs.replace(earlier, **passing) else None


def _is_nifti(resource: Resource) -> bool:
    return "nifti" in resource.mimetype.lower() or resource.filename.lower().endswith((".nii", ".nii.gz"))


def _of_nifti(resource: Resource, head: bytes) -> HeaderFacts | None:
    """The facts by the first bytes of a file, which are all that its header takes; None where it is no NIfTI."""
    from datamint_like.imaging.nifti_header import facts_of as facts_of_header
    from datamint_like.imaging.nifti_header import parse_header

    try:
        inflated = zlib.decompressobj(wbits=31).decompress(head, _HEADER) if is_gzip(head) else head[:_HEADER]
        return facts_of_header(parse_header(inflated))
    except zlib.error:
        return None


def _patient(resource: Resource) -> str | None:
    found = resource.metadata.get("PatientID")
    return str(found) if found else None
