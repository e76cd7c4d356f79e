"""Bytes of resources and annotations: files as they were given, and single planes."""

from __future__ import annotations

import hashlib
import io
from functools import cache, partial
from pathlib import Path
from typing import Literal

import cv2
import msgspec
import numpy as np
from starlette.responses import Response

from datamint_like.backends.local.resources import Files
from datamint_like.drawing.pixels import gray
from datamint_like.entities import Resource
from datamint_like.exceptions import ItemNotFoundError, ValidationError
from datamint_like.imaging.sniff import head_of, is_jpeg, is_nifti, is_png
from datamint_like.imaging.windows import Window
from datamint_like.server.access import READS_ANNOTATION, READS_RESOURCE
from datamint_like.server.call import Call
from datamint_like.server.derived import FRAMES, Plane, Planes, whole_file
from datamint_like.server.file_answers import ServedFile, file_answer
from datamint_like.server.headers import UNKNOWN_TYPE, attachment
from datamint_like.server.routing import Route
from datamint_like.slices.pack import npy_gz

_PNG = "image/png"
_GZIP = "application/gzip"
_SLASH = "/"
_FASTEST_PNG = 1  # zlib's level: a look is taken once


class AsFormat(msgspec.Struct, frozen=True):
    """As what a plane comes: a picture, or its values."""

    format: Literal["png", "npy.gz"] = "png"


def resource_file(call: Call) -> Response:
    """The whole resource as one file."""
    files = call.store.files_of(call.path["resource_id"])
    if len(files.parts) == 1:
        return _part_answer(call, files, 0, files.filename)
    resource, parts = call.store.resource_and_parts(call.path["resource_id"])
    path, size, digest = whole_file(call.store, call.options.cache_folder, resource, parts)
    return _answer(call, ServedFile(path, size, digest, resource.mimetype, resource.filename))


def part_file(call: Call) -> Response:
    """One original file of a resource.

    Raises:
        ItemNotFoundError: It has no such file.
    """
    resource_id, index = call.path["resource_id"], _number(call.path["index"])
    files = call.store.files_of(resource_id)
    if index >= len(files.parts):
        raise ItemNotFoundError(f"Part {index} of resource {resource_id} not found: it has {len(files.parts)} file(s).")
    return _part_answer(call, files, index, files.parts[index].filename)


def annotation_file(call: Call) -> Response:
    """The file of a segmentation.

    Raises:
        ItemNotFoundError: It has none, or belongs to another resource.
    """
    annotation = call.store.get_annotation(call.path["annotation_id"])
    if annotation.resource_id != call.path["resource_id"] or annotation.sha256 is None:
        raise ItemNotFoundError(
            f"A file of annotation {annotation.id} of resource {call.path['resource_id']} was not found."
        )
    payload = call.store.blobs().annotation_bytes(annotation)
    path = call.store.blobs().blob_path(annotation.sha256)
    name = annotation.file or annotation.id
    return _answer(call, ServedFile(path, len(payload), annotation.sha256, _kind(payload), name))


def frame(call: Call) -> Response:
    """A frame as stored, as a PNG of its own size."""
    resource, plane = _plane(call, FRAMES)
    return _tagged(call, resource, _png(plane), _PNG, f"frame_{call.path['index']}.png")


def slice_of_resource(call: Call) -> Response:
    """A slice of a volume (or frame of a video) as a picture, or as its values (C, H, W)."""
    axis, index = call.path["axis"], call.path["index"]
    resource, plane = _plane(call, axis)
    if call.query.format == "png":
        return _tagged(call, resource, _png(plane), _PNG, f"{axis}_{index}.png")
    return _tagged(call, resource, npy_gz(plane.array), _GZIP, f"{axis}_{index}.npy.gz")


def _plane(call: Call, axis: str) -> tuple[Resource, Plane]:
    resource, parts = call.store.resource_and_parts(call.path["resource_id"])
    planes = _planes_in(call.options.cache_folder)
    return resource, planes.plane(call.store, resource, parts, axis, _number(call.path["index"]))


@cache
def _planes_in(folder: Path) -> Planes:
    """One for each cache folder of this process: it builds one pack at a time."""
    return Planes(folder)


def _png(plane: Plane) -> bytes:
    """The plane as an 8-bit picture: colour as it is, gray through the window of the whole."""
    if plane.facts["colour"]:
        pixels = np.moveaxis(plane.array, 0, -1)
        pixels = cv2.cvtColor(
            np.ascontiguousarray(pixels), cv2.COLOR_RGBA2BGRA if pixels.shape[-1] == 4 else cv2.COLOR_RGB2BGR
        )
    elif plane.array.dtype == np.uint8:
        pixels = plane.array[0]
    else:
        pixels = gray(plane.array[0], Window(*plane.facts["window"]))[..., 0]
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, _FASTEST_PNG])
    if not done:
        raise ValidationError("OpenCV could not encode this plane as PNG.")
    return bytes(data)


def _tagged(call: Call, resource: Resource, body: bytes, kind: str, name: str) -> Response:
    """A body with its digest as ETag; 304 where the client has it."""
    etag = f'"{hashlib.sha256(body).hexdigest()}"'
    headers = {
        "ETag": etag,
        "Content-Type": kind,
        "Content-Disposition": attachment(f"{resource.id}_{name}"),
        "Cache-Control": "private, no-cache",
    }
    if call.request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, headers=headers)


def _part_answer(call: Call, files: Files, index: int, name: str) -> Response:
    part = files.parts[index]
    path = call.store.blobs().part_path(part, files.filename)
    return _answer(call, ServedFile(path, part.size, part.sha256, files.mimetype, name))


def _answer(call: Call, file: ServedFile) -> Response:
    blobs = call.store.blobs().folder / "blobs"
    return file_answer(call.request, file, partial(_place_for_nginx, call.options.accel_prefix, blobs))


def _place_for_nginx(prefix: str | None, blobs: Path, path: Path) -> str | None:
    """Where nginx has a stored file; None where it does not serve them, or the file lies elsewhere."""
    if prefix is None or not path.is_relative_to(blobs):
        return None
    return f"{prefix.rstrip(_SLASH)}/{blobs.name}/{path.relative_to(blobs).as_posix()}"


def _kind(payload: bytes) -> str:
    """The media type of a mask's file, by its first bytes."""
    head = head_of(io.BytesIO(payload))
    kinds = ((is_png, _PNG), (is_jpeg, "image/jpeg"), (is_nifti, "application/nifti"))
    return next((name for question, name in kinds if question(head)), UNKNOWN_TYPE)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ValidationError(f"A number from 0 is needed, not {text!r:.80}.")
    return int(text)


_R = "/resources/{resource_id}"
_A = "/annotations/{resource_id}/annotations/{annotation_id}/file"
ROUTES = (
    Route("GET", _R + "/file", resource_file, READS_RESOURCE, "The resource as one file"),
    Route("HEAD", _R + "/file", resource_file, READS_RESOURCE, "Its length and digest"),
    Route("GET", _R + "/parts/{index}", part_file, READS_RESOURCE, "One original file"),
    Route("HEAD", _R + "/parts/{index}", part_file, READS_RESOURCE, "Its length and digest"),
    Route("GET", _A, annotation_file, READS_ANNOTATION, "The file of a segmentation"),
    Route("HEAD", _A, annotation_file, READS_ANNOTATION, "Its length and digest"),
    Route("GET", _R + "/frames/{index}", frame, READS_RESOURCE, "A frame as a PNG"),
    Route("GET", _R + "/slices/{axis}/{index}", slice_of_resource, READS_RESOURCE, "A slice", query=AsFormat),
)
