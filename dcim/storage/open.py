"""Opens the store that a configuration names."""

from pathlib import Path

from dcim.clock import Clock
from dcim.model.metric import Registry
from dcim.storage.store import Store, parse_store


async def open_store(
    text: str, clock: Clock, registry: Registry, *, token: str = "", site: str = ""
) -> Store:
    """Open `embedded:DIR` or `influx://HOST:PORT/ORG/BUCKET`.

    ValueError for a name that is none, StoreLocked or StoreDown where the directory cannot be
    used. InfluxDB may be absent: its writes then raise StoreDown.
    """
    address = parse_store(text)
    # each brings a large library: imported only where it is used
    if address.kind == "embedded":
        from dcim.storage.embedded import EmbeddedStore

        return await EmbeddedStore.open(Path(address.directory), clock, registry)
    from dcim.storage.influx import InfluxStore

    return InfluxStore(address.url, address.org, address.bucket, token, registry, site=site)
