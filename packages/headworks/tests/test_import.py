"""The package can be imported, and it is typed."""

from importlib import resources


def test_the_package_ships_its_types() -> None:
    """Type checkers of users find the marker that lets them read our annotations."""
    assert (resources.files("headworks") / "py.typed").is_file()
