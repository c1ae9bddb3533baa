"""Usage over HTTP on loopback, from a process of its own: records a second that are durable when answered.

    python benches/serve.py [--seconds 20] [--connections 8] [--records 1000]     batches
    python benches/serve.py --records 1 --connections 256                         single records

Each connection sends its next request when the last one is answered. Says also how long answers took, how much
processor time the service used for a million records, and its memory at the beginning, in the middle and at the end. With
`AWS_ENDPOINT_URL` set and `--url s3://bucket/folder` over a bucket. `--pause` lets each connection wait that long before
its next request, `--singles` adds connections that send one record at a time. `--run` runs afterwards, and once more over
the same records in one file; `--meanwhile` runs while usage pours in, from the middle on, and once more when it has ended.
"""

import argparse
import asyncio
import itertools
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from measure import AS_OF, meterhouse, sample_project, take

PATH = "/subscriptions/v1/usage"


def bodies(records: int, connection: int):
    """Requests without end, each with other identities."""
    one = {"transactionID": "@@@@@@@@@@@@-%04d", "usageType": "CarRentUsage", "VIN": "VIN-%06d",
           "usageStart": "2026-10-%02dT12:00:00Z", "usageEnd": "2026-10-%02dT12:41:00Z", "distance": "21.25"}
    line = json.dumps(one) + "\n"
    vehicle = itertools.count(connection * 7919)
    template = "".join(line % (number, next(vehicle) % 100_000, 1 + number % 28, 1 + number % 28)
                       for number in range(records)).encode()
    head = (f"POST {PATH} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-ndjson\r\n"
            f"content-length: {len(template)}\r\n\r\n").encode()
    for number in itertools.count():
        yield head + template.replace(b"@@@@@@@@@@@@", b"%04d%08d" % (connection, number))


class Sender(asyncio.Protocol):
    """One connection: the next request follows the answer to the last."""

    def __init__(self, requests, until: float, took: list, done: asyncio.Future, pause: float = 0):
        self.requests, self.until, self.took, self.done, self.pause = requests, until, took, done, pause
        self.answer = b""

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        if time.monotonic() > self.until:
            self.transport.close()
            self.done.set_result(None)
            return
        request = next(self.requests)
        self.began = time.monotonic()
        self.transport.write(request)

    def data_received(self, data):
        self.answer += data
        head, blank, body = self.answer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not self.answer.startswith(b"HTTP/1.1 200"):
            sys.exit(f"refused: {self.answer.decode()}")
        self.took.append((self.began, time.monotonic() - self.began))
        self.answer = b""
        asyncio.get_running_loop().call_later(self.pause, self.send) if self.pause else self.send()


async def pour(address: str, given: argparse.Namespace, in_the_middle) -> tuple[list, list]:
    """Sends for so long; when each request began and how long its answer took, of batches and of single records."""
    host, port = address.removeprefix("http://").split(":")
    loop, took, waiting = asyncio.get_running_loop(), ([], []), []
    until = time.monotonic() + given.seconds
    kinds = [(given.records, 0)] * given.connections + [(1, 1)] * given.singles
    for connection, (records, kind) in enumerate(kinds):
        done = loop.create_future()
        requests = bodies(records, connection)
        await loop.create_connection(lambda: Sender(requests, until, took[kind], done, given.pause), host, int(port))
        waiting.append(done)
    await asyncio.sleep(given.seconds / 2)
    await asyncio.gather(*waiting, asyncio.to_thread(in_the_middle))
    return took


def told(took: list) -> str:
    """How long answers took."""
    took = sorted(seconds for _, seconds in took)
    return f"median {took[len(took) // 2] * 1000:.1f} ms, p99 {took[int(len(took) * 0.99)] * 1000:.1f} ms"


def resident(process: subprocess.Popen) -> float:
    """MiB of memory that a process has now."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def processor_seconds(process: subprocess.Popen) -> float:
    """Seconds of processor that a process has used."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--connections", type=int, default=8)
    arguments.add_argument("--records", type=int, default=1000, help="of one request")
    arguments.add_argument("--url", help="the warehouse; the default is a directory")
    arguments.add_argument("--pause", type=float, default=0, help="seconds before the next request")
    arguments.add_argument("--singles", type=int, default=0, help="connections that send one record at a time")
    arguments.add_argument("--run", action="store_true", help="run afterwards")
    arguments.add_argument("--meanwhile", action="store_true", help="run while usage pours in")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "data").mkdir()
        sample_project(folder, 1000, 100, "ndjson")
        shutil.rmtree(folder / "data" / "generated" / "usage")
        program = [meterhouse(), "--project", folder, "--set", f"warehouse.url={given.url or folder / 'warehouse'}"]
        service = subprocess.Popen([*program, "serve", "--bind", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
        address = next(line.split()[-1] for line in service.stderr if line.startswith("listening on "))
        before, middle, runs = resident(service), [], []

        def in_the_middle() -> None:
            middle.append(resident(service))
            if given.meanwhile:
                begun = time.monotonic()
                runs.append((begun, take([*program, "--as-of", AS_OF, "run"])))

        began = time.monotonic()
        took, singles = asyncio.run(pour(address, given, in_the_middle))
        seconds = time.monotonic() - began
        records = len(took) * given.records + len(singles)
        after, used = resident(service), processor_seconds(service)
        service.send_signal(signal.SIGTERM)
        said = service.stderr.read()
        if service.wait() != 0:
            sys.exit(said)
        print(f"{records / seconds:10,.0f} records/s durable, {(len(took) + len(singles)) / seconds:8,.0f} requests/s; "
              f"answers: {told(took)}" + (f", of single records {told(singles)}" if singles else ""))
        print(f"{used / records * 1e6:10.2f} s of processor a million records; memory {before:.0f} MiB at the "
              f"beginning, {middle[0]:.0f} in the middle, {after:.0f} at the end")
        for begun, run in runs:
            beside = [one for one in took if begun <= one[0] < begun + run.seconds]
            print(f"a run meanwhile: {run}\n  beside it {len(beside) * given.records / run.seconds:,.0f} records/s, "
                  f"answers {told(beside)}; before it {told([one for one in took if one[0] < begun])}")
            print(f"a run after it:  {take([*program, '--as-of', AS_OF, 'run'])}")
        count = take([*program, "--format", "csv", "sql", "select count(*) from usage_record"]).output.split()[-1]
        if int(count) != records:
            sys.exit(f"{records} records were acknowledged, and {count} are there")
        if given.run:
            after_service = take([*program, "--as-of", AS_OF, "run"])
            query = "select source, transaction_id, usage_type, usage_start, usage_end, vin, distance from usage_record"
            one = folder / "one.ndjson"
            one.write_text(take([*program, "--format", "ndjson", "-q", "sql", query]).output)
            again = [meterhouse(), "--project", folder, "--set", f"warehouse.url={folder / 'again'}"]
            take([*again, "land", one])
            from_file = take([*again, "--as-of", AS_OF, "run"])
            print(f"a run after it: {after_service}\nof one file:    {from_file}")


if __name__ == "__main__":
    main()
