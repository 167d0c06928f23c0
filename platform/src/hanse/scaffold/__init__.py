"""New meshes, domains and products from templates. Existing files are never overwritten."""

from hanse.scaffold.domain import domain_new
from hanse.scaffold.mesh import mesh_new
from hanse.scaffold.product import product_new

__all__ = ["domain_new", "mesh_new", "product_new"]
