"""One DICOM data set without identity: every element, at any depth, by the rules; and the marks that say so."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import UID

from datamint_like.imaging.deidentify.dates import shifted
from datamint_like.imaging.deidentify.identity import Identity, texts_of
from datamint_like.imaging.deidentify.pseudonyms import Pseudonyms
from datamint_like.imaging.deidentify.report import Tally
from datamint_like.imaging.deidentify.rules import (
    CLEANED_DESCRIPTORS,
    Action,
    action_of,
    in_profile,
    is_standard,
    keyword_of,
    vr_of,
)

#: Values where one must be (D of the table), by VR; other texts are `ANONYMIZED`, other numbers 0.
_DUMMIES: dict[str, Any] = {
    "AS": "000Y",
    "DS": "0",
    "IS": "0",
    "OB": b"\0\0",
    "UN": b"\0\0",
    "UR": "about:blank",
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), "ANONYMIZED"),
    **dict.fromkeys(("FD", "FL", "SS", "US", "SL", "UL", "SV", "UV"), 0),
}
_MAY_STAY_NO = frozenset({"PatientName", "PatientID"})
_METHOD = "DICOM PS3.15 Annex E by datamint_like"
_CODES = {
    "113100": "Basic Application Confidentiality Profile",
    "113105": "Clean Descriptors Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
}


class DatasetCleaner:
    """Takes the identity out of data sets, in place.

    Args:
        names: What identity becomes.
        retain: Tags of elements that stay as they are, at any depth.
        tally: Counts what was done.
    """

    def __init__(self, names: Pseudonyms, retain: Collection[int], tally: Tally) -> None:
        self._names = names
        self._retain = frozenset(retain)
        self._tally = tally
        self._retained: set[int] = set()
        self._cleaned_descriptor = False
        self._patient = ""
        self._identity = Identity(Dataset())

    def clean(self, dataset: Dataset) -> None:
        """Change a whole data set, and mark it (PS3.3 C.7.1.1, C.12.1)."""
        self._patient = patient_of(dataset)
        self._identity = Identity(dataset)
        self._clean(dataset)
        self._mark(dataset)

    def _clean(self, dataset: Dataset) -> None:
        for tag in list(dataset.keys()):
            vr = vr_of(tag, dataset.get_item(tag).VR)
            if tag in self._retain or (tag.is_private_creator and self._keeps_block(tag)):
                self._retained.add(tag)
                self._tally.add("retained", keyword_of(tag))
            else:
                self._act(dataset, tag, vr, action_of(tag, vr))

    def _keeps_block(self, creator: int) -> bool:
        """Whether a private element that is retained needs this creator."""
        return any(tag >> 16 == creator >> 16 and (tag & 0xFFFF) >> 8 == creator & 0xFF for tag in self._retain)

    def _act(self, dataset: Dataset, tag: int, vr: str, action: Action) -> None:
        if action is Action.KEEP:
            return
        if action is Action.ENTER:
            for item in dataset[tag].value or ():
                self._clean(item)
        elif action in (Action.REMOVE, Action.UNKNOWN):
            del dataset[tag]
            self._told("private" if action is Action.UNKNOWN else "removed", tag)
        elif action is Action.EMPTY or (action is Action.REPLACE and vr == "SQ"):
            self._set(dataset, tag, Sequence() if vr == "SQ" else None, "emptied")
        elif action is Action.REPLACE:
            self._set(dataset, tag, _DUMMIES.get(vr), "replaced")
        else:
            self._rewrite(dataset, tag, action)

    def _rewrite(self, dataset: Dataset, tag: int, action: Action) -> None:
        """Change an element whose new value depends on the old one."""
        old = texts_of(dataset[tag].value)
        if action is Action.CLEAN:
            if any(self._identity.is_in(text) for text in old):
                self._set(dataset, tag, None, "named")
            elif old and keyword_of(tag) in CLEANED_DESCRIPTORS:
                self._cleaned_descriptor = True
        elif not old:
            return
        elif action is Action.UID:
            new = [uid if is_standard(uid) else self._names.uid(uid) for uid in old]
            if new != old:
                self._set(dataset, tag, _one_or_many([UID(uid) for uid in new]), "uid")
        elif action is Action.SHIFT:
            self._set(dataset, tag, _one_or_many([shifted(day, self._patient, self._names) for day in old]), "shifted")
        else:
            own = old[0] if keyword_of(tag) == "PatientID" else self._patient
            self._set(dataset, tag, self._names.patient(own), "replaced")

    def _set(self, dataset: Dataset, tag: int, value: Any, rule: str) -> None:
        if not isinstance(value, Sequence) and value is None and not texts_of(dataset[tag].value):
            return
        dataset[tag].value = value
        self._told(rule, tag)

    def _told(self, rule: str, tag: int) -> None:
        self._tally.add(rule, keyword_of(tag) if not tag >> 16 & 1 else f"private group {tag >> 16:04X}")

    def _mark(self, dataset: Dataset) -> None:
        """Say in the header what was done; what was kept against the profile takes its claim away."""
        against = sorted(keyword_of(tag) for tag in self._retained if in_profile(tag))
        if _MAY_STAY_NO & set(against):
            dataset.PatientIdentityRemoved = "NO"
            for keyword in ("DeidentificationMethod", "DeidentificationMethodCodeSequence"):
                if keyword in dataset:
                    del dataset[keyword]
            return
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = _one_or_many([_METHOD, *(f"Retained: {each}"[:64] for each in against)])
        codes = ["113107"] if against else ["113100", "113107"]
        if self._cleaned_descriptor:
            codes.insert(-1, "113105")
        dataset.DeidentificationMethodCodeSequence = Sequence([_code(code) for code in codes])
        dataset.LongitudinalTemporalInformationModified = "MODIFIED"


def patient_of(dataset: Dataset) -> str:
    """What a patient is known by, for the offset of dates: the id, else name and birth date, else the study."""
    for keywords in (("PatientID",), ("PatientName", "PatientBirthDate"), ("StudyInstanceUID",), ("SOPInstanceUID",)):
        found = [text for keyword in keywords for text in texts_of(dataset.get(keyword))]
        if found:
            return "\0".join(found)
    return ""


def _one_or_many(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else MultiValue(str, values) if values else None


def _code(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", _CODES[value]
    return item
