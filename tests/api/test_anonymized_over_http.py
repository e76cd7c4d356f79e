"""Files are anonymized before they leave for a server: neither wire nor store has the identity."""

from __future__ import annotations

from pathlib import Path

from datamint_like import Api
from tests.imaging.identified_files import DIRECT, ELSEWHERE, write_identified
from tests.serving import ADMIN_KEY, served


def test_a_server_gets_files_without_identity_that_stay_of_one_patient(tmp_path: Path) -> None:
    first = write_identified(tmp_path / "Quixote_1.dcm")
    second = write_identified(tmp_path / "Quixote_2.dcm", SOPInstanceUID="1.2.3.5", SeriesInstanceUID="1.2.3.6")
    with served(tmp_path / "store") as server, Api(server.url, ADMIN_KEY) as api:
        made = [
            api.resources.get_by_id(api.resources.upload_resource(path, anonymize=True)) for path in (first, second)
        ]
        everything = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert len({resource.patient_id for resource in made}) == 1
    for value in (*DIRECT.values(), *ELSEWHERE.values(), "Quixote"):
        assert value.encode() not in everything
    assert not (tmp_path / "store" / "deidentify.key").exists()
