"""Reads manifests with the models of KServe's and Kubernetes' Python SDKs, and prints what these do not know.

`uv run --script tests/kserve_models.py FILE...` makes an environment of its own, with what kserve_models.py.lock pins:
KServe's SDK needs an older protobuf than model signing does, so that no environment can hold both.
"""

# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["kserve==0.21.0", "kubernetes==37.0.1", "pyyaml==6.0.4"]
# ///

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kserve
import kubernetes.client
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {
    "Deployment": "V1Deployment",
    "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
    "InferenceService": "V1beta1InferenceService",
    "PodDisruptionBudget": "V1PodDisruptionBudget",
    "Service": "V1Service",
}


def problems(data: Any, kind: str, path: str) -> Iterator[str]:  # noqa: ANN401 - any YAML
    """Yield the parts of a document that a type of the SDKs does not have, or has as another type."""
    if items := re.fullmatch(r"list\[(\w+)\]", kind):
        for number, item in enumerate(data):
            yield from problems(item, items[1], f"{path}[{number}]")
    elif ours := getattr(kserve, kind, None):
        names = {name: attribute for attribute, name in ours.attribute_map.items()}
        for name, value in data.items():
            if name in names:
                yield from problems(value, ours.openapi_types[names[name]], f"{path}.{name}")
            else:
                yield f"{path}: {kind} has no {name}"
    elif theirs := getattr(kubernetes.client, kind, None):
        try:
            read = theirs.from_dict(data)
        except ValueError as error:
            yield f"{path}: {kind}: {error}"
            return
        yield from different(data, kubernetes.client.ApiClient().sanitize_for_serialization(read), path)
    elif not isinstance(data, {"int": int, "bool": bool, "str": str}.get(kind, dict)):
        yield f"{path} is {data!r}, and should be {kind}"


def different(data: Any, known: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any YAML
    """Yield the parts of a document that were lost, or became others, when a model read it."""
    if isinstance(data, dict) and isinstance(known, dict):
        for name, value in data.items():
            yield from different(value, known.get(name), f"{path}.{name}")
    elif isinstance(data, list) and isinstance(known, list) and len(data) == len(known):
        for number, (item, other) in enumerate(zip(data, known, strict=True)):
            yield from different(item, other, f"{path}[{number}]")
    elif data != known:
        yield f"{path}: {data!r} is unknown, or read as {known!r}"


def main(*files: str) -> int:
    """Print every problem; return 1 if there is one."""
    found = [
        f"{file}: {problem}\n"
        for file in files
        for document in yaml.safe_load_all(Path(file).read_text(encoding="utf-8"))
        for problem in problems(document, KINDS[document["kind"]], document["kind"])
    ]
    sys.stdout.write("".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
