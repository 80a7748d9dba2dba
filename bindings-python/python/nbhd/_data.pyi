from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from nbhd.types import Receipt

_T = TypeVar("_T")

async def call(start: Callable[[], Awaitable[_T]]) -> _T:
    """Starts a call when it is awaited, and waits for it. Cancelling it aborts the call."""

async def step(start: Callable[[], tuple[bool, Any]]) -> Any:
    """A step of a stream: waits only for what is not here already."""

class Page(list[_T]):
    """A list of results that also knows its receipt and the token of its next page."""

    receipt: Receipt
    next_page_token: str | None

    def __init__(
        self, items: Iterable[_T] = (), receipt: Receipt | None = None, next_page_token: str | None = None
    ) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
