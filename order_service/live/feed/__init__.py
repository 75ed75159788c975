"""Who watches is told: one reader of what is new for all of them, and an outlet for each stream."""

from order_service.live.feed.outlets import Outlet, Watch
from order_service.live.feed.tail import Tail

__all__ = ["Outlet", "Tail", "Watch"]
