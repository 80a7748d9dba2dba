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
def running(begin, is_up, end):
    """The port of what `begin(port)` starts. It was free a moment before: where somebody else has it now, another is tried."""
    for _ in range(5):
        port = free_port()
        server = begin(port)
        try:
            if is_up(server, port):
                yield port
                return
        finally:
            server.send_signal(end)
            server.wait()
    raise AssertionError("the server does not start")


@contextlib.contextmanager
def redis_server(folder: pathlib.Path, *settings: str):
    assert shutil.which("redis-server"), "install it, on Debian with `apt-get install redis-server`"

    def begin(port):
        place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        return subprocess.Popen(["redis-server", *place, *settings], stdout=subprocess.DEVNULL)

    with running(begin, redis_is_up, signal.SIGKILL) as port:
        yield f"redis://127.0.0.1:{port}/0"


def redis_is_up(server, port):
    until = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(b"INFO server\r\nQUIT\r\n")
            # It says who it is: the port may be another's.
            if b"process_id:%d\r\n" % server.pid in connection.makefile("rb").read():
                return True
    return False


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

    def begin(port):
        place = ["-D", folder, "-k", "", "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
        out = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen([of_postgres("postgres"), *place], env={**os.environ, "LC_ALL": "C"}, **out, **who)

    try:
        with running(begin, postgres_is_up, signal.SIGQUIT) as port:  # which ends its sessions as well
            yield f"postgres://nbhd@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postgres_is_up(server, _port):
    if not any(b"ready to accept" in line for line in server.stderr):
        return False
    # What it goes on to say is read, or it would wait for a reader.
    threading.Thread(target=server.stderr.read, daemon=True).start()
    return True
