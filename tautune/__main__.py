"""Runs the command `tautune`, also as `python -m tautune`."""

import atexit
import os
import sys
from contextlib import suppress


def main() -> None:
    """Runs the command; Ctrl-C while its modules are imported is a word too."""
    code = 1

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)

    # Called last, since it is registered first. A storage library's thread that is still at work while the interpreter
    # takes itself apart would abort the process, and the collection of all its garbage would double a run's time.
    atexit.register(leave)
    try:
        from tautune.commands.beginning import shown_from_the_start

        with shown_from_the_start(sys.argv[1:]):
            from tautune.commands.app import main as command

            command()
        code = 0
    except KeyboardInterrupt:
        print("tautune: stopped", file=sys.stderr)
        code = 130
        sys.exit(code)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        raise


if __name__ == "__main__":
    main()
