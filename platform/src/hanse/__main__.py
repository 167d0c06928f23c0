"""`python -m hanse`."""

from hanse.cli import main

main()
