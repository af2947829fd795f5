"""What the base predicted: at the merge base, as the first one that was recorded, or anew for another dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._gate.base import NoBaseError
from headworks._gate.baselines import Baselines
from headworks._gate.predict import predict_anew
from headworks._store.files import hash_file
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._gate.base import BaseTree
    from headworks._project.gate_settings import GateSettings
    from headworks._store.store import Store

__all__ = ["BasePredictions"]


class BasePredictions:
    """Files of the base's predictions, by the names that conditions use.

    Attributes:
        notes: how they came about, for people.
    """

    def __init__(self, root: str, store: Store, settings: GateSettings, tree: BaseTree, folder: str) -> None:
        """Take where everything is, and a folder for what is restored or made."""
        self._root = root
        self._settings = settings
        self._tree = tree
        self._folder = folder
        self._baselines = Baselines(store, root, folder)
        self._found: dict[str, str | NoBaseError] = {}
        self._firsts: dict[str, str] = {}  # the model's SHA-256 by the names of recorded first predictions
        self.notes: list[str] = []

    @property
    def firsts(self) -> list[str]:
        """The names whose base are the recorded first predictions."""
        return list(self._firsts)

    def file(self, name: str) -> str:
        """Return the predictions of the merge base, or where it has none, the recorded first ones.

        Raises:
            NoBaseError: there are neither.
        """
        if name not in self._found:
            try:
                self._found[name] = self._tree.find(self._settings.predictions[name])
            except NoBaseError as error:
                self._found[name] = self._first(name) or error
        found = self._found[name]
        if isinstance(found, NoBaseError):
            raise found
        return found

    def _first(self, name: str) -> str:
        """Return the recorded first predictions; empty where there are none that can be relied upon."""
        base = self._tree.base
        file, day, model = self._baselines.restore(name, self._settings.predictions[name], base.commit or base.name)
        if file:
            self._firsts[name] = model
            self.notes.append(f"the base of {name} is the first one, recorded on {day}")
        return file

    def record_first(self, name: str, when: str) -> None:
        """Keep what the work tree predicted as the first predictions of a name."""
        file = os.path.join(self._root, self._settings.predictions[name])
        base = self._tree.base
        self._baselines.record(name, file, when, self._model(), base.commit or base.name)
        self.notes.append(f"recorded the predictions of {name} as the first base")

    def is_same_model(self, name: str) -> bool:
        """Tell whether the base's model is the work tree's, by its file or by all that its predictions come from."""
        mine = self._model()
        if name in self._firsts:
            return bool(mine) and self._firsts[name] == mine
        if self._tree.is_unchanged(self._settings.predictions[name]):
            return True
        try:
            return bool(mine) and hash_file(Path(self._tree.find(self._settings.model)))[0] == mine
        except (ConfigurationError, NoBaseError):  # the base has no such file, or no session writes it
            return False

    def _model(self) -> str:
        """Return the SHA-256 of the work tree's model; empty where none is named, or there is none."""
        path = Path(self._root, self._settings.model)
        return hash_file(path)[0] if self._settings.model and path.is_file() else ""

    def anew(self, name: str) -> str:
        """Return what the base's model predicts for the rows of the work tree's dataset.

        Raises:
            ConfigurationError: the table names no model.
            CannotDecideError: it could not predict them.
        """
        if not self._settings.model:
            message = "The dataset has changed, and [tool.headworks.gate] names no `model` that could predict its rows."
            raise ConfigurationError(message)
        how = self._settings.predict[name]
        # A command writes what it writes for the work tree, ONNX Runtime a table.
        ending = ".parquet" if isinstance(how, str) else os.path.splitext(self._settings.predictions[name])[1]
        out = os.path.join(self._folder, f"predicted-{name}{ending}")
        if isinstance(how, str) and self._tree.is_output(how):
            self._tree.check_current(how)  # rows that are missing there would be missing of the base
        model = self._tree.find(self._settings.model)
        self.notes.append(f"the dataset has changed: the base's model predicted the rows of {name} anew")
        predict_anew(how, model, out, self._root)
        return out
