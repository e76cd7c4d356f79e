"""Warnings of the libraries below are silent while a file is read, and only then."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from contextlib import ExitStack

import pytest

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def is_silent() -> bool:
    try:
        warnings.warn("an error by the filters of these tests", UserWarning, stacklevel=1)
    except UserWarning:
        return False
    return True


def in_a_child(check) -> bool:
    """Whether `check` is true in a forked process, which hangs at most 20 seconds."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(20)
            os._exit(0 if check() else 1)
        finally:
            os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def goes_on_as_usual() -> bool:
    before = is_silent()
    with reading("a"):
        during = is_silent()
    return not before and during and not is_silent()


def test_warnings_are_silent_while_a_file_is_read():
    assert goes_on_as_usual()
    with pytest.raises(DecodeError), reading("a"):
        raise ValueError("bad")
    assert goes_on_as_usual()


def test_a_child_forked_while_another_thread_reads_hears_warnings():
    inside, done = threading.Event(), threading.Event()

    def read_long():
        with reading("a"):
            inside.set()
            done.wait()

    thread = threading.Thread(target=read_long)
    thread.start()
    try:
        inside.wait()
        assert in_a_child(goes_on_as_usual)
    finally:
        done.set()
        thread.join()
    assert goes_on_as_usual()


def test_a_child_forked_inside_a_block_leaves_it_as_usual():
    with ExitStack() as blocks:
        blocks.enter_context(reading("a"))
        blocks.enter_context(reading("b"))

        def leaves() -> bool:
            during = is_silent()
            blocks.close()
            return during and goes_on_as_usual()

        assert in_a_child(leaves)
        assert is_silent()
    assert goes_on_as_usual()


def test_children_forked_at_any_moment_never_hang():
    stop = threading.Event()

    def read_often():
        while not stop.is_set():
            with reading("a"):
                pass

    threads = [threading.Thread(target=read_often) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert all(in_a_child(goes_on_as_usual) for _ in range(20))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
