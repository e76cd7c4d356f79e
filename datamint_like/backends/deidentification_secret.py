"""The secret under which identities of a store are replaced: one a store, told to nobody."""

from __future__ import annotations

import hashlib
import secrets

from datamint_like._files import kept_secret
from datamint_like.backends._urls import store_folder, without_user_info
from datamint_like.config import config_folder
from datamint_like.exceptions import StorageError

SECRET_LENGTH = 32


def secret_of(url: str) -> bytes:
    """The secret of the store at this URL, made once.

    It lies in the store's folder; that of a server or a database in the user's config folder.

    Raises:
        StorageError: It cannot be read or kept.
    """
    if "://" in url and not url.startswith("file:"):  # a server, or a database
        digest = hashlib.sha256(without_user_info(url).encode()).hexdigest()
        path = config_folder() / "deidentify" / f"{digest[:16]}.key"
    else:
        path = store_folder(url) / "deidentify.key"
    try:
        return kept_secret(path, lambda: secrets.token_bytes(SECRET_LENGTH))
    except OSError as error:
        raise StorageError(
            f"The secret of de-identification, {path.name}, cannot be kept: {error.strerror}. Check its folder."
        ) from error
