"""The classes behind `build_mlflow_dataset`, which need MLflow to be defined."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from mlflow.data.dataset import Dataset
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import register_dataset_source
from mlflow.data.schema import TensorDatasetSchema
from mlflow.types.schema import Schema, TensorSpec

from datamint_like.exceptions import DatamintDatasetException


class DatamintSource(DatasetSource):  # type: ignore[misc]  # MLflow is not there to type checkers
    """Store, project, revision and split that a dataset comes from; plain values without keys."""

    def __init__(self, **facts: Any) -> None:
        self._facts = facts

    @staticmethod
    def _get_source_type() -> str:
        return "datamint_like"

    def load(self) -> Any:
        """The dataset's class over the same project, as it is now; split it again as `to_dict()` says.

        Raises:
            DatamintDatasetException: It was made of a list of resources.
        """
        import datamint_like

        if self._facts["project_id"] is None:
            raise DatamintDatasetException(
                "This dataset was made of a list of resources, which its source does not keep. Make it again by hand."
            )
        made = getattr(datamint_like, self._facts["dataset_class"])
        return made(project=self._facts["project_id"], server_url=self._facts["store_url"])

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> DatamintSource:
        raise NotImplementedError("A datamint_like source is made by dataset.build_mlflow_dataset().")

    def to_dict(self) -> dict[str, Any]:
        """The facts, as JSON takes them."""
        return dict(self._facts)

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> DatamintSource:
        """The source of such facts."""
        return cls(**source_dict)


register_dataset_source(DatamintSource)


class DatamintMlflowDataset(Dataset):  # type: ignore[misc]  # as above
    """What MLflow keeps of a dataset: name, digest, source, schema and profile."""

    def __init__(
        self,
        *,
        source: DatamintSource,
        name: str,
        digest: str,
        fields: Mapping[str, tuple[str, tuple[int, ...]]],
        profile: Mapping[str, Any],
    ) -> None:
        specs = [TensorSpec(np.dtype(dtype), shape, name=key) for key, (dtype, shape) in fields.items()]
        self._schema = TensorDatasetSchema(features=Schema(specs)) if specs else None
        self._profile = dict(profile)
        super().__init__(source=source, name=name, digest=digest)

    def _compute_digest(self) -> str:
        return str(self._profile["fingerprint"])[:8]

    @property
    def schema(self) -> TensorDatasetSchema | None:
        """Keys of an item with type and shape; -1 where items differ."""
        return self._schema

    @property
    def profile(self) -> dict[str, Any]:
        """Counts, label space, whole fingerprint and split."""
        return self._profile

    def to_dict(self) -> dict[str, str]:
        """All of it as texts, as MLflow stores it."""
        made: dict[str, str] = super().to_dict()
        made["profile"] = json.dumps(self._profile)
        if self._schema is not None:
            made["schema"] = json.dumps(self._schema.to_dict())
        return made
