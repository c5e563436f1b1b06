"""Runs the command `tautune`, also as `python -m tautune`."""

import sys


def main() -> None:
    """Runs the command; Ctrl-C while its modules are imported is a word too."""
    try:
        from tautune.commands.beginning import shown_from_the_start

        with shown_from_the_start(sys.argv[1:]):
            from tautune.commands.app import main as command

            command()
    except KeyboardInterrupt:
        print("tautune: stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
