"""The manifests for Kubernetes, KServe and compose match the image, the server and each other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCKER = Path(__file__).parents[1] / "docker"
MANIFESTS = sorted((DOCKER / "kubernetes").glob("*.yaml"))
# The fields of KServe's v1beta1 predictor that are used here, in addition to those of a pod.
PREDICTOR = {
    "canaryTrafficPercent": int,
    "minReplicas": int,
    "maxReplicas": int,
    "scaleMetric": str,
    "scaleTarget": int,
}


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def pods(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the pods in the documents of a file."""
    for document in documents(path):
        if document["kind"] == "Deployment":
            yield document["spec"]["template"]["spec"]
        if document["kind"] == "InferenceService":
            yield {key: value for key, value in document["spec"]["predictor"].items() if key not in PREDICTOR}


def test_the_deployment_has_all_that_keeps_it_available() -> None:
    """Deployment, service, autoscaler and disruption budget select the same pods, of which two always run."""
    kinds = {it["kind"]: it for it in documents(DOCKER / "kubernetes/serving.yaml")}
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert kinds["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert kinds["Service"]["spec"]["selector"] == labels
    assert kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    scaled = kinds["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == kinds["Deployment"]["metadata"]["name"]
    assert scaled["minReplicas"] > kinds["PodDisruptionBudget"]["spec"]["minAvailable"]
    assert "replicas" not in kinds["Deployment"]["spec"], "would be set back at each apply"
    for document in kinds.values():
        kubernetes_validate.validate(document, "1.37", strict=True)


def test_the_inference_service_is_one_of_kserve() -> None:
    """Its predictor is a pod, checked by Kubernetes' own schema, plus KServe's fields."""
    (service,) = documents(DOCKER / "kubernetes/inference-service.yaml")
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert list(service["spec"]) == ["predictor"]
    assert {key: type(service["spec"]["predictor"][key]) for key in PREDICTOR} == PREDICTOR
    (pod,) = pods(DOCKER / "kubernetes/inference-service.yaml")
    assert [it["name"] for it in pod["containers"]] == ["kserve-container"], "KServe looks for this name"
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": service["metadata"], "spec": pod}
    kubernetes_validate.validate(whole, "1.37", strict=True)


# Changes of a manifest, each with the part of the message about it.
FAULTS = {
    "canaryTrafficPercent": ("canaryTraficPercent", "V1beta1PredictorSpec has no canaryTraficPercent"),
    "scaleTarget: 8": ('scaleTarget: "8"', "scaleTarget is '8', and should be int"),
    "readOnlyRootFilesystem": ("readOnlyRootFilesistem", "readOnlyRootFilesistem: True is unknown"),
    "containerPort: 8000": ("containerPort: http", "validation error for V1ContainerPort"),
}


def test_the_models_of_both_sdks_know_every_field(tmp_path: Path) -> None:
    """They read the manifests as they are; a field that they do not have, or of another type, is named."""
    text = (DOCKER / "kubernetes/inference-service.yaml").read_text(encoding="utf-8")
    for number, (old, (new, _)) in enumerate(FAULTS.items()):
        assert old in text
        (tmp_path / f"{number}.yaml").write_text(text.replace(old, new), encoding="utf-8")
    program = ["uv", "run", "--quiet", "--locked", "--script", "tests/kserve_models.py"]
    files = [*map(str, MANIFESTS), *(str(tmp_path / f"{number}.yaml") for number in range(len(FAULTS)))]
    environ = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"} | {"UV_PYTHON": sys.executable}
    done = subprocess.run(
        [*program, *files], cwd=DOCKER.parent, check=False, stdout=subprocess.PIPE, text=True, env=environ
    )
    assert done.returncode == 1
    for number, (_, part) in enumerate(FAULTS.values()):
        assert re.search(rf"{number}\.yaml: .*{re.escape(part)}", done.stdout), done.stdout
    assert not any(str(path) in done.stdout for path in MANIFESTS), done.stdout


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_pods_start_the_server_of_the_image_with_the_promoted_model(path: Path) -> None:
    """Program, address and port are those of the image; the store and the key are where the variables say."""
    image = (DOCKER / "serving.Dockerfile").read_text(encoding="utf-8")
    (entrypoint,), (command,) = (
        re.findall(rf"^{word} (\[.*\])$", image, re.MULTILINE) for word in ("ENTRYPOINT", "CMD")
    )
    (pod,) = pods(path)
    (container,) = pod["containers"]
    assert container["command"] == [*json.loads(entrypoint)[:-1], "$(MODEL)"]
    assert container["args"][:4] == json.loads(command)
    assert f"EXPOSE {container['ports'][0]['containerPort']}\n" in image
    variables = {it["name"]: it["value"] for it in container["env"]}
    assert variables["MODEL"] == "alias:production"
    mounts = {it["mountPath"]: it for it in container["volumeMounts"]}
    assert {it["name"] for it in mounts.values()} == {it["name"] for it in pod["volumes"]}
    assert all(it["readOnly"] for it in mounts.values())
    assert variables["HEADWORKS_STORE"] in mounts
    assert str(Path(variables["HEADWORKS_PUBLIC_KEY"]).parent) in mounts


def test_compose_takes_the_promoted_model() -> None:
    """As the pods do: the same program, and the store and the key where the variables say."""
    (promoted,) = documents(DOCKER / "promoted.yaml")
    service = promoted["services"]["serving"]
    (container,) = next(pods(DOCKER / "kubernetes/serving.yaml"))["containers"]
    assert service["entrypoint"] == [*container["command"][:-1], "${MODEL:-alias:production}"]
    assert service["command"][:4] == container["args"][:4]
    assert set(service["environment"].values()) == {it["target"] for it in service["volumes"]}
    assert all(it["read_only"] for it in service["volumes"])


COMPOSE = ["docker", "compose", "--file=docker/compose.yaml", "--file=docker/promoted.yaml", "config", "--format=json"]


@pytest.mark.skipif(
    not shutil.which("docker")
    or subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode != 0,
    reason="docker has no plugin compose",
)
def test_docker_reads_both_files_of_compose() -> None:
    """The second file adds to the first; a folder that is not named is an error."""
    environ = os.environ | {"HEADWORKS_STORE": "/srv/store", "SIGNING_PUBLIC_KEY": "/srv/public.pem"}
    done = subprocess.run(COMPOSE, cwd=DOCKER.parent, check=True, stdout=subprocess.PIPE, env=environ)
    service = json.loads(done.stdout)["services"]["serving"]
    assert service["entrypoint"][-1] == "alias:production"
    assert [it["source"] for it in service["volumes"]] == ["/srv/store", "/srv/public.pem"]
    assert service["read_only"]
    del environ["SIGNING_PUBLIC_KEY"]
    done = subprocess.run(COMPOSE, cwd=DOCKER.parent, check=False, stderr=subprocess.PIPE, env=environ)
    assert b"the PEM file of the key" in done.stderr


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_pods_are_as_confined_as_the_tests_of_the_image(path: Path) -> None:
    """The user is the image's, the root read-only, and there are no capabilities; memory is limited."""
    (pod,) = pods(path)
    (container,) = pod["containers"]
    (user,) = re.findall(r"^USER (\d+):\1$", (DOCKER / "serving.Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["runAsGroup"] == int(user)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"] == "512Mi"


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_probes_ask_for_paths_of_the_protocol(path: Path) -> None:
    """Liveness does not depend on readiness, so that a pod that drains is not killed."""
    (pod,) = pods(path)
    (container,) = pod["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert [it["containerPort"] for it in container["ports"]] == [8000]


def test_a_server_gets_the_time_that_it_takes_to_end() -> None:
    """Twice the time for clients to leave, and then that for requests: only after that may it be killed."""
    settings = (DOCKER.parent / "packages/serving/src").glob("*/_config.py")
    text = "".join(it.read_text(encoding="utf-8") for it in settings)
    drain, stop = (float(re.findall(rf"{name}_seconds: \w+ = ([\d.]+)", text)[0]) for name in ("drain", "stop"))
    (compose,) = documents(DOCKER / "compose.yaml")
    given = float(compose["services"]["serving"]["stop_grace_period"].removesuffix("s"))
    assert given >= 2 * drain + stop
    for pod in (pod for path in MANIFESTS for pod in pods(path)):
        arguments = pod["containers"][0]["args"]
        longer = float(arguments[arguments.index("--drain-seconds") + 1])
        assert pod.get("terminationGracePeriodSeconds", 30) >= 2 * longer + stop


def test_everything_runs_the_image_of_this_version() -> None:
    """Compose and both manifests name the version, never `latest`."""
    version = (DOCKER.parent / "VERSION").read_text(encoding="utf-8").strip()
    images = {container["image"] for path in MANIFESTS for pod in pods(path) for container in pod["containers"]}
    (compose,) = documents(DOCKER / "compose.yaml")
    assert images == {f"headworks-serving:{version}"}
    assert compose["services"]["serving"]["image"] == f"${{SERVING_IMAGE:-headworks-serving:{version}}}"
    assert ":latest" not in "".join(path.read_text(encoding="utf-8") for path in DOCKER.glob("**/*.yaml"))


def test_prometheus_scrapes_the_server_of_compose() -> None:
    """The target is the service and the port that the server listens on, confined as elsewhere."""
    (compose,) = documents(DOCKER / "compose.yaml")
    (scraped,) = documents(DOCKER / "prometheus.yaml")
    assert [it["static_configs"][0]["targets"] for it in scraped["scrape_configs"]] == [["serving:8000"]]
    assert compose["services"]["prometheus"]["depends_on"] == {"serving": {"condition": "service_healthy"}}
    assert "./prometheus.yaml:/etc/prometheus/prometheus.yaml:ro" in compose["services"]["prometheus"]["volumes"]
    for service in compose["services"].values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
