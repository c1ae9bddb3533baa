"""Sends usage with OpenMeter's own client: python openmeter_client.py ENDPOINT KEY."""

import datetime
import sys

from openmeter import Client
from openmeter.models import Event

endpoint, key = sys.argv[1:]
noon = datetime.datetime(2026, 10, 5, 12, tzinfo=datetime.timezone.utc)


def event(event_id, **more):
    return Event(
        specversion="1.0", id=event_id, source="my-app", type="tokens", subject="ACC-1", **more
    )


with Client(endpoint=endpoint, token=key) as client:
    client.events.ingest_event(event("one", time=noon, data={"quantity": "12.50", "model": "small"}))
    client.events.ingest_events([event("two", time=noon, data={"tokens": 7}), event("three")])
    # Sent again, it counts once.
    client.events.ingest_event(event("one", time=noon, data={"quantity": "12.50", "model": "small"}))
    try:
        client.events.ingest_event(event("bad", time=noon, data={"quantity": "many"}))
    except Exception as error:
        print(f"refused: {error.status_code}")
