"""The header of a multi-frame DICOM that stands for a series: common attributes and functional groups.

Sources: PS3.3 A.70 to A.72 (Legacy Converted Enhanced CT, MR, PET), A.8.3 to A.8.5 (Multi-frame Secondary
Capture), C.7.6.16 (functional groups), C.7.6.17 (dimensions).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import UID

from datamint_like.imaging.dicom.converted import describe
from datamint_like.imaging.dicom.frames import Frame
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.dicom.plan import Plan

_CONVERTED = {
    "1.2.840.10008.5.1.4.1.1.2": "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4": "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.128": "1.2.840.10008.5.1.4.1.1.128.1",
    "1.2.840.10008.5.1.4.1.1.2.1": "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4.1": "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.130": "1.2.840.10008.5.1.4.1.1.128.1",
}
_CAPTURE_BYTE, _CAPTURE_WORD, _CAPTURE_COLOUR = (f"1.2.840.10008.5.1.4.1.1.7.{n}" for n in (2, 3, 4))
_MODALITY_LUT = 0x00283000
_NAMESPACE = uuid.UUID("6d1f0f3e-8d0c-5c7e-9a5d-2f6b1f4f6a10")
#: Root elements that belong to one slice or that this header sets itself.
_OWN = frozenset(
    pydicom.datadict.tag_for_keyword(keyword)
    for keyword in (
        "SpecificCharacterSet",
        "SOPClassUID",
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "InstanceNumber",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "SliceLocation",
        "SpacingBetweenSlices",
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
        "WindowCenter",
        "WindowWidth",
        "NumberOfFrames",
        "SmallestImagePixelValue",
        "LargestImagePixelValue",
        "TemporalPositionIdentifier",
        "ConcatenationUID",
        "ConcatenationFrameOffsetNumber",
        "InConcatenationNumber",
        "InConcatenationTotalNumber",
        "SOPInstanceUIDOfConcatenationSource",
    )
)
#: Elements that say how pixels are stored, which this header says anew: (0028,0002) to (0028,0103), palettes.
_STORAGE = (range(0x00280002, 0x00280104), range(0x00281101, 0x00281224))


@dataclass(frozen=True)
class StoredPixels:
    """How the frames of the multi-frame file are stored: little endian, uncompressed, colour by pixel."""

    dtype: str
    photometric: str
    samples: int
    bits_stored: int
    signed: bool

    @property
    def bits_allocated(self) -> int:
        """8 or a multiple."""
        return int(self.dtype[1:]) * 8


def multiframe_header(files: Sequence[DicomFile], planned: Plan, pixels: StoredPixels) -> FileDataset:
    """The data set, without pixels, of one multi-frame file for the parts of a series."""
    result = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    for element in _common_elements(files):
        result.add(element)
    _set_identity(result, files, pixels)
    _set_pixels(result, planned, pixels)
    result.SharedFunctionalGroupsSequence = [_shared_groups(files, planned)]
    result.PerFrameFunctionalGroupsSequence = list(_frame_groups(files, planned))
    _set_dimensions(result)
    describe(result, files)
    result.file_meta.MediaStorageSOPClassUID = result.SOPClassUID
    result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
    result.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    result.file_meta.ImplementationClassUID = _derived_uid("implementation", ())
    result.file_meta.ImplementationVersionName = "DATAMINT_LIKE"
    return result


def _common_elements(files: Sequence[DicomFile]) -> Iterable[DataElement]:
    """The elements of the first part that all parts share, without private ones and those of one slice."""
    first = files[0].dataset
    for tag in sorted(first.keys()):
        if tag in _OWN or any(tag in span for span in _STORAGE) or tag.is_private or not 8 <= tag.group < 0x7FE0:
            continue
        element = first[tag]
        others = (file.dataset.get(tag) for file in files[1:])
        shared = all(other is not None and other.value == element.value for other in others)
        if shared and (element.VR != "SQ" or tag == _MODALITY_LUT) and _is_writable(element):
            value = element.value
            if element.keyword == "ImageType" and not isinstance(value, str):
                value = [part for part in value if part != "MOSAIC"]  # its planes are frames now
            yield DataElement(tag, element.VR, value)


def _is_writable(element: DataElement) -> bool:
    """Whether the element can be written: headers hold values that no writer accepts."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    try:
        write_data_element(buffer, element, ["utf-8"])
    except Exception:  # noqa: BLE001 -- the writer raises any class on a malformed value; the parts still hold it
        return False
    return True


def _set_identity(result: Dataset, files: Sequence[DicomFile], pixels: StoredPixels) -> None:
    """UIDs that follow from those of the parts, and the SOP class."""
    source = str(files[0].dataset.get("SOPClassUID") or "")
    uids = [str(file.dataset.get("SOPInstanceUID") or "") for file in files]
    capture = _CAPTURE_COLOUR if pixels.samples == 3 else _CAPTURE_BYTE if pixels.bits_allocated == 8 else _CAPTURE_WORD
    result.SpecificCharacterSet = "ISO_IR 192"
    result.SOPClassUID = _CONVERTED.get(source, capture) if pixels.samples == 1 else capture
    result.SOPInstanceUID = _derived_uid("instance", uids)
    result.SeriesInstanceUID = _derived_uid("series", uids)
    result.InstanceNumber = 1
    if "FrameOfReferenceUID" not in result:
        result.FrameOfReferenceUID = _derived_uid("frame of reference", uids)


