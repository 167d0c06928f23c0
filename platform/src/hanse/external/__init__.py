"""Topics that others write: what a sample of their records tells about form, key and rows."""

from hanse.external.detect import Found, look

__all__ = ["Found", "look"]
