"""Where a key comes from, and that it is shown to nobody but its own server."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest

from datamint_like import Api, VolumeDataset
from datamint_like.backends import open_backend, open_blobs
from datamint_like.backends.remote import keys
from datamint_like.backends.remote.backend import HttpBackend
from datamint_like.backends.remote.transport import Call, Transport
from datamint_like.exceptions import AuthenticationError, DatamintException, DatamintWarning, ValidationError
from datamint_like.testing.fault_server import FaultServer, Status
from tests.remote.file_server import KEY, FileServer

URL = "https://lab.example"


def config(content: dict[str, str], mode: int = 0o600) -> Path:
    """The config file of this test's user."""
    path = Path.home() / ".config" / "datamint-like" / "config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    path.chmod(mode)
    return path


def test_the_key_is_the_argument_then_the_environment_then_the_config_file(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    config({"api_key": "from-the-file"})
    found.append(keys.key_of(URL))
    monkeypatch.setenv("DATAMINT_API_KEY", "from-their-variable")
    found.append(keys.key_of(URL))
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", "from-our-variable")
    found.append(keys.key_of(URL))
    found.append(Transport(URL, "from-the-argument").key)
    assert [each.text for each in found] == [
        "from-the-file",
        "from-their-variable",
        "from-our-variable",
        "from-the-argument",
    ]
    assert [each.source for each in found] == [
        "the config file",
        "the environment variable DATAMINT_API_KEY",
        "the environment variable DATAMINT_LIKE_API_KEY",
        "the argument api_key",
    ]


def test_without_a_key_the_error_says_how_to_give_one() -> None:
    with pytest.raises(AuthenticationError, match=r"api_key=.*DATAMINT_LIKE_API_KEY.*prefetch"):
        open_backend(URL)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_config_file_with_a_key_that_others_can_read_is_warned_of(mode: int) -> None:
    path = config({"api_key": KEY}, mode)
    with pytest.warns(DatamintWarning, match=f"chmod 600 {path}") as caught:
        keys.key_of(URL)
    assert KEY not in str(caught[0].message)
    config({"server_url": URL}, mode)
    with pytest.raises(AuthenticationError):  # and no warning
        keys.key_of(URL)


def test_the_key_of_the_config_file_belongs_to_the_address_beside_it() -> None:
    config({"api_key": KEY, "server_url": f"{URL}/api"})
    assert keys.key_of(f"{URL}/api").text == KEY
    with pytest.raises(AuthenticationError):
        keys.key_of("https://elsewhere.example")


@pytest.mark.parametrize("key", ["", "  ", "two\nlines", "schlüssel", "a\0b"])
def test_a_key_that_no_header_carries_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ValidationError, match="the argument api_key") as caught:
        HttpBackend(URL, key)
    assert not key.strip() or key.strip() not in str(caught.value)


@pytest.mark.parametrize("url", [f"https://ana:{KEY}@lab.example", f"https://{KEY}@lab.example/api"])
def test_an_address_with_a_user_in_it_is_refused_and_not_shown(url: str) -> None:
    for use in (open_backend, open_blobs, Api, lambda each: VolumeDataset("p", server_url=each)):
        with pytest.raises(ValidationError, match="api_key=") as caught:
            use(url)
        assert KEY not in "".join(traceback.format_exception(caught.value))


def test_nothing_that_pickles_or_prints_holds_the_key(server: FileServer) -> None:
    backend = HttpBackend(server.url, KEY)
    api = Api(server_url=server.url, api_key=KEY)
    dataset = VolumeDataset("p", server_url=server.url, api_key=KEY)
    for each in (backend, backend.blobs(), api, backend._transport, backend._transport.key):
        assert KEY not in repr(each)
    for each in (backend, backend.blobs(), api, backend._transport):
        assert KEY.encode() not in pickle.dumps(each)
        assert len(pickle.dumps(each)) < 500
    assert KEY not in repr(dataset)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(backend._transport.key)
    with pytest.raises(TypeError, match="never pickled"):
        copy.deepcopy(backend._transport.key)


def test_a_pickled_backend_takes_the_key_that_its_process_knows(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.values["/users/me"] = {"email": "a@b", "created_at": "", "customer_id": ""}
    pickled = pickle.dumps(HttpBackend(server.url, KEY))
    assert pickle.loads(pickled).current_user().email == "a@b"
    keys._GIVEN.clear()
    with pytest.raises(AuthenticationError, match="DATAMINT_LIKE_API_KEY"):
        pickle.loads(pickled).current_user()
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", KEY)
    assert pickle.loads(pickled).current_user().email == "a@b"


def test_a_wrong_key_is_told_by_its_source_and_never_shown(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "wrong-key-abcdefghij"
    monkeypatch.setenv("DATAMINT_API_KEY", wrong)
    with pytest.raises(AuthenticationError, match=r"DATAMINT_API_KEY.*unknown") as caught:
        open_backend(server.url)
    assert wrong not in "".join(traceback.format_exception(caught.value))


def test_a_proxy_that_quotes_the_request_does_not_get_the_key_into_a_message(proxy: FaultServer) -> None:
    proxy.plan("/now", Status(400, body=json.dumps({"message": f"Bad header: Bearer {KEY}"}).encode()))
    with pytest.raises(DatamintException, match="Bad header") as caught:
        Transport(proxy.url, KEY).ask(Call("GET", "/now"))
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_no_log_holds_the_key(server: FileServer, caplog: pytest.LogCaptureFixture) -> None:
    server.values["/now"] = {"now": "2026-01-01T00:00:00.000000Z"}
    with caplog.at_level(logging.DEBUG):
        HttpBackend(server.url, KEY).now()
    assert caplog.records
    assert KEY not in caplog.text


def test_a_forked_child_knows_the_key_and_opens_connections_of_its_own(server: FileServer) -> None:
    server.values["/now"] = {"now": "then"}
    backend = HttpBackend(server.url, KEY)
    assert backend.now() == "then"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, pickle.loads(pickle.dumps(backend)).now().encode() + backend.now().encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        assert answer.read() == b"thenthen"
    os.waitpid(child, 0)
    assert backend.now() == "then"
