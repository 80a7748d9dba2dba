"""Google Workspace, channels and language models for assistant backends, in-process.

Importing does nothing: the first call starts what it needs.
"""

from nbhd import errors, testkit
from nbhd._data import Page
from nbhd._native import (
    AccessToken,
    Account,
    AlertGate,
    Calendar,
    Credential,
    Gmail,
    Google,
    Host,
    Inbox,
    JobWork,
    Limits,
    Outbox,
    Queue,
    Router,
    Secret,
    StateGate,
    Stream,
    Telegram,
    Ticket,
    Work,
    Worker,
    __version__,
    build_brief,
    render_brief,
    validate_brief,
)
from nbhd.errors import *  # noqa: F403 - generated, with its own __all__

__all__ = [
    "AccessToken",
    "Account",
    "AlertGate",
    "Calendar",
    "Credential",
    "Gmail",
    "Google",
    "Host",
    "Inbox",
    "JobWork",
    "Limits",
    "Outbox",
    "Page",
    "Queue",
    "Router",
    "Secret",
    "StateGate",
    "Stream",
    "Telegram",
    "Ticket",
    "Work",
    "Worker",
    "__version__",
    "build_brief",
    "render_brief",
    "testkit",
    "validate_brief",
    *errors.__all__,
]
