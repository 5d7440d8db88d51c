"""Runs a command at a terminal of its own: at_terminal.py ANSWER COMMAND…

Types ANSWER and a newline when it is asked something (what it says ends in "] "), prints what it says, and ends
with its exit code.
"""
import os
import pty
import sys

answer, command = sys.argv[1], sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
said, answered = b"", False
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:  # EIO: the other end is closed
        break
    if not piece:
        break
    said += piece
    if not answered and said.endswith(b"] "):
        answered = True
        os.write(terminal, answer.encode() + b"\n")
print(said.decode().replace("\r\n", "\n"), end="", flush=True)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
