"""Google Workspace, channels and language models for assistant backends, in-process.

Importing does nothing: the first call starts what it needs.
"""

from nbhd import errors
from nbhd._data import Page
from nbhd._native import (
    AccessToken,
    Account,
    Calendar,
    Gmail,
    Google,
    Host,
    Inbox,
    Secret,
    Telegram,
    Work,
    __version__,
)
from nbhd.errors import *  # noqa: F403 - generated, with its own __all__

__all__ = [
    "AccessToken",
    "Account",
    "Calendar",
    "Gmail",
    "Google",
    "Host",
    "Inbox",
    "Page",
    "Secret",
    "Telegram",
    "Work",
    "__version__",
    *errors.__all__,
]
