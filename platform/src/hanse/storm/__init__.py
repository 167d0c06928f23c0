"""The event-storming board of a mesh, drawn from its running code and its descriptors."""

from hanse.storm.extract import board_of
from hanse.storm.model import Arrow, Board, Lane, Note, SagaStep

__all__ = ["Arrow", "Board", "Lane", "Note", "SagaStep", "board_of"]
