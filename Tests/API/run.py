"""Runs Schemathesis over every operation of the API: see `Tests/API/schemathesis`, which starts it."""

import argparse
import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from world import HOST, World

from benchmark.culvert import culvert_binary
from benchmark.processes import BenchmarkError, end_on_signals, working_folder

HERE = Path(__file__).resolve().parent
ACCOUNTS = {"admin": "ann", "member": "bob"}
RUN_SECONDS = 900


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="Tests/API/schemathesis",
        description="Holds the API of an edge against the OpenAPI document that it serves.",
    )
    parser.add_argument("--culvert", metavar="PATH", help="the binary; default: what deploy/build makes")
    parser.add_argument("--seed", type=int, help="of a run that is to be repeated")
    parser.add_argument(
        "--max-examples", type=int, default=25, help="random requests for each operation (default 25)"
    )
    parser.add_argument("--as", choices=list(ACCOUNTS), dest="role", help="default: both")
    parser.add_argument("--only", metavar="OPERATION", action="append", help="operationId; default: all")
    return parser.parse_args()


def run_schemathesis(world, folder, account, arguments, seed):
    """Schemathesis's exit code: 0 when it found nothing, 1 when it did."""
    facts = folder / "world.json"
    world.write(facts, account)
    command = [
        *[Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml"],
        *["run", f"https://{HOST}:{world.port}/api/v1/openapi.json"],
        *["--tls-verify", world.certificates.authority],
        *["--seed", seed, "--max-examples", arguments.max_examples],
    ]
    for operation in arguments.only or []:
        command += ["--include-operation-id", operation]
    environment = {
        **os.environ,
        "CULVERT_API_TOKEN": world.tokens[account],
        "CULVERT_API_WORLD": str(facts),
        "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": "*",
    }
    try:
        return subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
            timeout=RUN_SECONDS,
        ).returncode
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"Schemathesis is not done after {RUN_SECONDS} s") from None


def main():
    arguments = read_arguments()
    end_on_signals()
    binary = culvert_binary(arguments.culvert)
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    failed = []
    for role in [arguments.role] if arguments.role else ACCOUNTS:
        print(f"== as {role}, --seed {seed}", flush=True)
        with working_folder() as folder, contextlib.ExitStack() as stack:
            world = World(binary, folder, stack)
            code = run_schemathesis(world, folder, ACCOUNTS[role], arguments, seed)
            world.edge.check()
        if code != 0:
            failed.append(role)
    if failed:
        sys.exit(f"failed as {' and '.join(failed)}; --seed {seed} does the same again")


if __name__ == "__main__":
    try:
        main()
    except (BenchmarkError, OSError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
