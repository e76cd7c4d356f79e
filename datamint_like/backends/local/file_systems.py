"""The file systems of fsspec behind buckets: which package speaks to one, and what their failures mean."""

from __future__ import annotations

import errno
import os
import re
from datetime import timedelta
from typing import Any

from datamint_like._optional import need
from datamint_like.exceptions import StorageError, ValidationError

_OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
_RETRY = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
_CLIENT = {"allow_http": True, "connect_timeout": "10s", "timeout": "300s"}  # http only where an endpoint says so
_FULL = re.compile(r"StorageFull|QuotaExceeded|InsufficientStorage|InsufficientCapacity|\b507\b")
_DENIED = re.compile(r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|Expired|\b40[13]\b|Forbidden|Unauth")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_threads_of: int | None = None  # the process in which the threads of obstore run; a forked child has none of them


def opened(url: str) -> tuple[Any, str]:
    """The file system of a URL, for this process, and the path in it.

    Raises:
        ValidationError: No package knows such a URL.
        StorageError: This process was forked from one that uses a bucket.
        MissingExtraError: The package for it is not installed.
    """
    scheme, _, rest = url.strip().partition("://")
    fsspec = need("fsspec", extra="s3")
    if scheme.lower() in _OBJECT_STORES:
        store = need("obstore.fsspec", extra="s3").FsspecStore
        _need_threads()
        made = store(scheme.lower(), client_options=_CLIENT, retry_config=_RETRY, skip_instance_cache=True)
        return made, rest.strip("/")
    try:
        made, path = fsspec.core.url_to_fs(url.strip(), use_listings_cache=False, skip_instance_cache=True)
    except (ImportError, ValueError) as error:
        raise ValidationError(f"{url!r:.200} names no place for bytes that fsspec can reach here: {error}.") from error
    return made, str(path).rstrip("/")


def failure(error: BaseException, place: str, needed: int = 0) -> StorageError:
    """What went wrong in a bucket, without what the server said: it may quote a key.

    A bucket without room has an `OSError` of a full disk as its cause.
    """
    told = str(error)
    code = _CODE.search(told)
    reason = code.group(1) if code else type(error).__name__
    if _FULL.search(told):
        full = StorageError(
            f"No room for {needed} bytes in {place} ({reason}). Free some space there and upload again; "
            "nothing of this upload was stored."
        )
        full.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return full
    if isinstance(error, PermissionError) or _DENIED.search(told):
        advice = "Check the keys in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and the bucket's policy."
        return StorageError(f"Access to {place} was refused ({reason}). {advice}")
    if reason == "NoSuchBucket":
        return StorageError(f"There is no {place}. Make the bucket first, or name another.")
    return StorageError(f"Cannot use {place}: {reason}. Check that it can be reached, and try again.")


def _need_threads() -> None:
    global _threads_of
    if _threads_of not in (None, os.getpid()):
        raise StorageError(
            "A bucket cannot be used in a process that was forked from one that uses a bucket. "
            "Start the process anew instead (start method 'spawn' or 'forkserver')."
        )
    _threads_of = os.getpid()
