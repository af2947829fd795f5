"""What the base predicted: at the merge base, as the first one that was recorded, or anew for another dataset."""

from __future__ import annotations

import os

from headworks._gate.base import NoBaseError
from headworks._gate.baselines import Baselines
from headworks._gate.predict import predict_anew
from headworks.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headworks._gate.base import BaseTree
    from headworks._gate.settings import GateSettings
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
        self.notes: list[str] = []

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
        file, day = self._baselines.restore(name, self._settings.predictions[name])
        if file:
            self.notes.append(f"the base of {name} is the first one, recorded on {day}")
        return file

    def record_first(self, name: str, when: str) -> None:
        """Keep what the work tree predicted as the first predictions of a name."""
        self._baselines.record(name, os.path.join(self._root, self._settings.predictions[name]), when)
        self.notes.append(f"recorded the predictions of {name} as the first base")

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
        model = self._tree.find(self._settings.model)
        self.notes.append(f"the dataset has changed: the base's model predicted the rows of {name} anew")
        predict_anew(how, model, out, self._root)
        return out
