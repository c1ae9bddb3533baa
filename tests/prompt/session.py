"""Sits at a terminal in front of a program, types, and prints what it showed.

    python3 session.py PROGRAM [ARGUMENT...] < STEPS

STEPS is a list in JSON of [wait, type]: each text is typed once the program has
shown what is waited for since the last one. A Ctrl-C is typed again each second
until the next text is shown. The exit status is the program's.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

steps = json.load(sys.stdin)
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

# Forty lines of two hundred characters.
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
INTERRUPT = "\x03"
shown = b""
seen = 0
typed = ""


def read(until):
    """Reads to the first place behind the last one that has the text, or to the
    end of the program."""
    global shown, seen
    deadline = time.monotonic() + 60
    again = time.monotonic() + 1
    while until is None or until.encode() not in shown[seen:]:
        left = max(0, deadline - time.monotonic())
        part = None
        if typed == INTERRUPT:
            left = min(left, max(0, again - time.monotonic()))
        if select.select([terminal], [], [], left)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # Linux says so when the other end is closed.
                part = b""
        if part == b"" and until is None:
            return
        if part is None and typed == INTERRUPT and time.monotonic() < deadline:
            os.write(terminal, typed.encode())
            again = time.monotonic() + 1
            continue
        if not part:
            os.kill(child, signal.SIGKILL)
            rest = shown[seen:].decode(errors="replace")
            sys.exit(f"waited for {until!r} and saw {rest!r}")
        shown += part
    seen += shown[seen:].index(until.encode()) + len(until)


for wait, text in steps:
    read(wait)
    typed = text
    os.write(terminal, typed.encode())
read(None)
print(shown.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
