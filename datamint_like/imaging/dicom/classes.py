"""What a data set is by its SOP class and modality: an image, annotations of one, or neither."""

from __future__ import annotations

from typing import Literal

from datamint_like.imaging.dicom.elements import Elements

#: What is no image, by modality, in words.
NO_IMAGE = {
    "SEG": "a segmentation (SEG), not an image",
    "RTSTRUCT": "a structure set (RTSTRUCT), not an image",
    "SR": "a structured report (SR), not an image",
    "ECG": "a waveform (ECG), not an image",
    "ANN": "bulk annotations (ANN), not an image",
    "PR": "a presentation state (PR), not an image",
    "KO": "a key object selection (KO), not an image",
    "REG": "a spatial registration (REG), not an image",
    "RTPLAN": "a treatment plan (RTPLAN), not an image",
    "DOC": "a document (DOC), not an image",
}
#: Segmentations of pixels.
SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
#: Whole-slide images, whose frames are tiles.
TILED_CLASSES = ("1.2.840.10008.5.1.4.1.1.77.1.6",)
_STRUCTURE_SET_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"


def annotation_kind(elements: Elements) -> Literal["seg", "rtstruct"] | None:
    """Whether a data set is a segmentation of pixels or a structure set, by its SOP class; None for others."""
    sop_class = str(elements.get("SOPClassUID") or "")
    if sop_class in SEGMENTATION_CLASSES:
        return "seg"
    if sop_class == _STRUCTURE_SET_CLASS or (not sop_class and str(elements.get("Modality")) == "RTSTRUCT"):
        return "rtstruct"
    return None
