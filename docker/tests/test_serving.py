"""The serving image serves its model within its limits, and holds nothing that a server does not need."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet
import pytest

if TYPE_CHECKING:
    from conftest import Call, Container, Start

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnY2JOpqoB8OTyDDayA4+mPo3A57r
WcC6hHSxylNNMG8zFfKBJ5Tr3KoPLAJRl59LhyV2gQWGgZsdFqNwC25Ylg==
-----END PUBLIC KEY-----
"""
INFER = "/v2/models/model/infer"
# Reads a request from standard input, and prints the labels in the answer of the server in the same container.
ASK = """
import sys, json, urllib.request
request = urllib.request.Request("http://127.0.0.1:8000/v2/models/model/infer", sys.stdin.buffer.read())
print(json.dumps({it["name"]: it["data"] for it in json.load(urllib.request.urlopen(request, timeout=10))["outputs"]}))
"""
# Walks through the whole file system as root, and prints files that should not be there.
WALK = r"""
import json, os, re, stat
PROGRAMS = {"pip", "pip3", "uv", "uvx", "gcc", "g++", "cc", "c++", "clang", "ld", "as", "make", "curl", "wget", "git"}
PACKAGES = {"torch", "nvidia", "triton", "pip", "ensurepip", "headworks", "headworks_data", "headworks_model"}
SECRETS = re.compile(r"\.env|\.netrc|\.pypirc|\.npmrc|id_(rsa|dsa|ecdsa|ed25519)|credentials|.*\.(pem|key|p12|pfx)")
CERTIFICATES = re.compile(r"^/etc/ssl/certs/|/certifi/cacert\.pem$")
CACHES = re.compile(r"/\.cache/|^/var/(cache|lib/apt/lists)/.|^(/var)?/tmp/.")
unwanted = {"setuid": [], "programs": [], "packages": [], "secrets": [], "caches": [], "git": [], "writable": []}
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = [it for it in folders if it not in {"proc", "sys", "dev"}]
    if ".git" in folders + files:
        unwanted["git"].append(folder)
    if os.path.basename(folder) in PACKAGES and "__init__.py" in files:
        unwanted["packages"].append(folder)
    for name in files:
        path = os.path.join(folder, name)
        mode = os.lstat(path).st_mode
        if mode & (stat.S_ISUID | stat.S_ISGID):
            unwanted["setuid"].append(path)
        if name in PROGRAMS and os.access(path, os.X_OK):
            unwanted["programs"].append(path)
        if CACHES.search(path):
            unwanted["caches"].append(path)
        if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
            unwanted["writable"].append(path)
        if not stat.S_ISREG(mode) or os.path.getsize(path) > 1_000_000:
            continue
        with open(path, "rb") as file:
            key = re.search(rb"^-----BEGIN [A-Z ]*PRIVATE KEY-----\s", file.read(), re.MULTILINE)
        if key or (SECRETS.fullmatch(name) and not CERTIFICATES.search(path)):
            unwanted["secrets"].append(path)
print(json.dumps(unwanted))
"""


@pytest.fixture(scope="module")
def confined(start: Start) -> Container:
    """Start a container without a network, and wait until it is healthy."""
    container = start("--network=none")
    container.wait_for("healthy")
    return container


@pytest.fixture(scope="module")
def address(engine: str, call: Call, start: Start) -> str:
    """Start a container with a published port, and return host and port."""
    container = start("--publish=127.0.0.1::8000")
    container.wait_for("healthy")
    return call(engine, "port", container.id, "8000/tcp").splitlines()[0]


@pytest.fixture(scope="module")
def unwanted(engine: str, image: str, call: Call) -> dict[str, list[str]]:
    """Return the files in the image that should not be there, by kind."""
    paths: dict[str, list[str]] = json.loads(
        call(engine, "run", "--rm", "--network=none", "--user=0", "--entrypoint=python", image, "-c", WALK)
    )
    return paths


def test_it_becomes_healthy_confined(confined: Container) -> None:
    """Read-only, without network, capabilities or new privileges, with bounded memory and processes, it is healthy."""
    inspected = confined.inspect()
    assert inspected["State"]["Health"]["Status"] == "healthy"
    assert inspected["HostConfig"]["ReadonlyRootfs"]
    assert inspected["HostConfig"]["NetworkMode"] == "none"
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{inspected['State']['Pid']}/status").read_text().splitlines()
    )
    assert (status["CapEff"].strip(), status["NoNewPrivs"].strip()) == ("0" * 16, "1")