def _set_pixels(result: Dataset, planned: Plan, pixels: StoredPixels) -> None:
    result.NumberOfFrames = len(planned.frames)
    result.SamplesPerPixel = pixels.samples
    result.PhotometricInterpretation = pixels.photometric
    if pixels.samples > 1:
        result.PlanarConfiguration = 0
    _, result.Rows, result.Columns = planned.facts.shape
    result.BitsAllocated, result.BitsStored = pixels.bits_allocated, pixels.bits_stored
    result.HighBit = pixels.bits_stored - 1
    result.PixelRepresentation = int(pixels.signed)


def _shared_groups(files: Sequence[DicomFile], planned: Plan) -> Dataset:
    """Orientation, spacing, window, and the rescale where all parts have one."""
    first = planned.frames[planned.stack.grid[0][0]]
    result = Dataset()
    result.PlaneOrientationSequence = [_item(ImageOrientationPatient=_decimals(first.orientation or ()))]
    measures = _item(PixelSpacing=_decimals(first.spacing or ()))
    for keyword in ("SliceThickness", "SpacingBetweenSlices"):
        if (value := files[first.part].dataset.get(keyword)) is not None:
            setattr(measures, keyword, value)
    result.PixelMeasuresSequence = [measures]
    window = _one_value(files, "WindowCenter"), _one_value(files, "WindowWidth")
    if None not in window:
        result.FrameVOILUTSequence = [_item(WindowCenter=window[0], WindowWidth=window[1])]
    if _is_scaled(planned) and _has_one_scale(planned):
        result.PixelValueTransformationSequence = [_transform(files[0], planned.frames[0])]
    return result


def _frame_groups(files: Sequence[DicomFile], planned: Plan) -> Iterable[Dataset]:
    """The groups of each frame, time points one after another."""
    own_scale = _is_scaled(planned) and not _has_one_scale(planned)
    for channel, planes in enumerate(planned.stack.grid):
        for plane, index in enumerate(planes):
            frame = planned.frames[index]
            file = files[frame.part]
            result = Dataset()
            content = _item(StackID="1", InStackPositionNumber=plane + 1)
            content.TemporalPositionIndex = channel + 1
            content.DimensionIndexValues = [channel + 1, plane + 1]
            result.FrameContentSequence = [content]
            result.PlanePositionSequence = [_item(ImagePositionPatient=_decimals(frame.position or ()))]
            if own_scale:
                result.PixelValueTransformationSequence = [_transform(file, frame)]
            result.ConversionSourceAttributesSequence = [_source(file, frame)]
            yield result


def _set_dimensions(result: Dataset) -> None:
    """Time point, then place in the stack."""
    organization = _derived_uid("dimensions", [str(result.SOPInstanceUID)])
    result.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
    result.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=pointer,
            FunctionalGroupPointer=0x00209111,
        )
        for pointer in (0x00209128, 0x00209057)
    ]


def _source(file: DicomFile, frame: Frame) -> Dataset:
    """What a frame was converted from (PS3.3 C.7.6.16.2.1.1)."""
    result = _item(
        ReferencedSOPClassUID=file.dataset.get("SOPClassUID"),
        ReferencedSOPInstanceUID=file.dataset.get("SOPInstanceUID"),
    )
    if file.pixels.frames > 1:
        result.ReferencedFrameNumber = frame.number + 1
    return result


def _transform(file: DicomFile, frame: Frame) -> Dataset:
    slope, intercept = _decimals((frame.slope, frame.intercept))
    unit = frame.scale or ("HU" if file.dataset.get("Modality") == "CT" else "US")
    return _item(RescaleIntercept=intercept, RescaleSlope=slope, RescaleType=unit)


def _decimals(values: Sequence[float]) -> list[str]:
    """Numbers as Decimal Strings that mean exactly these numbers."""
    return [str(int(value)) if value.is_integer() and abs(value) < 1e9 else repr(value) for value in values]


def _is_scaled(planned: Plan) -> bool:
    return any(frame.scale is not None or frame.intercept != 0.0 for frame in planned.frames)


def _has_one_scale(planned: Plan) -> bool:
    return len({(frame.slope, frame.intercept) for frame in planned.frames}) == 1


def _one_value(files: Sequence[DicomFile], keyword: str) -> Any:
    """The value that all parts have, or None."""
    value = files[0].dataset.get(keyword)
    return value if all(file.dataset.get(keyword) == value for file in files) else None


def _item(**values: Any) -> Dataset:
    result = Dataset()
    for keyword, value in values.items():
        setattr(result, keyword, value)
    return result


def _derived_uid(what: str, uids: Sequence[str]) -> UID:
    """A UID that follows from others (PS3.5 B.2: 2.25 and a UUID)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, chr(10).join([what, *uids])).int}")
