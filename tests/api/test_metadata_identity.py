"""Metadata of an upload never tells who the patient is; a pseudonym groups resources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datamint_like import Api
from datamint_like.exceptions import ValidationError

WHO = "Mustermann^Erika"
TELLING: list[dict[str, Any]] = [
    {"PatientName": WHO},
    {"patientname": WHO},
    {"patient_name": WHO},
    {"Patient's Birth Date".replace("'s", ""): WHO},
    {"PatientBirthDate": WHO},
    {"OtherPatientIDs": [WHO]},
    {"PatientAddress": WHO},
    {"(0010,0010)": WHO},
    {"00100010": {"vr": "PN", "Value": [WHO]}},
    {"patientID": WHO},
    {"study": {"AccessionNumber": WHO}},
    {"series": [{"PatientID": WHO}]},
]


@pytest.mark.parametrize("metadata", TELLING, ids=lambda each: next(iter(each)))
@pytest.mark.parametrize("form", ["dict", "text", "file"])
def test_metadata_that_names_the_patient_is_refused_without_repeating_it(
    api: Api, demo_images: Path, tmp_path: Path, metadata: dict[str, Any], form: str
) -> None:
    text = json.dumps(metadata)
    (tmp_path / "facts.json").write_text(text)
    given = {"dict": metadata, "text": text, "file": str(tmp_path / "facts.json")}[form]
    picture = demo_images / "xray" / "cr_16bit.png"
    for upload in (api.resources.upload_resources, api.resources.upload_resource):
        with pytest.raises(ValidationError, match=r"tells who the patient is.*patient_id or PatientID") as caught:
            upload(picture, metadata=given)  # type: ignore[operator]
        assert WHO not in str(caught.value)
    assert api.resources.get_list(deleted="include") == []


@pytest.mark.parametrize("key", ["patient_id", "PatientID"])
def test_a_pseudonym_groups_and_is_not_metadata(api: Api, demo_images: Path, key: str) -> None:
    given = {key: "case-7", "PatientAge": "031Y", "PatientSex": "F"}
    made = api.resources.upload_resource(demo_images / "xray" / "cr_16bit.png", metadata=given)
    resource = api.resources.get_by_id(made)
    assert resource.patient_id == "case-7"
    assert resource.metadata["PatientAge"] == "031Y"
    assert "case-7" not in str(resource.metadata)


def test_metadata_that_holds_itself_is_refused(api: Api, demo_images: Path) -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    with pytest.raises(ValidationError, match="JSON"):
        api.resources.upload_resource(demo_images / "xray" / "cr_16bit.png", metadata=loop)
