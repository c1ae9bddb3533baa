"""Access checks over HTTP on loopback, at a steady rate from a process of its own: how long an answer takes.

    python benches/access.py [--rate 2000] [--seconds 20] [--connections 16] [--contracts 10000]

Each connection sends its requests by the clock, whether the last one was answered or not, so that an answer that is late
is late for those behind it too. The service asks for a key. `--pour` sends usage meanwhile, over 4 connections.
"""

import argparse
import asyncio
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from measure import AS_OF, meterhouse, sample_project, take
from serve import Sender, bodies


class Asker(asyncio.Protocol):
    """One connection: requests by the clock, answers in their order."""

    def __init__(self):
        self.sent, self.took, self.answer = [], [], b""

    def connection_made(self, transport):
        self.transport = transport

    def ask(self, due: float, request: bytes):
        self.sent.append(due)
        self.transport.write(request)

    def data_received(self, data):
        self.answer += data
        while True:
            head, blank, body = self.answer.partition(b"\r\n\r\n")
            if not blank:
                return
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if len(body) < length:
                return
            if not self.answer.startswith(b"HTTP/1.1 200"):
                sys.exit(f"refused: {self.answer.decode()}")
            self.took.append(time.monotonic() - self.sent[len(self.took)])
            self.answer = body[length:]


async def ask(address: str, key: str, contracts: list, given: argparse.Namespace) -> list:
    """Asks for so long; how long each answer took since it was due."""
    host, port = address.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    askers = [(await loop.create_connection(Asker, host, int(port)))[1] for _ in range(given.connections)]
    pouring = []
    if given.pour:
        until = time.monotonic() + given.seconds
        for connection in range(4):
            done = loop.create_future()
            requests = (request.replace(b"\r\nhost", f"\r\nauthorization: Bearer {key}\r\nhost".encode(), 1)
                        for request in bodies(1000, connection))
            await loop.create_connection(lambda: Sender(requests, until, [], done), host, int(port))
            pouring.append(done)
    requests = [(f"GET /subscriptions/v1/contracts/{contract}/access?usage_type=CarRentUsage HTTP/1.1\r\nhost: bench\r\n"
                 f"authorization: Bearer {key}\r\n\r\n").encode() for contract in contracts]
    # The service is there when it has read what was published.
    askers[0].ask(time.monotonic(), requests[0])
    while not askers[0].took:
        await asyncio.sleep(0.01)
    askers[0].sent.clear()
    askers[0].took.clear()
    begin = time.monotonic()
    for number in range(int(given.rate * given.seconds)):
        due = begin + number / given.rate
        if (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        askers[number % len(askers)].ask(due, random.choice(requests))
    await asyncio.gather(*pouring)
    while any(len(asker.took) < len(asker.sent) for asker in askers):
        await asyncio.sleep(0.01)
    return [took for asker in askers for took in asker.took]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rate", type=float, default=2000, help="requests a second")
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--connections", type=int, default=16)
    arguments.add_argument("--contracts", type=int, default=10_000)
    arguments.add_argument("--pour", action="store_true", help="send usage meanwhile")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "data").mkdir()
        sample_project(folder, 10 * given.contracts, given.contracts, "ndjson")
        program = [meterhouse(), "--project", folder]
        take([*program, "--as-of", AS_OF, "run"])
        query = "select distinct contract_id from contract_item where usage_type = 'CarRentUsage'"
        contracts = take([*program, "-q", "--format", "csv", "sql", query]).output.split()[1:]
        key = take([*program, "-q", "key", "add", "bench", "--scope", "read", "--scope", "land"]).output.strip()
        service = subprocess.Popen([*program, "serve", "--bind", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
        address = next(line.split()[-1] for line in service.stderr if line.startswith("listening on "))
        took = asyncio.run(ask(address, key, contracts, given))
        service.send_signal(signal.SIGTERM)
        said = service.stderr.read()
        if service.wait() != 0:
            sys.exit(said)
        took.sort()
        print(f"{len(contracts):,} contracts, {len(took) / given.seconds:,.0f} checks a second; answers: median "
              f"{took[len(took) // 2] * 1000:.2f} ms, p99 {took[int(len(took) * 0.99)] * 1000:.2f} ms, p99.9 "
              f"{took[int(len(took) * 0.999)] * 1000:.2f} ms")


if __name__ == "__main__":
    main()
