"""The software bill of materials of an image, from the metadata found inside it, as CycloneDX."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Runs inside the image, on its own Python, and finds the metadata of every distribution in it.
LIST_CONTENTS: Final = """
import email, json, os, platform
contents = {"python": platform.python_version(), "distributions": [], "debian": [], "size": 0}
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = [name for name in folders if name not in {"proc", "sys", "dev"}]
    paths = [os.path.join(folder, name) for name in files]
    contents["size"] += sum(os.lstat(path).st_size for path in paths)
    if folder.endswith((".dist-info", ".egg-info")):
        name = "METADATA" if "METADATA" in files else "PKG-INFO"
        if name in files:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                metadata = email.message_from_file(file)
            contents["distributions"].append([metadata["Name"], metadata["Version"], folder])
if os.path.exists("/var/lib/dpkg/status"):
    with open("/var/lib/dpkg/status", encoding="utf-8") as file:
        metadata = [email.message_from_string(text) for text in file.read().split("\\n\\n") if text.strip()]
    installed = [package for package in metadata if package["Status"].endswith(" installed")]
    contents["debian"] = [[package["Package"], package["Version"], package["Architecture"]] for package in installed]
print(json.dumps(contents))
"""
_NAMESPACE: Final = uuid.UUID("6f1c2f60-6f1e-4b7b-9a43-9a0f4f7c2f3d")  # namespace of the serial numbers


def write_sbom(path: Path, record: Mapping[str, Any], contents: Mapping[str, Any]) -> None:
    """Write the bill of materials of an image; the same image gives the same bytes.

    Args:
        path: The file to write.
        record: The record of the image.
        contents: The output of `LIST_CONTENTS` inside it.
    """
    built = datetime.fromtimestamp(int(record["variables"]["SOURCE_DATE_EPOCH"]), UTC)
    image = Component(
        name=f"headworks-{record['image']}",
        version=record["variables"]["VERSION"],
        type=ComponentType.CONTAINER,
        bom_ref="image",
        properties=[Property(name="headworks:image:id", value=record["id"])],
    )
    bom = Bom(
        components=[*_python(contents), *_debian(contents), *_model(record)],
        metadata=BomMetaData(component=image, timestamp=built),
        serial_number=uuid.uuid5(_NAMESPACE, record["id"]),
    )
    bom.register_dependency(image, list(bom.components))
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    path.write_text(f"{text}\n", encoding="utf-8")


def _python(contents: Mapping[str, Any]) -> list[Component]:
    """Return the interpreter and every installed Python distribution."""
    version = contents["python"]
    purl = PackageURL("generic", None, "python", version)
    interpreter = Component(name="python", version=version, type=ComponentType.PLATFORM, purl=purl, bom_ref=str(purl))
    return [
        interpreter,
        *(
            Component(
                name=name,
                version=version,
                purl=PackageURL("pypi", None, name, version),
                bom_ref=folder,
                properties=[Property(name="headworks:path", value=folder)],
            )
            for name, version, folder in contents["distributions"]
        ),
    ]


def _debian(contents: Mapping[str, Any]) -> list[Component]:
    """Return the packages of the base image's Debian."""
    purls = (
        PackageURL("deb", "debian", name, version, {"arch": architecture})
        for name, version, architecture in contents["debian"]
    )
    return [Component(name=purl.name, version=purl.version, purl=purl, bom_ref=str(purl)) for purl in purls]


def _model(record: Mapping[str, Any]) -> list[Component]:
    """Return the model, if the image holds one."""
    if not record["model_digest"]:
        return []
    digest = HashType(alg=HashAlgorithm.SHA_256, content=record["model_digest"])
    kind = ComponentType.MACHINE_LEARNING_MODEL
    trained = Property(name="headworks:dataset:digest", value=record["dataset_digest"])
    return [Component(name="model.onnx", type=kind, bom_ref="model", hashes=[digest], properties=[trained])]
