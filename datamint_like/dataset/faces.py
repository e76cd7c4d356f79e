"""The faces of a dataset: to people (pictures, a card in notebooks) and to other libraries.

Each method is a door: what it needs lies above this layer and is imported only when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datamint_like.dataset.parts import Parts


class Faces(Parts):
    """The half of a dataset that shows it; see `datamint_like.drawing` and `datamint_like.integrations`."""

    def show(self, index: int = 0, *, max_annotators: int = 4) -> Any:
        """A matplotlib figure of one item as it is, transforms included: the image, and each annotator's marks.

        Args:
            index: Which item.
            max_annotators: How many annotators' masks are drawn; the title says how many more there are.

        Masks are drawn, and boxes with their names where the dataset returns boxes, each in the plane that it is of.
        A volume shows an axial, a coronal and a sagittal plane in true proportions, the middle one or the one
        nearest to it that a mask touches, or better that has a box; a video shows frames. Planes lie as radiologists
        read them (patient's right on the left of the picture, anterior and superior up; sagittal: anterior left), with
        letters at the edges (none after transforms, which may have turned it); images without axes of a patient as they
        are stored. Colour is drawn where the header says that the channels are colour; of others (time points, echoes)
        the first is, in gray, and of a slice with neighbours the slice alone. Lines below say so, and which values are
        black and white.

        Raises:
            MissingExtraError: matplotlib is not installed (extra `notebooks`).

        Example:
            >>> dataset.show(0).savefig("item.png")
        """
        from datamint_like.drawing.show import show

        return show(self, index, max_annotators=max_annotators)

    def montage(self, n: int = 16) -> Any:
        """A matplotlib figure of `n` items, evenly spread, each as one plane with the masks and boxes of all.

        Raises:
            MissingExtraError: matplotlib is not installed (extra `notebooks`).

        Example:
            >>> dataset.montage(9).savefig("items.png")
        """
        from datamint_like.drawing.show import montage

        return montage(self, n)

    def _repr_html_(self) -> str:
        """The card that a notebook shows."""
        from datamint_like.drawing.card import card

        return card(self)

    def to_monai(self, transform: Callable[..., Any] | None = None) -> Any:
        """A `monai.data.Dataset` of dicts with `image` and `label` as `MetaTensor`; items are read when asked for.

        Args:
            transform: What MONAI applies to each dict, as for `monai.data.Dataset`.

        See `datamint_like.integrations.monai` for axes, affines and what `label` holds.

        Raises:
            MissingExtraError: MONAI is not installed (extra `monai`).
            DatamintDatasetException: The dataset has transforms, after which no affine would be true.

        Example:
            >>> from monai.transforms import Rotate90d
            >>> dataset.to_monai(Rotate90d(["image", "label"]))[0]["image"].shape
            torch.Size([1, 512, 512])
        """
        from datamint_like.integrations.monai import to_monai

        return to_monai(self, transform)

    def to_torchio(self, transform: Callable[..., Any] | None = None) -> Any:
        """A `torchio.SubjectsDataset` of subjects with `image` (and `label`), each read when asked for.

        Args:
            transform: What TorchIO applies to each subject.

        See `datamint_like.integrations.torchio` for axes, affines and what `label` holds.

        Raises:
            MissingExtraError: TorchIO is not installed (extra `torchio`).
            DatamintDatasetException: The dataset is empty, or has transforms, after which no affine would be true.

        Example:
            >>> import torchio
            >>> dataset.to_torchio(torchio.ToCanonical())[0]["image"].shape
            (1, 512, 512, 1)
        """
        from datamint_like.integrations.torchio import to_torchio

        return to_torchio(self, transform)

    def build_mlflow_dataset(self) -> Any:
        """An `mlflow.data` dataset for `mlflow.log_input`: source, schema, profile, and a digest of the fingerprint.

        The digest is the first 32 digits of `fingerprint` (MLflow takes 36 at most); the profile holds all of it,
        the counts and the split. The source names the store, never a key.

        Raises:
            MissingExtraError: MLflow is not installed (extra `mlflow`).

        Example:
            >>> dataset.build_mlflow_dataset().name
            'chest'
        """
        from datamint_like.integrations.mlflow import build_mlflow_dataset

        return build_mlflow_dataset(self)
