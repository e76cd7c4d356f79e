"""What volumes and videos share: items of (C, N, H, W)."""

from __future__ import annotations

from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.item import Item, raw_item


class MultiFrameDataset(DatamintBaseDataset):
    """Items with planes or frames: `image` (C, N, H, W), `segmentations` (n, N, H, W) an author.

    Example:
        >>> [isinstance(each, MultiFrameDataset) for each in (volumes, VideoDataset(project="echo"))]
        [True, True]
    """

    def _get_raw_item(self, index: int) -> Item:
        return raw_item(self._read, int(self._rows[self._position(index)]), self._output)
