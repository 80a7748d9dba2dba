"""What tests need: a clock that stands still, scripts of HTTP exchanges, and stand-ins that take faults."""

from nbhd._native import Clock, Script

__all__ = ["Clock", "Script"]
