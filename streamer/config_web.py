"""The settings that limit how much of the server the page's visitors may use.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from shared.section import Section


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("must be an address or a network such as 10.0.0.0/8") from None
    return text


Network = Annotated[str, AfterValidator(_network)]
"""An IP address, or a network of them."""


def _public_url(text: str) -> str:
    rule = "must be an http:// or https:// address without a path, such as https://dream.example.org"
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or parts.path not in ("", "/") or any(mark in text for mark in "?#@\\") or not _PRINTABLE.fullmatch(text):
        raise ValueError(rule)
    return text.rstrip("/")


_PRINTABLE = re.compile(r"[!-~]{1,300}")
PublicUrl = Annotated[str, AfterValidator(_public_url)]
"""The page's public address, without a slash at the end."""


class WebLimits(Section):
    """How much of the page and the API one address may use, and all of them together. IPv6 counts by /64. This machine, and
    calls with the token, may use eight times as much, and up to three quarters of all connections and streams.
    docs/limits.md."""

    connections: int = Field(
        default=512,
        ge=16,
        le=4000,
        description="Open connections of all addresses together; fewer if the system gives the program few descriptors.",
    )
    address_connections: int = Field(default=32, ge=1, le=4000, description="Of those, for one address.")
    viewers: int = Field(default=64, ge=1, le=4000, description="Open live video streams, of all addresses together.")
    address_viewers: int = Field(default=8, ge=1, le=4000, description="Of those, for one address.")
    watchers: int = Field(
        default=256, ge=1, le=4000, description="Open event streams, one for each page, of all addresses together."
    )
    address_watchers: int = Field(default=16, ge=1, le=4000, description="Of those, for one address.")
    address_waiting: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Waiting requests made from one address on the page, under any names.",
    )
    address_voters: int = Field(
        default=10,
        ge=1,
        le=10_000,
        description="Names under which one address may vote in a poll on the page.",
    )
    calls_per_s: float = Field(
        default=20.0,
        ge=0.1,
        le=10_000,
        description="Calls a second from one address; ten seconds' worth of them may come in one burst.",
    )
    all_calls_per_s: float = Field(
        default=80.0,
        ge=1,
        le=10_000,
        description="Calls a second from all addresses together; more wait for their turn, heavy callers separately from the "
        "others. The same number again is reserved for this machine and for callers with the token.",
    )
    kilobytes_per_s: int = Field(
        default=2000,
        ge=10,
        le=1_000_000,
        description="Kilobytes a second to and from one address, not counting live video and events; ten seconds' worth may "
        "go in one burst.",
    )
    idle_s: float = Field(
        default=30.0,
        ge=1,
        le=3600,
        description="Seconds after which a connection without a complete call is closed. Set a shorter time in a proxy in "
        "front.",
    )
