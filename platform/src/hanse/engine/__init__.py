"""The projection engine: programs of the projection language, kept up to date on DuckDB."""

from hanse.engine.core import Emission, Engine, Late
from hanse.engine.info import EngineError, SinkInfo, SourceInfo

__all__ = ["Emission", "Engine", "EngineError", "Late", "SinkInfo", "SourceInfo"]
