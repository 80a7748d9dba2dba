"""Google Workspace, channels and language models for assistant backends, in-process.

Importing does nothing: the first call starts what it needs.
"""

from nbhd._native import Host, Secret, __version__
from nbhd.errors import *  # noqa: F403 - generated, with its own __all__
from nbhd.errors import __all__ as _errors

__all__ = ["Host", "Secret", "__version__", *_errors]