def test_it_predicts_without_a_network(confined: Container) -> None:
    """A row of the test split gets the label that the evaluation gave it."""
    row = pyarrow.parquet.read_table(ARTIFACTS / "dataset/test.parquet").slice(0, 1).to_pylist()[0]
    predictions = pyarrow.parquet.read_table(ARTIFACTS / "evaluate/predictions.parquet").to_pylist()
    (expected,) = [it for it in predictions if it["id"] == row["id"]]
    data = list(row["image"]) if isinstance(row["image"], bytes) else row["image"]
    described = json.loads((ARTIFACTS / "dataset/dataset.json").read_text(encoding="utf-8"))
    shape = [1, *described["image_shape"]]
    request = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": shape, "data": data}]}
    answer = json.loads(confined.python(ASK, text=json.dumps(request)))
    assert answer["label"] == [described["classes"][expected["prediction"]]]


def test_it_predicts_what_the_evaluation_predicted(call: Call, address: str) -> None:
    """Through tritonclient, as raw bytes and as JSON, the whole test split has the evaluation's probabilities."""
    expected = ["--dataset=artifacts/dataset", "--predictions=artifacts/evaluate/predictions.parquet"]
    assert "are all predicted" in call(
        sys.executable, "-m", "headworks_serving.check", f"--url={address}", "--timeout=5", *expected
    )


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (INFER, b"no JSON", 400),
        (INFER, b'{"inputs": []}', 400),
        (INFER, b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 8, 8, 1], "data": [256]}]}', 400),
        ("/v2/models/other/infer", b"{}", 404),
        ("/v2/health/ready", b"{}", 405),
        (INFER, b" " * (16 * 2**20 + 1), 413),
    ],
    ids=["text", "no input", "pixel", "model", "method", "size"],
)
def test_wrong_input_is_refused(address: str, path: str, body: bytes, status: int) -> None:
    """A wrong request gets a status of 4xx with an error, and the server keeps running."""
    host, _, port = address.partition(":")
    with closing(HTTPConnection(host, int(port), timeout=10)) as connection:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        assert (answer.status, list(json.loads(answer.read()))) == (status, ["error"])
    with closing(HTTPConnection(host, int(port), timeout=10)) as connection:
        connection.request("GET", "/v2/health/ready")
        assert connection.getresponse().status == 200


def test_a_stop_under_load_loses_nothing(engine: str, image: str, call: Call, start: Start) -> None:
    """SIGTERM while clients send: every request that reached the port is answered, and the exit code is 0."""
    server = start("--network=none")
    server.wait_for("healthy")
    with server.start_sidecar(image) as load:
        assert load.stdin
        assert load.stdout
        load.stdin.write((Path(__file__).parent / "stopping.py").read_bytes())
        load.stdin.close()
        while server.logs().count("event=infer") < 100:
            assert load.poll() is None, load.stdout.read()
        server.kill("TERM")
        ends = json.loads(load.stdout.read())
    assert call(engine, "wait", server.id) == "0"
    assert ends.pop("200") >= 100
    assert ends == {}


def test_it_runs_as_a_user_without_rights(inspected: dict[str, Any], confined: Container) -> None:
    """The user is a number, so that Kubernetes can see that it is not 0."""
    assert inspected["Config"]["User"] == "65532:65532"
    assert confined.python("import os; print(os.getuid(), os.getgid())") == "65532 65532"


def test_nothing_can_be_written(confined: Container) -> None:
    """The root file system is read-only, and nothing in it is writable for everybody."""
    code = "import pathlib\ntry: pathlib.Path('/opt/x').touch()\nexcept OSError as error: print(error.strerror)"
    assert confined.python(code) == "Read-only file system"


@pytest.mark.parametrize("kind", ["setuid", "programs", "packages", "secrets", "caches", "git", "writable"])
def test_it_holds_nothing_that_a_server_does_not_need(unwanted: dict[str, list[str]], kind: str) -> None:
    """Nothing runs as another user; no installer, compiler, torch, secret, cache or history is inside."""
    assert unwanted[kind] == []


def test_nothing_secret_is_in_its_record(engine: str, image: str, call: Call, inspected: dict[str, Any]) -> None:
    """Neither the environment nor the steps of the build name a token, a password or a key."""
    words = ("TOKEN", "SECRET", "PASSWORD", "API_KEY", "PRIVATE_KEY")
    steps = call(engine, "history", "--no-trunc", "--format={{.CreatedBy}}", image)
    assert [
        it for it in (*inspected["Config"]["Env"], *steps.splitlines()) if any(word in it.upper() for word in words)
    ] == []


def test_its_size_is_within_the_budget(inspected: dict[str, Any], record: dict[str, Any], budget: int) -> None:
    """`[tool.headworks.images]` says how large it may be, the record says the same, and the layers add up."""
    assert inspected["Size"] <= budget == record["budget"]
    assert sum(it["size"] for it in record["layers"]) == pytest.approx(record["size"], rel=0.01)


