"""Predictions of the base: at the merge base, as the first ones that were recorded, or anew for another dataset."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._gate.base_outputs import BaseOutputs, NoBaseError, run_to_end
from headworks._store.files import hash_file
from headworks._store.journal import Journal
from headworks._store.place import place_of
from headworks.errors import CannotDecideError, ConfigurationError

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings


def model_digest(root: str, settings: GateSettings) -> str:
    """Return the SHA-256 of a work tree's model; empty where none is named, or there is none."""
    path = Path(root, settings.model)
    return hash_file(path)[0] if settings.model and path.is_file() else ""


class BasePredictions:
    """Files of the base's predictions, or the anchor's, by the names that conditions use.

    Attributes:
        base: the base, or the anchor.
        firsts: the SHA-256 of the model, empty where that is not known, by the name of each recorded first predictions.
    """

    def __init__(self, settings: GateSettings, outputs: BaseOutputs) -> None:
        """Take the outputs of the base."""
        self.firsts: dict[str, str] = {}
        self._settings = settings
        self._outputs = outputs
        self._journal = Journal(outputs.store.root, "baselines", place_of(outputs.root))
        self._files: dict[str, str | NoBaseError] = {}
        self.base = outputs.base

    @cached_property
    def mine(self) -> str:
        """The SHA-256 of the work tree's model; empty where none is named, or there is none."""
        return model_digest(self._outputs.root, self._settings)

    @cached_property
    def model(self) -> tuple[str, str]:
        """The place of the base's model, and its SHA-256.

        Raises:
            ConfigurationError: No session declares that it writes it.
            NoBaseError: There is none.
        """
        place = self._outputs.find(self._settings.model)
        return place, hash_file(Path(place))[0]

    def file(self, name: str) -> str:
        """Return the predictions of the merge base, or the first ones that were recorded in its place.

        Raises:
            NoBaseError: There are neither.
        """
        if name not in self._files:
            try:
                self._files[name] = self._outputs.find(self._settings.predictions[name])
            except NoBaseError as error:
                self._files[name] = self._first(name) or error
        file = self._files[name]
        if isinstance(file, NoBaseError):
            raise file
        return file

    def _first(self, name: str) -> str:
        """Return the first predictions that were recorded in place of the base; empty where there are none."""
        key = {"on": name, "base": self.base.key}
        entry = next((it for it in self._journal.entries() if it is not None and key.items() <= it.items()), None)
        ending = os.path.splitext(self._settings.predictions[name])[1]
        place = Path(self._outputs.folder, f"first-{name}{ending}")
        if entry is None or not self._outputs.store.blobs.copy_out(entry["content"], place):
            return ""
        self.firsts[name] = str(entry.get("model", ""))
        self._outputs.notes.append(
            f"the {self.base.rival} of {name} is the first one, recorded on {entry['when'][:10]}"
        )
        return str(place)

    def record_first(self, name: str, when: str) -> None:
        """Keep the work tree's predictions of a name as the first ones, in place of the base.

        Raises:
            StoreError: The store cannot be written.
        """
        content = self._outputs.store.blobs.put_file(Path(self._outputs.root, self._settings.predictions[name]))
        self._journal.note({"on": name, "content": content, "when": when, "model": self.mine, "base": self.base.key})
        self._outputs.notes.append(f"recorded the predictions of {name} as the first base")

    def is_same_model(self, name: str) -> bool:
        """Tell whether the base's model is the work tree's, by its file or by all that its predictions come from."""
        if name in self.firsts:
            return bool(self.mine) and self.firsts[name] == self.mine
        if self._outputs.is_unchanged(self._settings.predictions[name]):
            return True
        try:
            return bool(self.mine) and self.model[1] == self.mine
        except (ConfigurationError, NoBaseError):  # the base has no such file, or no session writes it
            return False

    def anew(self, name: str) -> str:
        """Return the predictions of the base's model for the rows of the work tree's dataset.

        Raises:
            ConfigurationError: The table names no model, or it does not fit the rows.
            UsageError: ONNX Runtime is not installed.
            CannotDecideError: It could not predict them.
        """
        outputs, how = self._outputs, self._settings.predict[name]
        if not self._settings.model:
            message = "The dataset has changed, and [tool.headworks.gate] names no `model` that could predict its rows."
            raise ConfigurationError(message)
        # A command writes the same format as for the work tree, ONNX Runtime Parquet.
        ending = ".parquet" if isinstance(how, str) else os.path.splitext(self._settings.predictions[name])[1]
        out = os.path.join(outputs.folder, f"predicted-{name}{ending}")
        if isinstance(how, str) and outputs.writers(how):
            outputs.check_current(how)  # rows that are missing there would be missing of the base
        model = outputs.find(self._settings.model)
        whose = f"the {self.base.rival}'s model"
        outputs.notes.append(f"the dataset has changed: {whose} predicted the rows of {name} anew")
        if isinstance(how, str):
            from headworks._metrics.exported import predict_rows

            predict_rows(model, os.path.join(outputs.root, how), out)
        else:
            self._run([it.replace("{model}", model).replace("{out}", out) for it in how], out)
        return out

    def _run(self, command: list[str], out: str) -> None:
        """Run the table's command, which has to write a file."""
        try:
            code = run_to_end(command, self._outputs.root, out=sys.stderr)
            how = f"ended with exit code {code}" + ("" if code else f", and did not write {out}")
            is_done = not code and os.path.isfile(out)
        except OSError as error:
            how, is_done = f"could not be started ({error.strerror})", False
        if not is_done:
            message = (
                f"The dataset has changed, and the base's model could not predict its rows: `{' '.join(command)}`"
                f" {how}. Mend the command under `predict` in [tool.headworks.gate]."
            )
            raise CannotDecideError(message)
