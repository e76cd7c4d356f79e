from __future__ import annotations

import io
from pathlib import Path

import httpx
import pydicom
import pytest

from tests.serving import Served

SECRET = "Baskerville^Hugo"


@pytest.fixture
def named_slice(demo_images: Path, tmp_path: Path) -> Path:
    """A real slice with a patient's name in it and in its file name."""
    dataset = pydicom.dcmread(min((demo_images / "ct_philips").glob("*")))
    dataset.PatientName, dataset.PatientID, dataset.StudyDate = SECRET, "HB-1889", "20200131"
    path = tmp_path / "Baskerville.dcm"
    dataset.save_as(path)
    return path


def upload(client: httpx.Client, path: Path, **fields: str) -> httpx.Response:
    with path.open("rb") as file:
        return client.post("/resources", data=fields, files={"resource": (path.name, file, "application/dicom")})


def test_what_the_server_anonymizes_holds_nothing_of_the_patient(
    server: Served, admin: httpx.Client, named_slice: Path
) -> None:
    answer = upload(admin, named_slice, anonymize="true")
    assert answer.status_code == 201, answer.text
    assert answer.json()["anonymized"]["files"] == 1
    resource = admin.get(f"/resources/{answer.json()['id']}").json()
    stored = admin.get(f"/resources/{resource['id']}/file").content
    for secret in (b"Baskerville", b"HB-1889", b"20200131"):
        assert secret not in stored
    assert "Baskerville" not in str(resource)
    before, after = pydicom.dcmread(named_slice), pydicom.dcmread(io.BytesIO(stored))
    assert after.PixelData == before.PixelData
    assert after.PatientIdentityRemoved == "YES"


def test_two_uploads_of_one_patient_keep_one_pseudonym(admin: httpx.Client, named_slice: Path) -> None:
    made = [upload(admin, named_slice, anonymize="true").json()["id"] for _ in range(2)]
    patients = {admin.get(f"/resources/{each}").json()["patient_id"] for each in made}
    assert len(patients) == 1
    assert patients != {"HB-1889"}


def test_pixels_that_may_tell_the_patient_are_refused_unless_allowed(
    server: Served, admin: httpx.Client, named_slice: Path
) -> None:
    dataset = pydicom.dcmread(named_slice)
    dataset.BurnedInAnnotation = "YES"
    dataset.save_as(named_slice)
    refused = upload(admin, named_slice, anonymize="true")
    assert refused.status_code == 422
    assert SECRET not in refused.text
    assert server.store.verify() == []
    assert upload(admin, named_slice, anonymize="true", allow_burned_in="true").status_code == 201


def test_without_the_field_the_file_stays_as_it_is(admin: httpx.Client, named_slice: Path) -> None:
    made = upload(admin, named_slice).json()["id"]
    assert admin.get(f"/resources/{made}/file").content == named_slice.read_bytes()
