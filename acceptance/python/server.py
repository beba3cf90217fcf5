"""A server under test: the real program, on a directory of its own and a free port."""

import faulthandler
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import uuid
import weakref
from base64 import b64encode

import grpc
from kurrentdbclient import KurrentDBClient, NewEvent


# Where certificates and the password of the administrator are, if the suite is to run with TLS and users.
SECURED = os.environ.get("GESTA_SECURED")

# How long one test may take, in seconds: many times what the slowest needs on a machine that is busy with other things.
PATIENCE = 120.0

# The servers there are.
SERVERS = weakref.WeakSet()


def secured(directory):
    """The arguments of a server that is secured by what is in a directory."""
    files = {"tls-cert": "node.crt", "tls-key": "node.key", "admin-password-file": "password"}
    return [f"--{setting}={directory}/{file}" for setting, file in files.items()]


def secured_url(address, directory, login="admin", password=None):
    """How a user connects to such a server."""
    if password is None:
        with open(f"{directory}/password", encoding="utf-8") as file:
            password = file.read().strip()
    return f"kurrentdb://{login}:{password}@{address}?tls=true&tlsCAFile={directory}/ca.crt"


class Server:
    """`gesta serve`, started and ready; with TLS and users, if certificates are given."""

    def __init__(self, directory, certificates=SECURED, *arguments, stderr=None):
        program = os.environ["GESTA"]
        command = [program, "serve", "--dir", directory, "--listen", "127.0.0.1:0", "-o", "ndjson", *arguments]
        if certificates:
            command += secured(certificates)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        SERVERS.add(self)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended before it was ready, code={self.process.wait()}")
        self.ready = json.loads(line)
        self.url = secured_url(self.ready["address"], certificates) if certificates else self.ready["url"]

        self.certificates = certificates
        self.trust = ssl.create_default_context(cafile=f"{certificates}/ca.crt") if certificates else None

    def channel(self):
        """A channel to it for calls the stock client does not have, and what they say of who makes them."""
        if not self.trust:
            return grpc.insecure_channel(self.ready["address"]), []
        with open(f"{self.certificates}/ca.crt", "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        with open(f"{self.certificates}/password", encoding="utf-8") as file:
            basic = b64encode(f"admin:{file.read().strip()}".encode()).decode()
        return grpc.secure_channel(self.ready["address"], credentials), [("authorization", f"Basic {basic}")]

    def page(self, path):
        """The address of what is told over HTTP."""
        return f"{'https' if self.trust else 'http'}://{self.ready['address']}{path}"

    def stop(self, how=signal.SIGTERM):
        """Asks it to end; answers with its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code


class BoundedCase(unittest.TestCase):
    """Tests that do not wait for ever: who waits too long says where, and its server is ended, and so what it waits for."""

    def run(self, result=None):
        bound = threading.Timer(PATIENCE, self.give_up)
        bound.daemon = True
        bound.start()
        try:
            return super().run(result)
        finally:
            bound.cancel()

    def give_up(self):
        print(f"{self.id()} takes longer than {PATIENCE:.0f} s, and is here:", file=sys.stderr, flush=True)
        faulthandler.dump_traceback(all_threads=True)
        for server in tuple(SERVERS):
            server.process.kill()


class ServerCase(BoundedCase):
    """Tests that share one server; each takes names of its own."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.server = Server(cls.directory.name)
        cls.client = KurrentDBClient(cls.server.url)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        code = cls.server.stop()
        cls.directory.cleanup()
        assert code == 0, f"the server ended with code {code}"

    def name(self, category="case"):
        """A stream nobody has used."""
        return f"{category}-{uuid.uuid4()}"


def event(event_type="Noted", data=b"{}", **rest):
    """An event with what does not matter filled in."""
    return NewEvent(type=event_type, data=data, **rest)


def events(count, event_type="Noted"):
    """So many events, told apart by their data."""
    return [event(event_type, json.dumps({"n": n}).encode()) for n in range(count)]


def numbers(recorded):
    """The data by which events made by `events` are told apart."""
    return [json.loads(one.data)["n"] for one in recorded]
