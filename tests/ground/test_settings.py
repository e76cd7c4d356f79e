"""Settings: which store a call reaches, and that keys stay hidden."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from datamint_like._cache import CacheFolder
from datamint_like.config import load_settings
from datamint_like.exceptions import ValidationError


def config_file() -> Path:
    folder = Path(platformdirs.user_config_dir("datamint-like", appauthor=False))
    folder.mkdir(parents=True)
    return folder / "config.json"


def write_config(text: str) -> None:
    config_file().write_text(text)


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


BROKEN: dict[str, tuple[bytes, str]] = {
    "no JSON": (
        b'{"api_key": "sesame"',
        r"is not a JSON object of the texts server_url, api_key, ca_file, "
        r"cache_limit and cache_mode",
    ),
    "a list": (b'["sesame"]', r"Expected `object`, got `array`"),
    "nothing": (b"", r"is not a JSON object"),
    "a store that is a number": (b'{"server_url": 5, "api_key": "sesame"}', r"got `int` - at `\$\.server_url`"),
    "a key that is a number": (b'{"api_key": 12345}', r"got `int` - at `\$\.api_key`"),
    "no UTF-8": (b'{"api_key": "sesame\xff"}', r"is not a JSON object"),
    "UTF-16": ('{"api_key": "sesame"}'.encode("utf-16"), r"is not a JSON object"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_config_file_that_cannot_be_used_is_named_and_its_key_is_not(case: str) -> None:
    content, message = BROKEN[case]
    config_file().write_bytes(content)
    with pytest.raises(ValidationError, match=message) as error:
        load_settings({})
    text = str(error.value)
    assert "config.json" in text
    assert "Mend it, or remove it" in text
    assert "sesame" not in text
    assert "12345" not in text


def test_a_config_file_that_is_a_folder_cannot_be_read() -> None:
    config_file().mkdir()
    with pytest.raises(ValidationError, match=r"config\.json cannot be read: Is a directory\. Mend it"):
        load_settings({})


def test_a_config_file_that_is_closed_to_us_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))  # root, who may run this, is refused nothing

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(ValidationError, match=r"config\.json cannot be read: Permission denied\. Mend it"):
        load_settings({})


def test_keys_of_the_config_file_that_we_do_not_know_play_no_role() -> None:
    write_config('{"theme": 3, "server_url": null, "api_key": "k"}')
    assert load_settings({}).api_key == "k"


def test_a_folder_of_a_user_who_is_not_there_names_its_variable() -> None:
    for name in ("DATAMINT_LIKE_HOME", "DATAMINT_LIKE_CACHE"):
        with pytest.raises(ValidationError, match=name):
            load_settings({name: "~nosuchuser/x"})


@pytest.mark.parametrize("blank", ["", " ", "\t"])
def test_a_variable_that_is_empty_or_blank_is_none(blank: str) -> None:
    names = ("HOME", "CACHE", "SERVER_URL", "API_KEY", "CA_FILE", "CACHE_LIMIT", "CACHE_MODE", "MAX_VOXELS", "OFFLINE")
    assert load_settings({f"DATAMINT_LIKE_{name}": blank for name in names}) == load_settings({})


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5"])
def test_a_limit_that_is_no_number_from_1_names_its_variable(text: str) -> None:
    with pytest.raises(ValidationError, match="DATAMINT_LIKE_MAX_VOXELS"):
        load_settings({"DATAMINT_LIKE_MAX_VOXELS": text})


def test_the_caches_limit_and_mode_come_from_the_variables_then_the_file() -> None:
    assert (load_settings({}).cache_limit, load_settings({}).cache_mode) == (None, 0o700)
    write_config('{"cache_limit": 5000, "cache_mode": "770"}')
    assert (load_settings({}).cache_limit, load_settings({}).cache_mode) == (5000, 0o770)
    found = load_settings({"DATAMINT_LIKE_CACHE_LIMIT": "200GB", "DATAMINT_LIKE_CACHE_MODE": "0o750"})
    assert (found.cache_limit, found.cache_mode) == (200 * 10**9, 0o750)
    assert found.cache() == CacheFolder(found.cache_dir, 200 * 10**9, 0o750)
    assert found.cache(Path("/elsewhere")) == CacheFolder(Path("/elsewhere"), 200 * 10**9, 0o750)
    assert found.cache(CacheFolder(Path("/given"))) == CacheFolder(Path("/given"))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("DATAMINT_LIKE_CACHE_LIMIT", "a lot", r"DATAMINT_LIKE_CACHE_LIMIT.*'256MB'.*'a lot'"),
        ("DATAMINT_LIKE_CACHE_MODE", "rwx", r"DATAMINT_LIKE_CACHE_MODE.*750, not 'rwx'"),
        ("DATAMINT_LIKE_CACHE_MODE", "550", r"DATAMINT_LIKE_CACHE_MODE.*750, not '550'"),
        ("DATAMINT_LIKE_CACHE_MODE", "-1", r"DATAMINT_LIKE_CACHE_MODE.*750, not '-1'"),
        ("DATAMINT_LIKE_CACHE_MODE", "2750", r"DATAMINT_LIKE_CACHE_MODE.*750, not '2750'"),
    ],
)
def test_a_limit_or_mode_that_is_none_is_named(variable: str, value: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        load_settings({variable: value})
