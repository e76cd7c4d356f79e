"""Care of a cache folder: what it holds, whether that is sound, and what may go."""

from datamint_like.cache.handle import Cache
from datamint_like.cache.usage import Amount, ProjectUsage, Usage
from datamint_like.cache.verifying import Damage, Verified

__all__ = ["Amount", "Cache", "Damage", "ProjectUsage", "Usage", "Verified"]
