"""The public face of the package: names, types, dependencies."""

import re
from importlib import metadata, resources

import headworks_serving
import pytest
from headworks_serving import errors

FORBIDDEN = {"torch", "pyarrow", "sklearn", "scikit-learn", "onnx", "tritonclient", "httpx", "headworks-data"}


def test_the_public_names_are_these_and_sorted() -> None:
    """A new public name is a decision: it has to be written here too."""
    assert headworks_serving.__all__ == ["Model", "ServingConfig", "create_app", "load_model", "serve"]
    assert all(hasattr(headworks_serving, name) for name in headworks_serving.__all__)


def test_another_name_is_no_part_of_the_package() -> None:
    """Names are imported when they are first used; a wrong one fails as it does in any module."""
    with pytest.raises(AttributeError, match="module 'headworks_serving' has no attribute 'model'"):
        headworks_serving.model  # noqa: B018 - to look it up is what is tested


def test_the_package_ships_its_types() -> None:
    """Type checkers of users find the marker that lets them read our annotations."""
    assert (resources.files("headworks_serving") / "py.typed").is_file()


def test_the_server_needs_neither_torch_nor_what_makes_data() -> None:
    """What is needed at run time is seven packages; clients and readers of data are extras."""
    needed = metadata.requires("headworks-serving") or []
    names = {re.split(r"[^\w-]", it)[0] for it in needed if "extra ==" not in it}
    assert names == {"h11", "numpy", "onnxruntime", "orjson", "prometheus-client", "starlette", "uvicorn"}
    assert not names & FORBIDDEN


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_can_be_caught_as_one(name: str) -> None:
    """One except clause catches whatever this package raises, and its docstring draws the class."""
    assert issubclass(getattr(errors, name), errors.ServingError)
    assert f" {name} " in f" {errors.__doc__} ".replace("\n", " ")
