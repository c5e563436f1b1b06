"""Makes `python -m tautune` run the command `tautune`."""

from tautune.commands.app import main

main()
