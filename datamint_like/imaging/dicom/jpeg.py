"""JPEG frames (baseline, extended 12-bit, lossless) by GDCM, whose crashes on damaged frames stay outside.

pydicom's adapter of GDCM refuses 12-bit JPEG Extended, and runs in this process; a helper process does neither.
It starts with the first frame (about 0.1 s) and serves all later ones of this process.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom._gdcm_process import ANSWER, REQUEST
from datamint_like.imaging.dicom.codestreams import jpeg_precision
from datamint_like.imaging.dicom.header import PixelFormat
from datamint_like.imaging.dicom.syntaxes import name_of
from datamint_like.imaging.types import Array

_PROGRAM = Path(__file__).with_name("_gdcm_process.py")
_PIPE = 1 << 20
_LONGEST_FRAME_S = 60.0
#: Lets glibc keep the buffers of one frame for the next instead of asking the kernel anew; other systems ignore it.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 25), "MALLOC_TRIM_THRESHOLD_": str(1 << 26)}
_DAMAGED = "its pixels ({}) cannot be decoded by gdcm: they are damaged. Copy the file again."


class _Helper:
    """The helper process of this process; a fork starts its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, head: bytes, encoded: bytes) -> bytearray:
        """The pixels of a frame, or nothing where it cannot be decoded."""
        with self._lock:
            process = self._running()
            if process.stdin is None or process.stdout is None:
                return bytearray()
            deadline = time.monotonic() + _LONGEST_FRAME_S
            try:
                _send(process.stdin.fileno(), head + encoded, deadline)
                (length,) = ANSWER.unpack(_received(process.stdout.fileno(), ANSWER.size, deadline))
                pixels = _received(process.stdout.fileno(), length, deadline)
            except (BrokenPipeError, TimeoutError):
                pixels = bytearray()
            except BaseException:  # an interrupt between a request and its answer, which nobody would read
                self._end()
                raise
            if not pixels:
                self._end()
            return pixels

    def close(self) -> None:
        """End the helper process, if this process started one."""
        with self._lock:
            if self._owner == os.getpid():
                self._end()

    def after_fork(self) -> None:
        """Forget the parent's helper: its pipes belong to the parent."""
        if self._process is not None:
            self._process.returncode = 0
        self.__init__()  # type: ignore[misc]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**os.environ, **_KEEP_MEMORY},
            )
            self._owner = os.getpid()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    os.set_blocking(pipe.fileno(), False)
                    _widen(pipe.fileno())
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)


def _widen(descriptor: int) -> None:
    """Let a pipe hold a whole frame where the system can, so that the two processes seldom wait for each other."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # the limit of the user for all pipes together
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)


def _send(pipe: int, data: bytes, deadline: float) -> None:
    """Write all of it to a pipe that does not block.

    Raises:
        BrokenPipeError: Nobody reads it any more.
        TimeoutError: It is not taken before the deadline (`time.monotonic`).
    """
    left = memoryview(data)
    while left:
        _wait(pipe, select.POLLOUT, deadline)
        left = left[os.write(pipe, left) :]


def _received(pipe: int, length: int, deadline: float) -> bytearray:
    """This many bytes out of a pipe that does not block.

    Raises:
        BrokenPipeError: It ends before.
        TimeoutError: They do not come before the deadline (`time.monotonic`).
    """
    data = bytearray(length)
    left = memoryview(data)
    while left:
        _wait(pipe, select.POLLIN, deadline)
        count = os.readv(pipe, [left])
        if not count:
            raise BrokenPipeError
        left = left[count:]
    return data


def _wait(pipe: int, event: int, deadline: float) -> None:
    """Until a pipe takes or gives bytes, or has lost its other end."""
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _close(pipe: object) -> None:
    try:
        pipe.close()  # type: ignore[attr-defined]
    except BrokenPipeError:
        return  # what was left in its buffer has no reader any more


_HELPER = _Helper()
atexit.register(_HELPER.close)
os.register_at_fork(after_in_child=_HELPER.after_fork)


def jpeg_frame(encoded: bytes, pixels: PixelFormat) -> Array:
    """The frame as (J, I) or (J, I, 3), components as they were encoded.

    Raises:
        DecodeError: It is damaged.
    """
    allocated, stored = pixels.bits_allocated, pixels.bits_stored
    if allocated > 8 and (jpeg_precision(encoded) or allocated) <= 8:
        allocated = stored = 8  # the header describes what was there before it was compressed
    head = REQUEST.pack(
        pixels.columns,
        pixels.rows,
        pixels.samples,
        allocated,
        stored,
        int(pixels.signed),
        pixels.photometric.encode()[:16],
        str(pixels.syntax).encode(),
        len(encoded),
    )
    data = _HELPER.ask(head, encoded)
    width = allocated // 8
    shape = (pixels.rows, pixels.columns) if pixels.samples == 1 else (pixels.rows, pixels.columns, pixels.samples)
    if width not in (1, 2) or len(data) != int(np.prod(shape)) * width:
        raise DecodeError(_DAMAGED.format(name_of(pixels.syntax)))
    return np.frombuffer(data, f"<{'i' if pixels.signed else 'u'}{width}").reshape(shape)
