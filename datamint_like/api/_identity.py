"""Metadata that tells who the patient is: refused, for metadata is shown to everybody who sees the resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from datamint_like.exceptions import ValidationError

#: Keywords of DICOM attributes (PS3.6) that name a patient or lead to one, with their tags.
_KEYWORDS = {
    "PatientName": "00100010",
    "PatientID": "00100020",
    "IssuerOfPatientID": "00100021",
    "PatientBirthDate": "00100030",
    "PatientBirthTime": "00100032",
    "PatientInsurancePlanCodeSequence": "00100050",
    "OtherPatientIDs": "00101000",
    "OtherPatientNames": "00101001",
    "OtherPatientIDsSequence": "00101002",
    "PatientBirthName": "00101005",
    "PatientAddress": "00101040",
    "PatientMotherBirthName": "00101060",
    "MilitaryRank": "00101080",
    "MedicalRecordLocator": "00101090",
    "PatientTelephoneNumbers": "00102154",
    "PatientTelecomInformation": "00102155",
    "PatientReligiousPreference": "001021f0",
    "ResponsiblePerson": "00102297",
    "AccessionNumber": "00080050",
}
_REFUSED = {keyword.lower(): keyword for keyword in _KEYWORDS} | {tag: keyword for keyword, tag in _KEYWORDS.items()}
_GROUPING = ("patient_id", "PatientID")  # not kept as metadata: the field by which splits group


def refuse_identity(metadata: Mapping[str, Any]) -> None:
    """Let metadata pass that does not tell who the patient is, at any depth.

    Raises:
        ValidationError: A key names the patient; the message has the key and never its value.
    """
    waiting: list[Any] = [{key: value for key, value in metadata.items() if key not in _GROUPING}]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if id(found) in seen or not isinstance(found, Mapping | list | tuple):
            continue
        seen.add(id(found))
        if isinstance(found, Mapping):
            for key in found:
                _refuse(key)
        waiting += found.values() if isinstance(found, Mapping) else found


def _refuse(key: object) -> None:
    keyword = _REFUSED.get(re.sub(r"[^0-9a-z]", "", str(key).lower()))
    if keyword is not None:
        raise ValidationError(
            f"metadata[{key!r:.80}] ({keyword}) tells who the patient is, and metadata is shown to everybody who sees "
            "the resource. Leave it out; to group resources by patient, give a pseudonym as patient_id or PatientID."
        )
