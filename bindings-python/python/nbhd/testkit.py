"""What tests need: a clock that stands still, scripts of HTTP exchanges, and stand-ins that take faults."""

from nbhd import _native

Clock = _native.Clock
Script = _native.Script
Google = _native.StandInGoogle
Models = _native.StandInModels
Telegram = _native.StandInTelegram

__all__ = ["Clock", "Google", "Models", "Script", "Telegram"]
