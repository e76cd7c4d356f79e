"""What a download becomes: bytes on disk, or the object that people work with for its format."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from datamint_like._files import is_disk_full, write_bytes
from datamint_like.entities import Resource
from datamint_like.exceptions import StorageError, ValidationError
from datamint_like.imaging.sniff import VIDEO_EXTENSIONS, is_gzip, is_nifti2

_EXTENSIONS = {
    "application/dicom": ".dcm",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    **VIDEO_EXTENSIONS,
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
}


def target_of(path: str | Path, what: str) -> Path:
    """The path that an argument names.

    Raises:
        ValidationError: It names none.
    """
    if not isinstance(path, str | Path):
        raise ValidationError(f"{what} is the path of the file to write, not {path!r:.80}.")
    return Path(path)


def save(path: Path, data: bytes) -> None:
    """Write the bytes at `path`, whole or not at all.

    Raises:
        ValidationError: The folder is not there, or may not be written.
        StorageError: The disk is full.
    """
    try:
        write_bytes(path, data)
    except OSError as error:
        if is_disk_full(error):
            raise StorageError(f"The disk is full: {path.name} ({len(data)} bytes) was not written.") from error
        raise ValidationError(f"{path!s:.200} cannot be written: {error.strerror}. Choose another path.") from error
    except ValueError as error:  # no path at all
        raise ValidationError(f"{str(path)!r:.200} cannot be written: {error}. Choose another path.") from error


def extension_of(resource: Resource, data: bytes) -> str:
    """The extension that files of this format have, with its dot; "" where there is none."""
    if format_of(resource) == "nifti":
        return ".nii.gz" if is_gzip(data) else ".nii"
    return _EXTENSIONS.get(str(resource.metadata.get("mimetype") or resource.mimetype), "")


def format_of(resource: Resource) -> str:
    """The decoder's name (`"dicom"`, `"nifti"`, `"video"`, ...), by the facts of the upload, else the media type."""
    known = resource.metadata.get("format")
    if known:
        return str(known)
    kind = resource.mimetype.lower()
    return next((form for form in ("dicom", "nifti", "video") if form in kind), "raster")


def convert(resource: Resource, data: bytes) -> Any:
    """A `pydicom.Dataset`, a `nibabel` image, or an array (H, W[, C]); of pages and videos (N, H, W[, C])."""
    form = format_of(resource)
    if form == "dicom":
        import pydicom

        return pydicom.dcmread(BytesIO(data))
    if form == "nifti":
        return _nifti(data)
    return _decoded(resource, data)


def _nifti(data: bytes) -> Any:
    import gzip

    import nibabel

    raw = gzip.decompress(data) if is_gzip(data) else data
    return (nibabel.Nifti2Image if is_nifti2(raw) else nibabel.Nifti1Image).from_bytes(raw)


def _decoded(resource: Resource, data: bytes) -> Any:
    """The decoded image, stack or video with channels last, as image libraries show it."""
    import numpy as np

    from datamint_like.imaging import decode_stored, probe

    with TemporaryDirectory(prefix="datamint-like-") as folder:
        path = Path(folder) / resource.filename
        path.write_bytes(data)
        facts = probe([path])
        stored = decode_stored([path], facts).array
    image = np.moveaxis(stored, 0, -1)
    image = image[0] if len(image) == 1 and facts.kind != "video" else image
    return image[..., 0] if image.shape[-1] == 1 else image
