"""The settings of the server."""

import pytest
from headworks_serving import ServingConfig
from headworks_serving.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("port", 65_536),
        ("max_batch", 0),
        ("max_body", 0),
        ("max_head", 0),
        ("max_pending", -5),
        ("max_connections", 0),
        ("workers", 0),
        ("threads", 0),
        ("threads", 2**31),
        ("workers", 10**5),
        ("max_body", 10**30),
        ("head_seconds", 0.0),
        ("body_seconds", 0.0),
        ("answer_seconds", -0.1),
        ("idle_seconds", 0.0),
        ("idle_seconds", float("inf")),
        ("drain_seconds", float("nan")),
        ("stop_seconds", -1),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(name: str, value: float) -> None:
    """The message names the setting, what it is, and what would be right."""
    with pytest.raises(ConfigError, match=rf"^{name} is {value}; give"):
        ServingConfig(**{name: value})  # type: ignore[arg-type]


def test_settings_cannot_change_after_they_were_checked() -> None:
    """What was valid stays valid."""
    with pytest.raises(AttributeError):
        ServingConfig().port = -1  # type: ignore[misc]


def test_idle_connections_are_kept_for_longer_than_proxies_keep_theirs() -> None:
    """A proxy would else send a request to a connection that the server closes at that moment, and answer 502."""
    assert ServingConfig().idle_seconds > 60
