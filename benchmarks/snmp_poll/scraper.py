"""What Prometheus does to an exporter: every device scraped once a second, the answer thrown away.

usage: python -m benchmarks.snmp_poll.scraper EXPORTER_PORT DEVICES SNMP_PORT
"""

import http.client
import sys
import threading
import time

from benchmarks.snmp_poll.responder import host

_THREADS = 16  # each with one connection


def scrape(exporter: int, targets: list[str]) -> None:
    """Every second, one after the other, for ever."""
    connection = http.client.HTTPConnection("127.0.0.1", exporter, timeout=10)
    while True:
        started = time.monotonic()
        for target in targets:
            try:
                connection.request("GET", f"/snmp?module=bench&target={target}")
                connection.getresponse().read()
            except OSError:  # not up yet
                connection.close()
        time.sleep(max(0.0, started + 1 - time.monotonic()))


if __name__ == "__main__":
    exporter, devices, port = map(int, sys.argv[1:])
    targets = [f"{host(n)}:{port}" for n in range(devices)]
    for n in range(_THREADS):
        threading.Thread(target=scrape, args=(exporter, targets[n::_THREADS])).start()
