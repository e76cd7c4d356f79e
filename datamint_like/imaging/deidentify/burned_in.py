"""Whether the pixels of a DICOM image may show who the patient is, by its header (PS3.3 C.7.6.1, C.8.6)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from datamint_like.exceptions import ValidationError

#: SOP classes whose machines write names into the picture, with the word for them.
_USUALLY = {
    "1.2.840.10008.5.1.4.1.1.6": "ultrasound",
    "1.2.840.10008.5.1.4.1.1.6.1": "ultrasound",
    "1.2.840.10008.5.1.4.1.1.3": "ultrasound",
    "1.2.840.10008.5.1.4.1.1.3.1": "ultrasound",
    "1.2.840.10008.5.1.4.1.1.6.2": "ultrasound",
    "1.2.840.10008.5.1.4.1.1.7": "secondary captures",
    "1.2.840.10008.5.1.4.1.1.7.1": "secondary captures",
    "1.2.840.10008.5.1.4.1.1.7.2": "secondary captures",
    "1.2.840.10008.5.1.4.1.1.7.3": "secondary captures",
    "1.2.840.10008.5.1.4.1.1.7.4": "secondary captures",
    "1.2.840.10008.5.1.4.1.1.12.1": "angiography",
    "1.2.840.10008.5.1.4.1.1.12.1.1": "angiography",
    "1.2.840.10008.5.1.4.1.1.12.2": "fluoroscopy",
    "1.2.840.10008.5.1.4.1.1.12.2.1": "fluoroscopy",
    "1.2.840.10008.5.1.4.1.1.12.3": "angiography",
    "1.2.840.10008.5.1.4.1.1.29": "hard copies",
    "1.2.840.10008.5.1.4.1.1.30": "hard copies",
    "1.2.840.10008.5.1.4.1.1.77.1.1": "endoscopy",
    "1.2.840.10008.5.1.4.1.1.77.1.1.1": "endoscopy",
}
_HOW = (
    "Look at the pixels, blacken what tells the patient, and set Burned In Annotation to NO; or, where nothing does, "
)
_HOW += "pass allow_burned_in=True."


def refuse_burned_in(dataset: Dataset) -> None:
    """Stop at an image whose pixels may tell the patient.

    Raises:
        ValidationError: Burned In Annotation is YES; or it is absent and such images usually have it; or an overlay
            lies in unused bits of the pixels.
    """
    said = str(dataset.get("BurnedInAnnotation") or "").strip().upper()
    if said == "YES":
        raise ValidationError(
            f"its pixels show annotation that may tell the patient (Burned In Annotation is YES). {_HOW}"
        )
    kind = _USUALLY.get(str(dataset.get("SOPClassUID") or ""))
    if kind is None and "ConversionType" in dataset:
        kind = "secondary captures"
    if said != "NO" and kind is not None:
        raise ValidationError(
            f"Burned In Annotation is absent, so that its pixels may show who the patient is, as is usual in {kind}. "
            f"{_HOW}"
        )
    if any(_lies_in_pixels(dataset, group) for group in range(0x6000, 0x6020, 2)):
        raise ValidationError(f"it has an overlay in the unused bits of its pixels, which may hold text. {_HOW}")


def _lies_in_pixels(dataset: Dataset, group: int) -> bool:
    return (group, 0x0010) in dataset and (group, 0x3000) not in dataset
