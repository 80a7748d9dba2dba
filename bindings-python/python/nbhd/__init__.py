"""Google Workspace, channels and language models for assistant backends, in-process.

Importing does nothing: the first call starts what it needs.
"""

from nbhd import errors, testkit
from nbhd._data import Page
from nbhd._native import (
    AccessToken,
    Account,
    Calendar,
    Credential,
    Gmail,
    Google,
    Host,
    Inbox,
    Router,
    Secret,
    Stream,
    Telegram,
    Work,
    __version__,
    build_brief,
    render_brief,
    validate_brief,
)
from nbhd.errors import *  # noqa: F403 - generated, with its own __all__

__all__ = [
    "AccessToken",
    "Account",
    "Calendar",
    "Credential",
    "Gmail",
    "Google",
    "Host",
    "Inbox",
    "Page",
    "Router",
    "Secret",
    "Stream",
    "Telegram",
    "Work",
    "__version__",
    "build_brief",
    "render_brief",
    "testkit",
    "validate_brief",
    *errors.__all__,
]
