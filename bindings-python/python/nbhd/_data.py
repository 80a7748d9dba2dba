"""Data that is more than a dict, and the coroutine of every awaitable call."""


async def call(start):
    """Starts a call when it is awaited, and waits for it. Cancelling it aborts the call."""
    return await start()


async def step(start):
    """A step of a stream: waits only for what is not here already."""
    here, found = start()
    return found if here else await found


class Page(list):
    """A list of results that also knows its receipt and the token of its next page.

    It compares, prints and serialises as the list that it is.
    """

    __slots__ = ("next_page_token", "receipt")

    def __init__(self, items=(), receipt=None, next_page_token=None):
        super().__init__(items)
        self.receipt = receipt
        self.next_page_token = next_page_token

    def __reduce__(self):
        return (Page, (list(self), self.receipt, self.next_page_token))
