"""What MLflow keeps of a dataset, read back out of a real tracking store."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from datamint_like import VolumeDataset
from datamint_like.backends.base import NewProject
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.integrations.mlflow import without_secrets
from tests.dataset.conftest import ANA, Shelf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow
    from mlflow.data.schema import TensorDatasetSchema


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tracking store in an SQLite file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tmp_path / "mlflow.db"


def slices(shelf: Shelf, **options: Any) -> Any:
    return VolumeDataset(project="mixed", server_url=shelf.url, irregular_spacing="keep", **options).slice("axial")


def features_of(made: Any) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = json.loads(made.schema.to_dict()["mlflow_tensorspec"]["features"])
    return features


pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own, and resources of other kinds


def test_a_logged_part_is_read_back_with_source_schema_profile_and_lineage(shelf: Shelf, tracking: Path) -> None:
    part = slices(shelf).split(train=0.5, val=0.5, seed=1)["train"]
    with mlflow.start_run() as run:
        mlflow.log_input(part.build_mlflow_dataset(), context="training")
    assert tracking.exists()
    (logged,) = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    kept = logged.dataset
    assert kept.name == "mixed/train"
    assert kept.digest == part.fingerprint[:32]
    profile = json.loads(kept.profile)
    assert profile["fingerprint"] == part.fingerprint
    assert profile["items"] == len(part)
    assert (profile["resources"], profile["split_name"], profile["split_source"]) == (1, "train", "local")
    source = mlflow.data.get_source(kept)
    assert source.to_dict()["project"] == "mixed"
    assert source.to_dict()["split_name"] == "train"
    assert source.load().prepare().project.name == "mixed"


def test_the_schema_has_the_keys_of_an_item_with_types_and_shapes(shelf: Shelf) -> None:
    made = slices(shelf, return_as_semantic_segmentation=True).build_mlflow_dataset()
    specs = {spec["name"]: spec["tensor-spec"] for spec in features_of(made)}
    assert isinstance(made.schema, TensorDatasetSchema)
    assert specs["image"] == {"dtype": "int16", "shape": [1, -1, -1]}  # 32 and 28 planes: stored shapes differ
    assert specs["segmentations"]["dtype"] == "float32"
    one = VolumeDataset(resources=[shelf.philips], server_url=shelf.url).build_mlflow_dataset()
    assert features_of(one)[0]["tensor-spec"]["shape"] == [1, 32, 128, 128]


def test_a_replayed_split_keeps_its_instant(shelf: Shelf) -> None:
    project = shelf.backend.create_project(NewProject(name="assigned", resource_ids=(shelf.philips.id, shelf.ge.id)))
    shelf.backend.assign_split(project.id, [shelf.philips.id], "train")
    dataset = VolumeDataset(project="assigned", server_url=shelf.url)
    part = dataset.split(use_project_splits=True)["train"]
    profile = part.build_mlflow_dataset().profile
    assert profile["split_source"] == "project_api"
    assert profile["split_as_of_timestamp"] == part.split_as_of_timestamp


def test_a_list_of_resources_cannot_be_made_again_from_its_source(shelf: Shelf) -> None:
    made = VolumeDataset(resources=[shelf.philips], server_url=shelf.url).build_mlflow_dataset()
    with pytest.raises(DatamintDatasetException, match="list of resources"):
        made.source.load()


def test_no_key_and_no_annotator_is_in_what_is_logged(shelf: Shelf) -> None:
    logged = json.dumps(slices(shelf, api_key="very-secret").build_mlflow_dataset().to_dict())
    assert "very-secret" not in logged
    assert ANA not in logged
    assert without_secrets("https://key:s3cret@host/store?token=t#k") == "https://host/store"


def test_an_empty_dataset_and_one_with_transforms_are_described(shelf: Shelf) -> None:
    assert slices(shelf).subset([]).build_mlflow_dataset().schema is None

    def half(image: Any, masks: Any) -> dict[str, Any]:
        return {"image": image[::2], "masks": masks[:, ::2]}

    made = slices(shelf, alb_transform=half).build_mlflow_dataset()
    assert features_of(made)[0]["tensor-spec"]["shape"] == [-1, -1, -1]