def test_its_labels_say_what_it_holds(inspected: dict[str, Any], confined: Container) -> None:
    """The digests of its labels are those of the artifacts, and of the model inside."""
    labels = inspected["Config"]["Labels"]
    digest = hashlib.sha256((ARTIFACTS / "export/model.onnx").read_bytes()).hexdigest()
    code = (
        "import hashlib, pathlib; print(hashlib.sha256(pathlib.Path('/opt/model/model.onnx').read_bytes()).hexdigest())"
    )
    dataset = json.loads((ARTIFACTS / "dataset/dataset.json").read_text(encoding="utf-8"))
    assert labels["headworks.model.digest"] == digest == confined.python(code)
    assert labels["headworks.dataset.digest"] == dataset["digest"]
    prefix = "org.opencontainers.image."
    said = {name.removeprefix(prefix): value for name, value in labels.items() if name.startswith(prefix)}
    assert said.keys() >= {"title", "licenses", "version", "revision", "source", "base.name", "base.digest"}
    assert said["version"] == (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    assert len(said["revision"].removesuffix("-dirty")) == 40


def test_the_health_check_sees_a_server_that_does_not_answer(start: Start) -> None:
    """A stopped process exists but does not answer: the container becomes unhealthy.

    The probe itself waits for 2 s. It may start slowly on a busy machine, where the image's 3 s would be over first.
    """
    container = start("--network=none", "--health-interval=1s", "--health-timeout=30s", "--health-retries=1")
    container.wait_for("healthy")
    container.kill("STOP")
    container.wait_for("unhealthy")


def test_the_load_test_of_a_deployment_passes(address: str, call: Call) -> None:
    """As one runs it after a deployment; the limits have room for a busy machine."""
    output = call(sys.executable, "docker/load.py", f"http://{address}", "--requests=200", "--max-p99-ms=5000")
    assert "load: 200 of 200 requests answered in" in output


def test_it_serves_the_promoted_model_only_if_that_is_signed(
    engine: str, image: str, call: Call, tmp_path: Path
) -> None:
    """It can check signatures, without the package that makes them."""
    model = (ARTIFACTS / "export/model.onnx").read_bytes()
    content = hashlib.sha256(model).hexdigest()
    data = json.dumps({"content": content, "file": "model.onnx"}).encode()
    for path, written in {
        tmp_path / "store/blobs" / content[:2] / content[2:]: model,
        tmp_path / "store/aliases/production/000001": b"headworks 1 %s\n%s"
        % (hashlib.sha256(data).hexdigest().encode(), data),
        tmp_path / "public.pem": PUBLIC_KEY.encode(),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written)
    tmp_path.chmod(0o755)
    mounted = [f"--volume={tmp_path}:/given:ro", "--env=HEADWORKS_STORE=/given/store", "--read-only", "--rm"]
    command = [engine, "run", *mounted, "--env=HEADWORKS_PUBLIC_KEY=/given/public.pem", "--entrypoint=python", image]
    done = subprocess.run(
        [*command, "-m", "headworks_serving", "alias:production"], check=False, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 2
    assert f"the model {content[:12]} is not signed" in done.stderr


def test_its_bill_of_materials_is_what_the_lock_names(engine: str, image: str, call: Call) -> None:
    """Every distribution in the image is in the bill, and uv.lock has it as a need of the serving package."""
    code = (
        "import importlib.metadata as m, json; print(json.dumps([[it.name, it.version] for it in m.distributions()]))"
    )
    inside = json.loads(call(engine, "run", "--rm", "--network=none", "--entrypoint=python", image, "-c", code))
    bill = json.loads((ARTIFACTS / "build-images/serving/sbom.cdx.json").read_text(encoding="utf-8"))
    listed = {(it["name"], it["version"]) for it in bill["components"] if it.get("purl", "").startswith("pkg:pypi/")}
    assert {(name, version) for name, version in inside} == listed
    chosen = ["--no-dev", "--no-emit-workspace", "--package=headworks-serving", "--extra=signature"]
    plain = ["--frozen", "--quiet", "--no-hashes", "--no-annotate", "--no-header"]
    lines = call("uv", "export", *plain, *chosen).splitlines()
    allowed = {tuple(line.partition(";")[0].strip().split("==")) for line in lines}
    allowed.add(("headworks-serving", (ROOT / "VERSION").read_text(encoding="utf-8").strip()))
    assert {(re.sub("[-_.]+", "-", name).lower(), version) for name, version in listed} - allowed == set()


def test_a_second_build_gives_the_same_image(call: Call) -> None:
    """Built once more from nothing, every layer holds the same files and the configuration says the same."""
    assert "a second build gives the same image" in call(sys.executable, "docker/build.py", "serving", "--again")
