"""DICOM resources as SimpleITK reads them, and what differs by rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from datamint_like.imaging import Group, assemble
from datamint_like.imaging.dicom.header import read_header
from datamint_like.imaging.dicom.plan import plan_of
from datamint_like.imaging.sniff import is_dicom, read_head
from datamint_like.imaging.types import SourceFile

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
#: Files that SimpleITK cannot open.
NOT_READ = {
    "opt_volume_16bit.dcm": "gdcm finds no orientation",
    "opt_volume_8bit.dcm": "gdcm finds no orientation",
    "parametric_map_float.dcm": "it has no reader for Float Pixel Data",
}
#: Files whose values SimpleITK leaves as they are stored.
STORED_VALUES = {
    "rtdose.dcm": "it does not apply Dose Grid Scaling",
    "philips_fieldmap_2echo.dcm": "it rescales all frames as the first one",
    "mlut_18.dcm": "it does not apply a modality LUT",
}
#: Differences allowed where float32 and float64 rescale.
ROUNDING = 2e-4


def resources(real_data: Path) -> list[Group]:
    """Each folder assembled as an import would; twins that share a UID, each on its own."""
    groups: list[Group] = []
    for folder in sorted({path.parent for path in real_data.rglob("*") if path.is_file()}):
        files = [path for path in folder.iterdir() if path.is_file() and is_dicom(read_head(path))]
        together = assemble(files)
        groups.extend(together.groups)
        for skip in together.skipped:
            if "same image" in skip.reason:
                groups.extend(assemble([skip.path]).groups)
    return groups


def by_simpleitk(group: Group) -> sitk.Image:
    if len(group.paths) == 1:
        return sitk.ReadImage(str(group.paths[0]))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in group.paths])
    return reader.Execute()


def frames_of(image: sitk.Image) -> np.ndarray:
    """Frames in file order (N, J, I), colour (N, J, I, 3)."""
    array = sitk.GetArrayFromImage(image)
    size = (image.GetHeight(), image.GetWidth())
    return array.reshape(-1, *size, *([3] if image.GetNumberOfComponentsPerPixel() == 3 else []))


def in_our_order(group: Group, frames: np.ndarray) -> np.ndarray:
    """Frames in file order as channels and planes (C, K, J, I)."""
    planned = plan_of([read_header(SourceFile(path, path.name)) for path in group.paths])
    ordered = frames[np.array(planned.stack.grid)]
    return np.moveaxis(ordered[0], -1, 0) if frames.ndim == 4 else ordered


def check_place(group: Group, image: sitk.Image) -> bool:
    """Whether both place the resource; where they do, they agree."""
    name, affine = group.filename, group.facts.affine
    if affine is None or image.GetDimension() != 3:
        return False
    assert np.allclose(affine.origin, np.array(image.GetOrigin()) * LPS_TO_RAS, atol=1e-3), name
    assert np.allclose(affine.spacing[1:], image.GetSpacing()[1::-1], atol=1e-3), name
    direction = np.array(image.GetDirection()).reshape(3, 3)[:, ::-1] * LPS_TO_RAS[:, None]
    assert np.allclose(affine.direction[:, 1:], direction[:, 1:], atol=1e-3), name
    if group.facts.shape[0] > 1:  # one plane has no step: its thickness is what we say and SimpleITK need not
        assert np.allclose(affine.spacing[0], image.GetSpacing()[2], atol=1e-3), name
        step = affine.direction[:, 0]
        sheared = abs(float(step @ direction[:, 0])) < 0.9999
        assert sheared == ("ge_tilt" in str(group.paths[0])), name  # SimpleITK has no shear: it takes the normal
        assert sheared or np.allclose(step, direction[:, 0], atol=1e-3), name
    return True
