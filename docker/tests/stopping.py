"""Sends requests without a pause until the server is gone, and prints how they ended; runs in a container."""

import collections
import http.client
import json
import threading

BODY = json.dumps({"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 8, 8, 1], "data": [0] * 64}]})
NUM_CLIENTS = 4

ends: collections.Counter[str] = collections.Counter()


def send() -> None:
    """Send requests, each on its own connection, and count how they end."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
        try:
            connection.connect()
        except ConnectionRefusedError:
            return
        try:
            connection.request("POST", "/v2/models/model/infer", BODY)
            answer = connection.getresponse()
            answer.read()
            ends[str(answer.status)] += 1
        except (OSError, http.client.HTTPException) as error:
            ends[f"lost: {error!r}"] += 1
        finally:
            connection.close()


threads = [threading.Thread(target=send) for _ in range(NUM_CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(ends))  # noqa: T201 - the test reads it
