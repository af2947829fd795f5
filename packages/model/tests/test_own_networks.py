"""Networks of other people: what cannot be trained, judged or served is one line before the first epoch."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import onnx
import pytest
import torch
from headworks_model import ConvNet, TrainConfig, build_network, errors, evaluate, export, load_trained, train
from headworks_model import _export as export_module
from headworks_model import _network as network_module
from headworks_model._cli import main
from headworks_model._trial import try_network
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headworks_data import Dataset

SHORT = ["--set", "epochs=1", "--set", "network=own"]


class Plain(nn.Module):
    """A network that has nothing wrong with it."""

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, *_: object) -> None:
        """Build one layer, with batch normalisation before it."""
        super().__init__()
        values = image_shape[0] * image_shape[1] * image_shape[2]
        self.scale = nn.BatchNorm1d(values)
        self.layer = nn.Linear(values, num_classes)

    def forward(self, image: torch.Tensor) -> Any:  # noqa: ANN401 - some of those below give what they should not
        """Return logits."""
        return self.layer(self.scale(image.flatten(1).float() / 255))


class Tuple(Plain):
    """Gives an auxiliary output as well, as Inception does."""

    def forward(self, image: torch.Tensor) -> Any:  # noqa: ANN401 - as above
        """Return logits twice in training."""
        return (super().forward(image),) * 2 if self.training else super().forward(image)


class OneTooMany(Plain):
    """Has a class for the background."""

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, *_: object) -> None:
        """Build one layer for one class more."""
        super().__init__(image_shape, num_classes + 1)


class Half(Plain):
    """Computes in bfloat16."""

    def forward(self, image: torch.Tensor) -> Any:  # noqa: ANN401 - as above
        """Return logits in bfloat16."""
        return super().forward(image).bfloat16()


class Frozen(Plain):
    """Is all a fixed extractor of features."""

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, *_: object) -> None:
        """Freeze every weight."""
        super().__init__(image_shape, num_classes)
        self.requires_grad_(requires_grad=False)


class Detached(Plain):
    """Loses its gradients on the way."""

    def forward(self, image: torch.Tensor) -> Any:  # noqa: ANN401 - as above
        """Return logits that no gradient flows through."""
        return super().forward(image).detach()


class Standardised(Plain):
    """Divides by the deviation of each image."""

    def forward(self, image: torch.Tensor) -> Any:  # noqa: ANN401 - as above
        """Return logits of the standardised image."""
        pixels = image.flatten(1).float()
        return self.layer((pixels - pixels.mean(1, keepdim=True)) / pixels.std(1, keepdim=True))


class Extra(Plain):
    """Keeps something that is no tensor."""

    def get_extra_state(self) -> dict[str, int]:
        """Return what `state_dict` then holds."""
        return {"version": 1}


class Expanded(Plain):
    """Keeps a buffer all of whose numbers are one in memory."""

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, *_: object) -> None:
        """Make the buffer."""
        super().__init__(image_shape, num_classes)
        self.register_buffer("mean", torch.zeros(1).expand(3))


class Silent(Plain):
    """Keeps a part of itself frozen, and forgets to return itself."""

    def train(self, mode: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - so torch has it, but for the result
        """Leave the batch normalisation as it is."""
        super().train(mode)
        self.scale.eval()


class Lazy(nn.Module):
    """Knows its sizes only when it is asked."""

    def __init__(self, _: object, num_classes: int, *__: object) -> None:
        """Build layers without sizes."""
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyBatchNorm1d(), nn.LazyLinear(num_classes))

    def forward(self, image: torch.Tensor) -> Any:  # noqa: ANN401 - as above
        """Return logits."""
        return self.layers(image.float() / 255)


class Counting(Plain):
    """Puts a new tensor into the place of a buffer."""

    count: torch.Tensor

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, *_: object) -> None:
        """Count from 0."""
        super().__init__(image_shape, num_classes)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, image: torch.Tensor) -> Any:  # noqa: ANN401 - as above
        """Return logits, and count one more."""
        self.count = self.count + 1
        return super().forward(image)


class Lookup(Plain):
    """Looks pixels up in a table that has only black in it."""

    def forward(self, image: torch.Tensor) -> Any:  # noqa: ANN401 - as above
        """Return logits."""
        return super().forward(torch.zeros(1)[image.long()])


class Square(Plain):
    """Expects another number of channels."""

    def forward(self, image: torch.Tensor) -> Any:  # noqa: ANN401 - as above
        """Fail."""
        return self.layer(image.float())


def without_weights(*_: object) -> nn.Module:
    """Look for a file that is not there."""
    raise FileNotFoundError(2, "No such file or directory", "weights.pt")


def unfit(*_: object) -> nn.Module:
    """Refuse the images in the words of this package."""
    message = "too small for me"
    raise errors.ShapeError(message)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Return a function that registers a factory as the network `own`."""

    def own(factory: object) -> None:
        point = EntryPoint(name="own", value="package:Own", group=network_module.GROUP)
        if not isinstance(factory, str):
            monkeypatch.setattr(EntryPoint, "load", lambda _: factory)
        else:
            point = EntryPoint(name="own", value=factory, group=network_module.GROUP)
        monkeypatch.setattr(network_module, "entry_points", lambda group: [point] if group == point.group else [])

    return own


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (Tuple, r"gives a tuple in training, and must give logits, torch.float32 \[2, 2\]"),
        (OneTooMany, r"gives torch.float32 \[2, 3\] in inference, and must give .* each of the 2 classes"),
        (Half, r"gives torch.bfloat16 \[2, 2\] in inference"),
        (Frozen, r"has no weight that could be trained"),
        (Detached, r"fails on 2 blank images, torch.uint8 \[2, 6, 5, 1\]: RuntimeError: .* does not require grad"),
        (Standardised, r"gives numbers for a blank image that are not finite"),
        (Extra, r"has state that is no tensor and cannot be kept: _extra_state"),
        (Expanded, r"the state of network 'own' cannot be loaded again: .*\"mean\""),
        (Square, r"fails on 2 blank images, .*: RuntimeError: "),
        (
            without_weights,
            r"\(package:Own\) cannot be built for images of shape \[6, 5, 1\] and 2 classes: .*weights.pt",
        ),
        (unfit, r"too small for me"),
        (lambda *_: "x", r"is a str, and must be a torch.nn.Module"),
        ("json:not_there", r"\(json:not_there\) cannot be built .*: AttributeError: .*'not_there'"),
        ("no_such_module:x", r"cannot be built .*: ModuleNotFoundError: .*'no_such_module'"),
    ],
)
def test_a_network_that_cannot_be_used_is_one_line_before_the_first_epoch(
    stages: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    register: Callable[[object], None],
    factory: object,
    message: str,
) -> None:
    """It names the network and what it must give; nothing is written."""
    register(factory)
    assert main(["train", str(stages / "dataset"), str(out), *SHORT]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(line)
    assert not out.exists()


def test_what_is_no_file_of_onnx_is_not_written(
    stages: Path, tiny: Dataset, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the weights are more than a file can hold, which onnx says in errors of several kinds."""

    def refuse(*_: object, **__: object) -> None:
        message = "This protobuf of onnx model is too large (>2GiB).\nCall check_model with a path."
        raise ValueError(message)

    program = SimpleNamespace(model_proto=onnx.load(stages / "export" / "model.onnx"))
    monkeypatch.setattr(export_module, "_program_of", lambda _: program)
    monkeypatch.setattr(onnx.checker, "check_model", refuse)
    with pytest.raises(errors.ExportError, match=r"makes no ONNX file, .*: ValueError: .*\(>2GiB\)\.$"):
        export(tiny, load_trained(stages / "train"), out)
    assert not out.exists()


def test_a_network_is_as_it_was_after_it_was_tried(tiny: Dataset) -> None:
    """Weights, running means, gradients, mode, and what torch draws next."""
    torch.manual_seed(1)
    network = ConvNet(tiny.image_shape, 2, width=4)
    before = {name: it.clone() for name, it in network.state_dict().items()}
    expected = torch.random.get_rng_state()
    for was_training in (True, False):
        network.train(was_training)
        try_network(network, "conv", tiny.image_shape, 2, trains=True)
        assert network.training is was_training
    assert all(torch.equal(it, before[name]) for name, it in network.state_dict().items())
    assert all(it.grad is None for it in network.parameters())
    assert torch.equal(torch.random.get_rng_state(), expected)


@pytest.mark.parametrize("factory", [Silent, Lazy, Counting])
def test_a_network_of_an_odd_kind_is_trained_and_judged(
    tiny: Dataset, out: Path, register: Callable[[object], None], factory: type[nn.Module]
) -> None:
    """What it was given when it was tried leaves no trace in what it keeps."""
    register(factory)
    train(tiny, out, config=TrainConfig(network="own", epochs=1, batch_size=64))
    trained = load_trained(out)
    assert not any(it.training for it in trained.network.modules())
    state = {name: it.clone() for name, it in trained.network.state_dict().items()}
    evaluate(tiny, trained, out, peers="none")
    if factory is Lazy:
        assert state["layers.1.num_batches_tracked"] == 1
    if factory is Counting:
        assert state["count"] == 2  # the one batch of the epoch, and the validation split


def test_a_network_that_fails_later_on_is_one_line(
    stages: Path, out: Path, capsys: pytest.CaptureFixture[str], register: Callable[[object], None]
) -> None:
    """As on pixels that are not those of blank images."""
    register(Lookup)
    assert main(["train", str(stages / "dataset"), str(out), *SHORT]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("headworks_model: the network fails on ")
    assert "IndexError: " in line


def test_a_network_with_some_frozen_weights_is_trained(
    tiny: Dataset, out: Path, register: Callable[[object], None]
) -> None:
    """As those are whose features were learnt elsewhere; only the others change."""

    def partly(*given: Any) -> nn.Module:  # noqa: ANN401 - as the factory above
        network = Plain(*given)
        network.layer.bias.requires_grad = False
        return network

    register(partly)
    config = TrainConfig(network="own", epochs=2, batch_size=16)
    torch.manual_seed(config.seed)
    first = build_network(config, image_shape=tiny.image_shape, num_classes=2).state_dict()
    last = train(tiny, out, config=config).network.state_dict()
    assert torch.equal(first["layer.bias"], last["layer.bias"])
    assert not torch.equal(first["layer.weight"], last["layer.weight"])


def test_a_trained_network_that_gives_something_else_now_is_named(
    tiny: Dataset, out: Path, register: Callable[[object], None]
) -> None:
    """Its code may change after the training; evaluation and export say so in a line, and that no file is damaged."""
    register(Plain)
    train(tiny, out, config=TrainConfig(network="own", epochs=1, batch_size=16))
    register(Half)
    with pytest.raises(errors.ConfigError, match=r"'own' gives torch.bfloat16 \[2, 2\] in inference"):
        load_trained(out)


class Even(nn.Module):
    """A network whose graph gives no numbers for even images, although it gave some when it was tried."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return two of the pixels of each image over its brightness."""
        pixels = image.float().flatten(1)
        return pixels[:, :2] / pixels.sum(1, keepdim=True)


class Paired(nn.Module):
    """A network that can be translated for some batches only."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return two of the pixels of each image, which are looked up in a table of a thousand rows."""
        table = torch.arange(1000, dtype=torch.float32)
        return image.float().flatten(1)[:, :2] + table[torch.arange(image.shape[0])].unsqueeze(1)


class Double(nn.Module):
    """A network that computes in float64, for which ONNX Runtime has no convolution."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return two of the pixels of each image."""
        planes = image.double().permute(0, 3, 1, 2)
        found = nn.functional.conv2d(planes, planes.new_ones((1, planes.shape[1], 1, 1)))
        return found.flatten(1)[:, :2].float()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Double(), r"ONNX Runtime cannot load the exported graph: .*float32"),
        (Even(), r"gives no finite probabilities for 1 blank image\(s\), so that no server would start"),
        (Paired(), r"fails on 1024 blank image\(s\): .*: not written"),
    ],
)
def test_what_a_server_would_refuse_is_not_written(
    stages: Path, tiny: Dataset, out: Path, network: nn.Module, message: str
) -> None:
    """A server asks for blank images when it starts, and takes batches of up to 1,024."""
    trained = dataclasses.replace(load_trained(stages / "train"), network=network)
    with pytest.raises(errors.ExportError, match=message) as raised:
        export(tiny, trained, out)
    assert "\n" not in str(raised.value)
    assert not out.exists()
