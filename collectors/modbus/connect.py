"""From a device's URL to its endpoint: address, link settings, and how to connect."""

import asyncio

from pydantic import ValidationError

from collectors.base import Target, Url
from collectors.modbus.endpoint import Connect, Connection, Endpoint
from collectors.modbus.profile import Link, Profile
from collectors.modbus.tty import open_line
from dcim.clock import Clock


def profile_name(target: Target) -> str:
    """The profile of the configuration, or of the URL where that says `auto`."""
    if target.profile == "auto":
        return target.url.query.get("profile", "auto")
    return target.profile


def endpoint_name(url: Url) -> str:
    """What devices on one connection have in common."""
    return f"{url.scheme}://{url.host}:{url.port}" if url.port else f"{url.scheme}://{url.host}"


def link_of(target: Target, profile: Profile | None) -> Link:
    """The profile's link, with what the device's URL says otherwise (`?timeout_s=3&gap=0`)."""
    link = profile.link if profile is not None else Link()
    said = {k: v for k, v in target.url.query.items() if k in Link.model_fields}
    return Link.model_validate(link.model_dump() | said, strict=False) if said else link


def link_fault(url: Url) -> str:
    """What is wrong with a URL's link settings; empty where nothing is."""
    try:
        Link.model_validate(
            {k: v for k, v in url.query.items() if k in Link.model_fields}, strict=False
        )
    except ValidationError as error:
        return "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())
    return ""


def endpoint_of(url: Url, link: Link, clock: Clock) -> Endpoint:
    """The endpoint of a URL; connects when first asked."""
    serial = url.scheme != "modbus"
    endpoint = Endpoint(endpoint_name(url), _connector(url, link), clock, serial)
    endpoint.in_flight = link.in_flight
    return endpoint


def _connector(url: Url, link: Link) -> Connect:
    async def connect_tcp(connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, url.host, url.port)

    async def connect_serial(connection: Connection) -> None:
        open_line(url.host, link, connection)

    return connect_serial if url.scheme == "modbus+rtu" else connect_tcp
