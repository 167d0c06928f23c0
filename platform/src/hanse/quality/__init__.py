"""Quality: a contract's promises, checked on a snapshot."""

from hanse.quality.checks import run_checks
from hanse.quality.plan import names
from hanse.quality.result import CheckResult

__all__ = ["CheckResult", "names", "run_checks"]
