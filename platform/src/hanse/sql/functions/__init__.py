"""The scalar functions of the language, by name in `FUNCTIONS`."""

from hanse.sql.functions import choices, collections, json, numbers, text, time
from hanse.sql.functions.json import json_call
from hanse.sql.functions.registry import FUNCTIONS, Function

__all__ = ["FUNCTIONS", "Function", "choices", "collections", "json", "json_call", "numbers", "text", "time"]
