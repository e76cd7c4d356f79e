"""Who the patient is and where the user keeps files shows in no metadata, repr or file name."""

from __future__ import annotations

import shutil
import sqlite3
import traceback
from pathlib import Path

import pydicom
import pytest

from datamint_like.backends.base import NewResource
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.exceptions import StorageError
from datamint_like.testing.samples import CT_FILES

NAME, BIRTH = "Mustermann^Erika", "19700102"


@pytest.fixture
def named_file(tmp_path: Path) -> Path:
    """A real CT slice whose header names a patient, in a folder that tells something."""
    folder = tmp_path / "ward 7 erika"
    folder.mkdir()
    dataset = pydicom.dcmread(CT_FILES[0])
    dataset.PatientName, dataset.PatientBirthDate, dataset.PatientID = NAME, BIRTH, "MRN-4711"
    dataset.save_as(folder / "IM0000.dcm")
    return folder / "IM0000.dcm"


def test_the_patients_name_and_birth_date_are_kept_out_of_the_row(store: LocalBackend, named_file: Path) -> None:
    resource = store.create_resource(NewResource((named_file,), named_file.name))
    assert resource.patient_id == "MRN-4711"
    for text in (str(resource.to_dict()), repr(resource)):
        for secret in (NAME, "Mustermann", BIRTH, "ward 7"):
            assert secret not in text
    assert "MRN-4711" not in repr(resource) + str(resource.metadata)


def test_the_database_of_a_copied_file_holds_no_folder_and_no_name(
    store: LocalBackend, named_file: Path, tmp_path: Path
) -> None:
    store.create_resource(NewResource((named_file,), str(named_file)))
    store.close()
    copy = sqlite3.connect(shutil.copy(tmp_path / "store" / "store.sqlite", tmp_path / "copy.sqlite"))
    dump = "\n".join(copy.iterdump())
    copy.close()
    assert "IM0000.dcm" in dump
    for secret in (NAME, "Mustermann", BIRTH, "ward 7", str(tmp_path)):
        assert secret not in dump


def test_a_failing_statement_tells_nothing_of_what_it_would_have_stored(
    store: LocalBackend, named_file: Path, tmp_path: Path
) -> None:
    refuse_rows(tmp_path / "store" / "store.sqlite", "resources")
    given = {"referrer": "Dr. Geheim"}
    with pytest.raises(StorageError, match="refused by a trigger") as caught:
        store.create_resource(NewResource((named_file,), "IM0000.dcm", metadata=given))
    whole = "".join(traceback.format_exception(caught.value))
    assert "IntegrityError" in whole
    for secret in ("MRN-4711", "Geheim", "Mustermann"):
        assert secret not in whole


def refuse_rows(database: Path, table: str) -> None:
    """Let the database itself refuse every new row of a table."""
    connection = sqlite3.connect(database)
    connection.execute(
        f"CREATE TRIGGER no_rows BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END"
    )
    connection.close()


def test_the_owner_of_a_store_is_a_login_and_nothing_more(store: LocalBackend) -> None:
    owner = store.current_user()
    assert owner.email.endswith("@localhost")
    assert (owner.firstname, owner.lastname) == (None, None)
