"""What Hanse needs from the outside, as protocols; `hanse.adapters` has the implementations.

Arrow tables are the common currency between ports, so pyarrow is the one library named here.
"""
