"""What the server counts about itself."""

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families


def scrape(client: httpx.Client) -> dict[str, float]:
    """Return every sample that the server shows, by its name and labels."""
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        f"{it.name}{sorted(it.labels.items()) if it.labels else ''}": it.value
        for family in text_string_to_metric_families(answer.text)
        for it in family.samples
    }


def infer(client: httpx.Client, rows: int) -> int:
    """Ask for the predictions of black images, and return the status."""
    images = np.zeros((rows, 4, 4, 1), np.uint8)
    image = {"name": "image", "datatype": "UINT8", "shape": images.shape, "data": images.tolist()}
    return client.post("/v2/models/model/infer", json={"inputs": [image]}).status_code


def test_answers_are_counted_by_their_status(client: httpx.Client) -> None:
    """What was refused counts under its own status, and what was predicted counts its rows and its time."""
    before = scrape(client)
    assert [infer(client, 3), infer(client, 0), client.get("/nowhere").status_code] == [200, 400, 404]
    after = scrape(client)
    counted = {
        name: after[name] - before.get(name, 0)
        for name in after
        if after[name] != before.get(name, 0) and "le" not in name
    }
    assert counted["headworks_serving_infer_rows_sum"] == 3
    assert counted["headworks_serving_infer_rows_count"] == counted["headworks_serving_infer_seconds_count"] == 1
    assert counted["headworks_serving_answers_total[('status', '400')]"] == 1
    assert counted["headworks_serving_answers_total[('status', '404')]"] == 1
    # The first scrape was answered after it was made, so that the second one shows it.
    assert counted["headworks_serving_answers_total[('status', '200')]"] == 2


def test_the_model_is_named_with_its_digests(client: httpx.Client) -> None:
    """A graph of several versions can tell which data and weights each had; nothing waits meanwhile."""
    found = scrape(client)
    labels = [("dataset_digest", "d1"), ("name", "model"), ("weights_digest", "w1")]
    assert found[f"headworks_serving_model_info{labels}"] == 1
    assert found["headworks_serving_pending"] == 0
    assert found["process_resident_memory_bytes"] > 1e6


def test_the_client_chooses_the_format(client: httpx.Client) -> None:
    """Prometheus asks for OpenMetrics, and gets it."""
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
