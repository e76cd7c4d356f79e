"""What volumes and videos share: items of (C, N, H, W)."""

from __future__ import annotations

from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.item import Item, whole_item


class MultiFrameDataset(DatamintBaseDataset):
    """Items with planes or frames: `image` (C, N, H, W), `segmentations` (n, N, H, W) an author."""

    def _load_item(self, row: int) -> Item:
        return whole_item(self._read, row, self._output)
