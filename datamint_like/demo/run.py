"""The demo from end to end: files, project, dataset, split, training, table, picture."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from datamint_like import _files
from datamint_like.dataset import DatamintBaseDataset, VolumeDataset
from datamint_like.demo import panels, picture
from datamint_like.demo.project import PROJECT, ensure_project
from datamint_like.demo.report import DemoResult, Side, Training
from datamint_like.demo.training import score, train
from datamint_like.demo.unet import SmallUNet
from datamint_like.drawing.pixels import png_of
from datamint_like.entities import AnnotationWorklist
from datamint_like.exceptions import DatamintWarning, StorageError

PICTURE = "demo.png"
LEARNING_RATE = 3e-3


@dataclass(frozen=True)
class DemoOptions:
    """What the demo may vary.

    Attributes:
        home: Folder of the embedded store; made where it is missing.
        epochs: Passes over the training slices, at least 1.
        seed: Seed of the split, the network's weights and the order of batches.
        batch_size: Slices in a batch.
        workers: Processes that read batches.
        progress: Show a progress bar on standard error.
    """

    home: Path
    epochs: int = 30
    seed: int = 42
    batch_size: int = 4
    workers: int = 2
    progress: bool = True


def run_demo(options: DemoOptions, say: Callable[[str], None]) -> DemoResult:
    """Build (or reuse) the project, train, score on the other patient, draw; `say` hears what is being done."""
    home = options.home.expanduser().absolute()
    store_url = home.as_uri()
    demo = ensure_project(store_url, say)
    parts = _split(_slices(store_url, demo.tissue, say, semantic_seg_merge_strategy="union"), options)
    model = _new_model(options.seed, len(parts["val"].segmentation_labels_set))
    trained = _train_and_score(model, parts, options, say)
    by_author = _split(_slices(store_url, demo.tissue, None), options)["val"]
    pixels = picture.draw(panels.rows(model, parts["val"], by_author), panels.HEADINGS, panels.CAPTION)
    _save(home / PICTURE, png_of(pixels))
    return DemoResult(
        home=home,
        project=PROJECT,
        reused=demo.reused,
        seed=options.seed,
        train=_side(parts["train"]),
        val=_side(parts["val"]),
        training=trained,
        picture=home / PICTURE,
    )


def _slices(
    store_url: str, tissue: AnnotationWorklist, say: Callable[[str], None] | None, **merge: Any
) -> DatamintBaseDataset:
    """The axial slices of the project's CT volumes, with semantic masks: merged, or those of each author."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DatamintWarning)
        volumes = VolumeDataset(
            project=PROJECT,
            server_url=store_url,
            worklists=[tissue],
            return_as_semantic_segmentation=True,
            return_objects=False,
            **merge,
        ).prepare()
    for warning in caught:
        if say:
            say(f"Note: {warning.message}")
    return volumes.slice("axial")


def _split(slices: DatamintBaseDataset, options: DemoOptions) -> dict[str, DatamintBaseDataset]:
    """Half of the patients to train, half to score; no patient, so no volume, is on both sides."""
    parts = slices.split(train=0.5, val=0.5, by_patient=True, seed=options.seed)
    shared = set(_patients(parts["train"])) & set(_patients(parts["val"]))
    if shared:
        raise AssertionError(f"{len(shared)} patients are on both sides of the split")
    return parts


def _patients(part: DatamintBaseDataset) -> tuple[str, ...]:
    return tuple(sorted({resource.patient_id or resource.id for resource in part.resources}))


def _side(part: DatamintBaseDataset) -> Side:
    return Side(patients=_patients(part), slices=len(part))


def _new_model(seed: int, classes: int) -> SmallUNet:
    torch.manual_seed(seed)
    return SmallUNet(classes=classes + 1)


def _train_and_score(
    model: SmallUNet, parts: dict[str, DatamintBaseDataset], options: DemoOptions, say: Callable[[str], None]
) -> Training:
    """Train in place; the scores on the validation side before and after."""
    classes = parts["val"].segmentation_labels_set
    validation = _loader(parts["val"], options, shuffle=False)
    say(f"Training a small U-Net on the CPU for {options.epochs} epochs ...")
    with _one_thread():
        before = score(model, validation, classes)
        start = time.perf_counter()
        history = _train(model, _loader(parts["train"], options, shuffle=True), options)
        seconds = time.perf_counter() - start
        after = score(model, validation, classes)
    return Training(history=tuple(history), seconds=seconds, before=before, after=after)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: sums come in one order on any number of cores, and the workers keep theirs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _loader(part: DatamintBaseDataset, options: DemoOptions, *, shuffle: bool) -> Any:
    return part.get_dataloader(
        batch_size=options.batch_size,
        shuffle=shuffle,
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
        generator=torch.Generator().manual_seed(options.seed),
    )


def _train(model: SmallUNet, loader: Any, options: DemoOptions) -> list[float]:
    with tqdm(total=options.epochs * len(loader), unit="batch", disable=not options.progress) as bar:

        def step(loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()

        return train(model, loader, epochs=options.epochs, learning_rate=LEARNING_RATE, step=step)


def _save(target: Path, data: bytes) -> None:
    try:
        _files.write_bytes(target, data)
    except OSError as error:
        raise StorageError(f"The picture {target.name} could not be written to {target.parent}: {error}.") from error
