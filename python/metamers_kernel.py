"""Becomes the kernel "Go (metamers)", as Jupyter asks for it: python -m metamers_kernel run FILE.

It is a module of its own, so that the kernel starts without numpy and pandas.
"""

import os
import sys
import sysconfig


def main() -> None:
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")]
    for folder in folders:
        program = os.path.join(folder, "metamers-kernel")
        if os.access(program, os.X_OK):
            os.execv(program, [program, *sys.argv[1:]])
    sys.exit(f"metamers-kernel is not in {' or '.join(folders)}: install metamers again by pip")


if __name__ == "__main__":
    main()
