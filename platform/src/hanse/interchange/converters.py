"""The converters of datacontract-cli, shut off from the network, or the way to install them."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from hanse.errors import ConfigError


@contextmanager
def converters(what: str) -> Generator[Any]:
    """datacontract-cli's `DataContract`; what it raises inside becomes a ConfigError about `what`."""
    try:
        from datacontract.data_contract import DataContract
        from datacontract.model.exceptions import DataContractException
    except ImportError as error:
        raise ConfigError(
            "contracts are converted by datacontract-cli, which is not installed",
            fix="pip install 'hanse[contracts]'",
        ) from error
    logging.getLogger("datacontract").setLevel(logging.CRITICAL)
    try:
        yield DataContract
    except DataContractException as error:
        raise ConfigError(f"{what} cannot be converted", got=str(error.reason or error)[:500]) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SyntaxError, RecursionError) as error:
        raise ConfigError(
            f"{what} cannot be converted", got=f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        ) from error
