"""The site's file, dcim.toml: read, checked with all faults at once, and made into settings."""

from dcim.config.faults import ConfigError, Fault
from dcim.config.load import (
    AgentSettings,
    Config,
    StoreSettings,
    User,
    WebhookSettings,
    check,
    load,
    load_credentials,
)
from dcim.config.secrets import MissingSecret

__all__ = [
    "AgentSettings",
    "Config",
    "ConfigError",
    "Fault",
    "MissingSecret",
    "StoreSettings",
    "User",
    "WebhookSettings",
    "check",
    "load",
    "load_credentials",
]
