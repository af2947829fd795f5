"""The source of a server's model: a file, or an alias, which may be moved to another model while the server runs."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headworks_serving._alias import PREFIX, Found, find_model
from headworks_serving._config import ServingConfig
from headworks_serving._log import LOGGER, line
from headworks_serving._model import Model, load_model
from headworks_serving._signature import PublicKey
from headworks_serving.errors import ConfigError, ModelError

_RETRY_SECONDS: Final = 30.0


class Source:
    """Finds, checks and loads the model of a server.

    Attributes:
        given: The path of the file, or the alias.
        served: The SHA-256 of the model that was loaded last, if an alias names it.
    """

    def __init__(self, given: str | Path, config: ServingConfig, environ: Mapping[str, str] = os.environ) -> None:
        """Take a model from a file, or from an alias in the store that HEADWORKS_STORE names.

        Raises:
            ConfigError: The public key cannot be used, or a model without an alias is to be followed.
        """
        self.given, self._config, self._environ = str(given), config, environ
        if config.follow and ("@" in self.given or not self.given.startswith(PREFIX)):
            message = f"{given} names one model, which nothing moves; follow an alias, as in alias:production"
            raise ConfigError(message)
        self._key = PublicKey(config.public_key) if config.public_key else None
        self._name = ""
        self.served, self._refused = "", ""
        self._retry, self._error = 0.0, ""

    def load(self) -> Model:
        """Return the model.

        Raises:
            ModelError: It cannot be found or served, or lacks the signature that it should have.
        """
        return self._load(find_model(self.given, self._environ))

    def _load(self, found: Found) -> Model:
        content = found.read()
        if self._key:
            self._key.verify(content, found.signature, found.digest[:12] or str(found.path))
        # Clients ask for the model by the name that it was first served by.
        self._name = self._name or found.name
        model = load_model(found.path, threads=self._config.threads, name=self._name, content=content)
        self.served = found.digest
        return model

    def newer(self) -> Model | None:
        """Return the model that the alias was moved to since, or None.

        A model that is refused is logged, and tried again after a while: its file may be on its way.
        """
        try:
            found = find_model(self.given, self._environ)
            if found.digest == self.served or (found.digest == self._refused and time.monotonic() < self._retry):
                return None
            self._refused, self._retry = found.digest, time.monotonic() + _RETRY_SECONDS
            return self._load(found)
        except ModelError as error:
            if str(error) != self._error:
                LOGGER.error(line("kept", model=self._name, digest=self.served, error=error))
            self._error = str(error)
            return None
