"""Tensors of any sort become a batch in the main process, whatever memory they can lie in."""

from __future__ import annotations

import pytest
import torch

from datamint_like.dataset.collate import Collate

_IMAGE = torch.zeros(1, 2, 2)
UNUSUAL = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "negated without a copy": lambda: torch._neg_view(torch.ones(3)),
    "with a gradient": lambda: torch.ones(3, requires_grad=True),
}


@pytest.mark.parametrize("sort", UNUSUAL)
def test_tensors_of_a_subclass_may_be_of_any_sort(sort: str) -> None:
    items = [{"image": _IMAGE, "own": UNUSUAL[sort]()} for _ in range(2)]
    batch = Collate()(items)
    assert batch["image"].shape == (2, 1, 2, 2)
    assert torch.equal(batch["own"].to_dense(), torch.stack([item["own"] for item in items]).to_dense())
