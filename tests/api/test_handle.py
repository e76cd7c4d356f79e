"""The handle itself: which store it names, what it shows, what it carries."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from datamint_like import Api
from datamint_like.exceptions import ValidationError


def test_the_embedded_store_in_the_home_is_the_default(isolated_home: Path) -> None:
    assert Api().server_url == (isolated_home / "store").as_uri()


def test_the_argument_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_SERVER_URL", (tmp_path / "env").as_uri())
    assert Api().server_url == (tmp_path / "env").as_uri()
    assert Api((tmp_path / "argument").as_uri()).server_url == (tmp_path / "argument").as_uri()


def test_neither_repr_nor_pickle_holds_the_key(tmp_path: Path) -> None:
    api = Api(tmp_path.as_uri(), api_key="secret-key-123")
    assert "secret-key-123" not in repr(api)
    assert "secret-key-123" not in repr(api.projects)
    assert b"secret-key-123" not in pickle.dumps(api)
    with pytest.raises(ValidationError, match="api_key=") as caught:
        Api("http://user:word@host/path")
    assert "user:" not in str(caught.value)


def test_a_pickled_handle_reaches_the_same_store(api: Api) -> None:
    api.projects.create("kept")
    with pickle.loads(pickle.dumps(api)) as copy:
        assert [project.name for project in copy.projects.get_list()] == ["kept"]


def test_a_closed_handle_opens_again_when_it_is_used(api: Api) -> None:
    api.projects.create("kept")
    api.close()
    assert api.projects.get_by_name("kept") is not None


def test_a_url_of_no_store_is_refused_at_once_when_asked() -> None:
    with pytest.raises(ValidationError, match="ftp://somewhere"):
        Api("ftp://somewhere", check_connection=True)
    with pytest.raises(ValidationError, match="no address of a server"):
        Api("https://some where", check_connection=True)


def test_importing_the_handle_loads_no_heavy_library() -> None:
    heavy = ("torch", "cv2", "albumentations", "pydicom", "nibabel", "sqlalchemy", "tqdm")
    code = f"import sys, datamint_like.api; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("url", [5, True, 0, "", " ", b"file:///x", ["a"]])
def test_a_store_is_named_by_a_text_or_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: object) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError, match="names no store"):
        Api(url)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_path_names_a_store_and_can_be_shown(tmp_path: Path) -> None:
    with Api(tmp_path / "store") as api:  # type: ignore[arg-type]
        assert api.backend.url == (tmp_path / "store").as_uri()
        assert repr(api) == f"Api({str(tmp_path / 'store')!r})"
