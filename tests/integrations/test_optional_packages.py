"""What needs another library says which, and nothing of it is imported before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from datamint_like import VolumeDataset, integrations
from datamint_like.exceptions import MissingExtraError
from tests.dataset.conftest import Shelf

FOREIGN = ("monai", "torchio", "mlflow", "lightning", "matplotlib")


def test_importing_the_faces_of_a_dataset_imports_no_other_library() -> None:
    code = (
        "import sys; import datamint_like.dataset, datamint_like.integrations.monai,"
        "datamint_like.integrations.torchio, datamint_like.integrations.mlflow, datamint_like.drawing.show,"
        "datamint_like.drawing.card;"
        f"print([name for name in {FOREIGN} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("package", "extra", "call"),
    [
        ("monai.data", "monai", lambda dataset: dataset.to_monai()),
        ("monai.data", "monai", lambda dataset: integrations.from_monai(len)),
        ("torchio", "torchio", lambda dataset: dataset.to_torchio()),
        ("torchio", "torchio", lambda dataset: integrations.from_torchio(len)),
        ("mlflow.data", "mlflow", lambda dataset: dataset.build_mlflow_dataset()),
        ("matplotlib", "notebooks", lambda dataset: dataset.montage()),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, package: str, extra: str, call: Callable[[Any], Any]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    dataset = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    with pytest.raises(MissingExtraError, match=rf'pip install "datamint-like\[{extra}\]"'):
        call(dataset)


def test_lightning_is_named_when_its_module_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.delitem(sys.modules, "datamint_like.integrations.lightning", raising=False)
    with pytest.raises(MissingExtraError, match=r"datamint-like\[lightning\]"):
        __import__("datamint_like.integrations.lightning")


def test_the_card_needs_no_extra(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "<img" in VolumeDataset(resources=[shelf.philips], server_url=shelf.url).prepare()._repr_html_()


def test_there_is_nothing_else_in_the_package() -> None:
    assert integrations.__all__ == ["DatamintDataModule", "from_monai", "from_torchio", "to_monai", "to_torchio"]
    assert all(callable(getattr(integrations, name)) for name in integrations.__all__)
    with pytest.raises(AttributeError, match="from_keras"):
        _ = integrations.from_keras


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_metainfo_of_a_slice_is_told_without_decoding(shelf: Shelf, axis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slices = VolumeDataset(resources=[shelf.philips], server_url=shelf.url).slice(axis)
    expected = slices[5]["metainfo"]
    monkeypatch.setattr(type(slices), "_get_raw_item", None)
    found = slices.get_metainfo(5)
    assert (found["affine"] == expected["affine"]).all()
    assert {k: v for k, v in found.items() if k != "affine"} == {k: v for k, v in expected.items() if k != "affine"}
