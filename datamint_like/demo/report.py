"""What the demo says at the end: the table of numbers, as they are, and what to try next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datamint_like.demo.masks import ANNOTATOR_A, ANNOTATOR_B
from datamint_like.demo.training import Score


@dataclass(frozen=True)
class Side:
    """One side of the split: the patients on it, and its number of slices."""

    patients: tuple[str, ...]
    slices: int


@dataclass(frozen=True)
class Training:
    """What training did.

    Attributes:
        history: Mean training loss of each epoch.
        seconds: Wall time of the epochs.
        before, after: Scores on the validation side, untrained and trained.
    """

    history: tuple[float, ...]
    seconds: float
    before: Score
    after: Score


@dataclass(frozen=True)
class DemoResult:
    """What the demo did and measured.

    Attributes:
        home: Folder of the store.
        project: Name of the project.
        reused: Whether the project was there before.
        seed: Seed of the split, the network and the order of batches.
        train, val: The two sides; no patient is on both.
        training: Losses and scores.
        picture: The PNG.
    """

    home: Path
    project: str
    reused: bool
    seed: int
    train: Side
    val: Side
    training: Training
    picture: Path

    def to_dict(self) -> dict[str, Any]:
        """The same, JSON-ready."""
        return {**asdict(self), "home": str(self.home), "picture": str(self.picture), "masks": "synthetic"}


def table(result: DemoResult) -> str:
    """The numbers as aligned text, with the patients of each side and the origin of the masks."""
    training, before, after = result.training, result.training.before, result.training.after
    rows: list[tuple[str, float | None, float | None]] = [
        ("training loss (first, last epoch)", training.history[0], training.history[-1]),
        ("validation loss", before.loss, after.loss),
        *((f"validation Dice, {name.replace('_', ' ')}", before.dice[name], after.dice[name]) for name in before.dice),
    ]
    width = max(len(title) for title, _, _ in rows)
    lines = [f"{'':{width}}  {'before':>8}  {'after':>8}"]
    lines += [f"{title:{width}}  {_number(first):>8}  {_number(last):>8}" for title, first, last in rows]
    rule = "-" * (width + 20)
    title = (
        f"Segmentation of two tissue classes: {len(training.history)} epochs, seed {result.seed}, "
        f"{training.seconds:.0f} s of training"
    )
    return "\n".join(
        [
            title,
            _side("trained on", result.train),
            _side("scored on", result.val),
            rule,
            *lines,
            rule,
            "The masks are SYNTHETIC: made by thresholds, not drawn by people, so these numbers say that the path",
            "from files to batches works and nothing about a clinical task. With two patients, the network's size and",
            "the number of epochs were chosen while looking at both: the second one is unseen by the weights only.",
            f"  annotator A: {ANNOTATOR_A.rule}",
            f"  annotator B: {ANNOTATOR_B.rule}",
        ]
    )


def what_next(result: DemoResult) -> str:
    """Commands and lines of Python that go on from here."""
    home = shlex.quote(str(result.home))
    program = _program()
    return f"""\
Picture: {result.picture}

What to try next
  look at the project      {program} ls {result.project} --home {home}
  the other way round      {program} demo --home {home} --seed 0
  train for longer         {program} demo --home {home} --epochs 100
  your own folder          {program} import FOLDER --project my-project
  and then, in Python      from datamint_like import VolumeDataset
                           slices = VolumeDataset(project="my-project").slice("axial")
                           parts = slices.split(train=0.8, val=0.2, by_patient=True, seed=42)"""


def _program() -> str:
    """How to call the command line from here: its name where it is on the path, else where it is installed."""
    name = "datamint-like"
    if shutil.which(name):
        return name
    return shlex.quote(os.path.relpath(Path(sys.executable).with_name(name)))


def _side(verb: str, side: Side) -> str:
    patients = ", ".join(side.patients)
    return f"  {verb:<10} patient {patients} ({side.slices} slices)"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
