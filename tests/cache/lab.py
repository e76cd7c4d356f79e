"""A project of small volumes on a real server in a process of its own, and what its slices hold."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from datamint_like.api import Api
from datamint_like.backends.remote.keys import given
from datamint_like.dataset import VolumeDataset
from tests.serving import ADMIN_KEY, served_by_process

VOLUMES, SHAPE = 6, (40, 30, 8)  # (i, j, k)


@dataclass
class Lab:
    """A server with a project.

    Attributes:
        url: Where.
        volumes: The values (k, j, i) of each volume, in the order of the project.
    """

    url: str
    volumes: list[np.ndarray]

    def dataset(self, cache: Path, **options: object) -> VolumeDataset:
        """The project with a cache of its own."""
        chosen = {"server_url": self.url, "cache_dir": cache, "memory_cache": 0, "orientation": "native", **options}
        return VolumeDataset(project="lab", **chosen)  # type: ignore[arg-type]

    def is_right(self, n: int, image: object) -> bool:
        """Whether slice n of all is what the server has."""
        volume, plane = divmod(n, SHAPE[2])
        return bool(np.array_equal(np.asarray(image)[0], self.volumes[volume][plane]))


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """A server with a project of volumes of noise, which pack to about their size."""
    (folder / "files").mkdir()
    volumes = []
    for n in range(VOLUMES):
        values = np.random.default_rng(n).integers(-1000, 2000, SHAPE).astype(np.int16)
        nib.save(nib.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0])), folder / "files" / f"{n}.nii.gz")
        volumes.append(values.transpose(2, 1, 0))
    with Api(server_url=(folder / "store").as_uri()) as api:
        api.resources.upload_resources(str(folder / "files"), publish_to=api.projects.create("lab"), progress_bar=False)
    with served_by_process(folder / "store") as (url, _):
        given(url, ADMIN_KEY)
        yield Lab(url, volumes)


def forked(work: Callable[[], bool]) -> int:
    """The process id of a forked child that ends with 0 where the work is done and true, or within two minutes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        child = os.fork()
    if child == 0:
        signal.alarm(120)
        code = 2
        try:
            code = 0 if work() else 1
        except BaseException:
            traceback.print_exc()
            raise
        finally:  # whatever it is: a child must not go on as the test
            os._exit(code)
    return child


def ended(child: int) -> int:
    """The exit code of a child; negative for the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
