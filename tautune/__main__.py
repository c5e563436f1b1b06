"""`python -m tautune`: the command's other spelling."""

from tautune.commands.app import main

main()
