"""Descriptors: `domain.yaml`, and the open standards ODPS (`product.yaml`) and ODCS (`contract.yaml`)."""

from hanse.descriptors.mesh import load_mesh, try_load
from hanse.descriptors.problem import Problem

__all__ = ["Problem", "load_mesh", "try_load"]
