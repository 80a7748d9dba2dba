"""Real database servers for tests: each on a free port of loopback, in a folder of its own, gone when the block ends."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

# What makes every acknowledged commit of a Redis survive.
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextlib.contextmanager
def redis_server(folder: pathlib.Path, *settings: str):
    assert shutil.which("redis-server"), "install it, on Debian with `apt-get install redis-server`"
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *settings],
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(16).startswith(b"+PONG"):
                        break
            except ConnectionRefusedError:
                assert server.poll() is None and time.monotonic() < until, "redis-server does not start"
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def of_postgres(name):
    """A program of PostgreSQL: the newest that Debian's packages put in place, else by the search path."""
    kept = pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(kept, key=lambda program: int(program.parts[-3]), default=None) or shutil.which(name)
    assert newest, "PostgreSQL is not installed: on Debian `apt-get install postgresql` brings it"
    return newest


@contextlib.contextmanager
def postgres_server():
    """The address of a database; `?schema=…` makes it a store's."""
    # PostgreSQL does not run as root, and whom it runs as must be able to reach its folder.
    folder = tempfile.mkdtemp(prefix="nbhd-postgres-")
    who = {"cwd": folder}
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        who |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    made = ["-D", folder, "-U", "nbhd", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run([of_postgres("initdb"), *made], check=True, stdout=subprocess.DEVNULL, **who)
    port = free_port()
    server = subprocess.Popen(
        [of_postgres("postgres"), "-D", folder, "-k", "", "-p", str(port), "-c", "listen_addresses=127.0.0.1"],
        env={**os.environ, "LC_ALL": "C"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **who,
    )
    try:
        assert any(b"ready to accept" in line for line in server.stderr), "PostgreSQL does not start"
        # What it goes on to say is read, or it would wait for a reader.
        threading.Thread(target=server.stderr.read, daemon=True).start()
        yield f"postgres://nbhd@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGQUIT)  # ends its sessions as well
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
