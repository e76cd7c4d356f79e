"""What a converted multi-frame object must say of itself beside its pixels and places.

Sources: PS3.3 A.70 to A.72, C.7.6.16.2 (functional groups), C.8.13 and C.8.15 (frame types), C.12.2 (references).
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.dicom.syntaxes import is_lossy

#: Legacy Converted Enhanced CT, MR and PET, and the functional group that says what a frame is.
_FRAME_TYPES = {
    "1.2.840.10008.5.1.4.1.1.2.2": "CTImageFrameTypeSequence",
    "1.2.840.10008.5.1.4.1.1.4.4": "MRImageFrameTypeSequence",
    "1.2.840.10008.5.1.4.1.1.128.1": "PETFrameTypeSequence",
}
_DAYS = ("ContentDate", "AcquisitionDate", "SeriesDate", "StudyDate")
_TIMES = ("ContentTime", "AcquisitionTime", "SeriesTime", "StudyTime")


def describe(result: Dataset, files: Sequence[DicomFile]) -> None:
    """Add to a multi-frame header, whose functional groups are there, what its class requires."""
    first = files[0].dataset
    for keyword, sources in (("ContentDate", _DAYS), ("ContentTime", _TIMES)):
        found = next((first.get(source) for source in sources if first.get(source)), None)
        if found is not None:
            setattr(result, keyword, found)
    result.ImageType = _image_type(result)
    _set_lossy(result, files)
    if result.SamplesPerPixel == 1:
        result.PresentationLUTShape = "INVERSE" if result.PhotometricInterpretation == "MONOCHROME1" else "IDENTITY"
    result.AcquisitionContextSequence = []
    result.ReferencedSeriesSequence = _references(files)
    frame_type = _FRAME_TYPES.get(str(result.SOPClassUID))
    if frame_type is None:
        result.ConversionType = "WSD"
        return
    result.PixelPresentation = "MONOCHROME"
    result.VolumetricProperties = "VOLUME"
    result.VolumeBasedCalculationTechnique = "NONE"
    item = Dataset()
    item.FrameType = result.ImageType
    item.PixelPresentation, item.VolumetricProperties = "MONOCHROME", "VOLUME"
    item.VolumeBasedCalculationTechnique = "NONE"
    (shared,) = result.SharedFunctionalGroupsSequence
    setattr(shared, frame_type, [item])
    shared.UnassignedSharedConvertedAttributesSequence = [Dataset()]
    for group in result.PerFrameFunctionalGroupsSequence:
        group.UnassignedPerFrameConvertedAttributesSequence = [Dataset()]


def _image_type(result: Dataset) -> list[str]:
    """Four values: those that the parts share, and what the standard has where they do not."""
    shared = result.get("ImageType") or ()
    values = [str(v) for v in ((shared,) if isinstance(shared, str) else shared)]
    return [value or default for value, default in zip(values, _TYPE, strict=False)] + list(_TYPE[len(values) :])


_TYPE = ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")


def _set_lossy(result: Dataset, files: Sequence[DicomFile]) -> None:
    says = [str(file.dataset.get("LossyImageCompression") or "") for file in files]
    if "01" in says or any(is_lossy(file.syntax) for file in files):
        result.LossyImageCompression = "01"
    else:
        result.LossyImageCompression = "00"


def _references(files: Sequence[DicomFile]) -> list[Dataset]:
    """The parts, as instances of their series."""
    series = Dataset()
    series.SeriesInstanceUID = files[0].dataset.get("SeriesInstanceUID")
    series.ReferencedInstanceSequence = []
    for file in files:
        item = Dataset()
        item.ReferencedSOPClassUID = file.dataset.get("SOPClassUID")
        item.ReferencedSOPInstanceUID = file.dataset.get("SOPInstanceUID")
        series.ReferencedInstanceSequence.append(item)
    return [series]
