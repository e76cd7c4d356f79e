"""Settings: which store a call reaches, and that keys stay hidden."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from datamint_like.config import load_settings
from datamint_like.exceptions import ValidationError


def write_config(text: str) -> None:
    folder = Path(platformdirs.user_config_dir("datamint-like", appauthor=False))
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(text)


def test_without_settings_the_store_is_the_embedded_one(tmp_path: Path) -> None:
    settings = load_settings({"DATAMINT_LIKE_HOME": str(tmp_path / "my store")})
    assert settings.store_url == (tmp_path / "my store").as_uri()


def test_our_variable_counts_before_the_published_one_and_both_before_the_file() -> None:
    write_config('{"server_url": "file:///from/file", "api_key": "k1"}')
    assert load_settings({}).store_url == "file:///from/file"
    assert load_settings({}).api_key == "k1"
    env = {"DATAMINT_API_URL": "file:///theirs", "DATAMINT_API_KEY": "k2"}
    assert load_settings(env).store_url == "file:///theirs"
    env |= {"DATAMINT_LIKE_SERVER_URL": "file:///ours", "DATAMINT_LIKE_API_KEY": "k3"}
    assert load_settings(env).store_url == "file:///ours"
    assert load_settings(env).api_key == "k3"


def test_a_key_is_not_in_the_repr() -> None:
    assert "sesame" not in repr(load_settings({"DATAMINT_LIKE_API_KEY": "sesame"}))


def test_a_broken_config_file_is_named_with_what_is_wrong() -> None:
    write_config("{not json")
    with pytest.raises(ValidationError, match=r"config\.json is not a JSON object"):
        load_settings({})


def test_a_limit_that_is_no_number_names_its_variable() -> None:
    with pytest.raises(ValidationError, match="DATAMINT_LIKE_MAX_VOXELS"):
        load_settings({"DATAMINT_LIKE_MAX_VOXELS": "many"})
