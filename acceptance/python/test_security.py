"""Who may call, and what they may do: TLS, users, access lists; by the stock client, and by the users' protocol itself."""

import importlib
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
import uuid
from base64 import b64encode

import grpc
from grpc_tools import protoc
from kurrentdbclient import KurrentDBClient, NewEvents, NewRecord, StreamState, StreamStateCheck
from kurrentdbclient.exceptions import (
    AccessDeniedError,
    KurrentDBClientError,
    NotFoundError,
    UnauthenticatedError,
)

from server import SECURED, BoundedCase, Server, event, events, numbers, secured, secured_url

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
PASSWORD = "the-first-one"


def gesta(*arguments):
    return subprocess.run([os.environ["GESTA"], *arguments], capture_output=True, text=True, check=False)


def certificates(directory, password=PASSWORD):
    """Makes certificates, and writes the administrator's password beside them."""
    made = gesta("certs", "dev", "--out", directory)
    assert made.returncode == 0, made.stderr
    if password:
        with open(f"{directory}/password", "w", encoding="utf-8") as file:
            file.write(password + "\n")


class UsersCalls:
    """The calls about users, as code made from the protocol's definition makes them."""

    def __init__(self, server, directory, login, password):
        with open(f"{directory}/ca.crt", "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        self.channel = grpc.secure_channel(server.ready["address"], credentials)
        self.stub = users_pb2_grpc.UsersStub(self.channel)
        basic = b64encode(f"{login}:{password}".encode()).decode()
        self.metadata = [("authorization", f"Basic {basic}")]

    def call(self, method, **options):
        request = getattr(users_pb2, f"{method}Req")
        request = request(options=request.Options(**options)) if options else request()
        answer = getattr(self.stub, method)(request, metadata=self.metadata)
        return [one.user_details for one in answer] if method == "Details" else answer


users_pb2 = users_pb2_grpc = None


def setUpModule():
    global users_pb2, users_pb2_grpc
    generated = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(generated.cleanup)
    protos = os.path.join(ROOT, "crates/server/proto")
    out = [f"--python_out={generated.name}", f"--grpc_python_out={generated.name}"]
    assert protoc.main(["protoc", f"-I{protos}", *out, "users.proto"]) == 0
    sys.path.insert(0, generated.name)
    users_pb2, users_pb2_grpc = (importlib.import_module(name) for name in ("users_pb2", "users_pb2_grpc"))
    sys.path.remove(generated.name)


@unittest.skipIf(SECURED, "these tests bring their own certificates")
class SecuredCase(BoundedCase):
    """Tests that share one secured server; each takes names of its own."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.certificates = f"{cls.directory.name}/certs"
        certificates(cls.certificates)
        cls.server = Server(f"{cls.directory.name}/store", cls.certificates)
        cls.admin = cls.connect("admin", PASSWORD)
        cls.users = UsersCalls(cls.server, cls.certificates, "admin", PASSWORD)

    @classmethod
    def tearDownClass(cls):
        cls.admin.close()
        cls.users.channel.close()
        code = cls.server.stop()
        cls.directory.cleanup()
        assert code == 0, f"the server ended with code {code}"

    @classmethod
    def connect(cls, login, password):
        return KurrentDBClient(secured_url(cls.server.ready["address"], cls.certificates, login, password))

    def user(self, *groups, password="a-secret"):
        """A new user, and a client that signs in as that."""
        login = f"user-{uuid.uuid4()}"
        self.users.call("Create", login_name=login, password=password, full_name="Somebody", groups=groups)
        client = self.connect(login, password)
        self.addCleanup(client.close)
        return login, client

    def refused(self, code, exception, call, *arguments, **options):
        with self.assertRaises(grpc.RpcError) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.code(), code, caught.exception)
        self.assertEqual(dict(caught.exception.trailing_metadata()).get("exception"), exception)


class SigningIn(SecuredCase):
    def test_with_the_right_password_everything_goes_on_as_without_tls(self):
        stream = f"order-{uuid.uuid4()}"
        self.admin.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(3))
        self.assertEqual(numbers(self.admin.get_stream(stream)), [0, 1, 2])
        self.assertGreater(len(self.admin.get_stream("$ce-order", resolve_links=True)), 0)
        self.assertGreater(len(list(self.admin.read_all())), 0)

    def test_with_a_wrong_password_or_name_nothing_does(self):
        for login, password in (("admin", "changeit"), ("nobody", PASSWORD), ("$admins", PASSWORD)):
            with self.connect(login, password) as client, self.assertRaises(UnauthenticatedError):
                client.append_to_stream("order-1", current_version=StreamState.ANY, events=event())

    def test_without_a_name_one_may_ask_what_the_server_is_and_nothing_else(self):
        with open(f"{self.certificates}/ca.crt", "rb") as file:
            channel = grpc.secure_channel(self.server.ready["address"], grpc.ssl_channel_credentials(file.read()))
        with channel:
            ask = lambda path: channel.unary_unary(path)(b"", timeout=10)  # noqa: E731
            ask("/event_store.client.server_features.ServerFeatures/GetSupportedMethods")
            ask("/event_store.client.gossip.Gossip/Read")
            for path in ("users.Users/Details", "operations.Operations/Shutdown", "projections.Projections/RestartSubsystem",
                         "persistent_subscriptions.PersistentSubscriptions/RestartSubsystem", "new.Service/Call"):
                self.refused(grpc.StatusCode.PERMISSION_DENIED, "access-denied", ask, f"/event_store.client.{path}")

    def test_a_client_that_trusts_somebody_else_does_not_connect(self):
        with tempfile.TemporaryDirectory() as directory:
            certificates(f"{directory}/certs")
            with KurrentDBClient(secured_url(self.server.ready["address"], f"{directory}/certs")) as client:
                with self.assertRaises(KurrentDBClientError):
                    client.get_stream("order-1", timeout=5)

    def test_pages_are_told_over_https_and_the_metrics_to_users(self):
        def ask(path, login=None):
            request = urllib.request.Request(self.server.page(path))
            if login:
                request.add_header("authorization", "Basic " + b64encode(login.encode()).decode())
            try:
                with urllib.request.urlopen(request, context=self.server.trust) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code

        self.assertEqual(ask("/health/live"), 204)
        self.assertEqual(ask("/metrics"), 401)
        self.assertEqual(ask("/metrics", "admin:wrong"), 401)
        self.assertEqual(ask("/metrics", f"admin:{PASSWORD}"), 200)
        login, _ = self.user()
        self.assertEqual(ask("/metrics", f"{login}:a-secret"), 200)
        self.assertEqual(ask("/streams/order-1", f"{login}:a-secret"), 403)

    def test_both_protocols_are_offered(self):
        host, port = self.server.ready["address"].rsplit(":", 1)
        for offered, expected in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1")):
            context = ssl.create_default_context(cafile=f"{self.certificates}/ca.crt")
            context.set_alpn_protocols(offered)
            with socket.create_connection((host, int(port))) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as secure:
                    self.assertEqual(secure.selected_alpn_protocol(), expected)


class Users(SecuredCase):
    def test_a_user_is_made_shown_changed_and_deleted(self):
        login, client = self.user("writers")
        client.append_to_stream(f"order-{uuid.uuid4()}", current_version=StreamState.ANY, events=event())
        (details,) = self.users.call("Details", login_name=login)
        self.assertEqual(
            (details.login_name, details.full_name, list(details.groups), details.disabled),
            (login, "Somebody", ["writers"], False),
        )
        self.assertGreater(details.last_updated.ticks_since_epoch, 17_000_000_000_000_000)
        self.users.call("Update", login_name=login, full_name="Somebody else", groups=["$admins"])
        (details,) = self.users.call("Details", login_name=login)
        self.assertEqual((details.full_name, list(details.groups)), ("Somebody else", ["$admins"]))
        self.assertGreater(len(list(client.read_all())), 0, "an administrator from this call on")
        listed = [details.login_name for details in self.users.call("Details")]
        self.assertIn("admin", listed)
        self.assertIn(login, listed)
        self.users.call("Delete", login_name=login)
        with self.assertRaises(UnauthenticatedError):
            client.get_stream("order-1")
        self.refused(grpc.StatusCode.NOT_FOUND, "user-not-found", self.users.call, "Details", login_name=login)
        self.users.call("Create", login_name=login, password="another", full_name="", groups=[])

    def test_who_is_disabled_is_out_with_the_next_call_and_comes_back(self):
        login, client = self.user()
        client.append_to_stream(f"order-{uuid.uuid4()}", current_version=StreamState.ANY, events=event())
        for _ in range(3):
            self.users.call("Disable", login_name=login)
            with self.assertRaises(UnauthenticatedError):
                client.append_to_stream("order-1", current_version=StreamState.ANY, events=event())
            self.users.call("Enable", login_name=login)
            client.append_to_stream(f"order-{uuid.uuid4()}", current_version=StreamState.ANY, events=event())

    def test_a_password_is_changed_by_who_knows_it_and_reset_by_administrators(self):
        login, client = self.user(password="old")
        mine = UsersCalls(self.server, self.certificates, login, "old")
        denied = (grpc.StatusCode.PERMISSION_DENIED, "access-denied")
        self.refused(*denied, mine.call, "ChangePassword", login_name=login, current_password="x", new_password="new")
        self.refused(*denied, mine.call, "ChangePassword", login_name="admin", current_password=PASSWORD, new_password="x")
        self.refused(*denied, mine.call, "ResetPassword", login_name=login, new_password="new")
        mine.call("ChangePassword", login_name=login, current_password="old", new_password="new")
        with self.assertRaises(UnauthenticatedError):
            client.get_stream("order-1")
        mine.channel.close()
        with self.connect(login, "new") as client:
            client.append_to_stream(f"order-{uuid.uuid4()}", current_version=StreamState.ANY, events=event())
            self.users.call("ResetPassword", login_name=login, new_password="newest")
            with self.assertRaises(UnauthenticatedError):
                client.get_stream("order-1")

    def test_users_do_not_manage_users(self):
        for groups in ([], ["$ops"]):
            login, _ = self.user(*groups)
            mine = UsersCalls(self.server, self.certificates, login, "a-secret")
            (details,) = mine.call("Details", login_name=login)
            self.assertEqual(details.login_name, login)
            denied = (grpc.StatusCode.PERMISSION_DENIED, "access-denied")
            for method, options in (
                ("Create", {"login_name": "eve", "password": "x", "groups": ["$admins"]}),
                ("Update", {"login_name": login, "groups": ["$admins"]}),
                ("Details", {"login_name": "admin"}),
                ("Details", {}),
                ("Disable", {"login_name": "admin"}),
                ("Enable", {"login_name": login}),
                ("Delete", {"login_name": "admin"}),
            ):
                self.refused(*denied, mine.call, method, **options)
            mine.channel.close()

    def test_what_cannot_be_is_refused_in_the_words_clients_know(self):
        login, _ = self.user()
        create = {"password": "x", "full_name": "", "groups": []}
        self.refused(
            grpc.StatusCode.FAILED_PRECONDITION, "user-conflict", self.users.call, "Create", login_name=login, **create
        )
        for method in ("Update", "Disable", "Enable", "Delete"):
            self.refused(
                grpc.StatusCode.NOT_FOUND, "user-not-found", self.users.call, method, login_name="nobody"
            )
        for wrong in ("", "$admins", "a:b"):
            self.refused(grpc.StatusCode.INVALID_ARGUMENT, None, self.users.call, "Create", login_name=wrong, **create)


class Lists(SecuredCase):
    def metadata(self, stream, acl):
        self.admin.set_stream_metadata(stream, metadata={"$acl": acl}, current_version=StreamState.ANY)

    def denied(self, call, *arguments, **options):
        with self.assertRaises(AccessDeniedError):
            result = call(*arguments, **options)
            if result is not None and hasattr(result, "__next__"):
                next(result)

    def test_streams_of_the_system_are_the_administrators(self):
        for groups in ([], ["$ops"]):
            login, client = self.user(*groups)
            self.denied(client.read_all)
            self.denied(client.subscribe_to_all)
            for stream in ("$ce-order", "$et-Noted", "$streams", "$users", f"$user-{login}", "$settings"):
                self.denied(client.get_stream, stream)
                self.denied(client.subscribe_to_stream, stream)
            for stream in ("$users", f"$user-{login}", "$settings", "$mine"):
                for proposed in (event(), events(2)):
                    self.denied(client.append_to_stream, stream, current_version=StreamState.ANY, events=proposed)
                self.denied(client.set_stream_metadata, stream, metadata={}, current_version=StreamState.ANY)

    def test_a_list_holds_from_the_next_call_on(self):
        ada, as_ada = self.user()
        _, as_writer = self.user("writers")
        stream = f"ledger-{uuid.uuid4()}"
        for append in (as_ada, as_writer):
            append.append_to_stream(stream, current_version=StreamState.ANY, events=events(2))
        for _ in range(3):
            self.metadata(stream, {"$r": ada, "$w": ["writers"], "$d": [], "$mr": ada, "$mw": "$admins"})
            as_ada.get_stream(stream)
            as_ada.get_stream_metadata(stream)
            self.denied(as_writer.get_stream, stream)
            self.denied(as_writer.get_stream_metadata, stream)
            as_writer.append_to_stream(stream, current_version=StreamState.ANY, events=event())
            for proposed in (event(), events(2)):
                self.denied(as_ada.append_to_stream, stream, current_version=StreamState.ANY, events=proposed)
            for client in (as_ada, as_writer):
                self.denied(client.delete_stream, stream, current_version=StreamState.ANY)
                self.denied(client.tombstone_stream, stream, current_version=StreamState.ANY)
                self.denied(client.set_stream_metadata, stream, metadata={}, current_version=StreamState.ANY)
            self.metadata(stream, {})
            as_writer.get_stream(stream)
            as_ada.append_to_stream(stream, current_version=StreamState.ANY, events=event())
        as_ada.delete_stream(stream, current_version=StreamState.ANY)

    def test_the_default_lists_are_in_a_stream(self):
        _, client = self.user()
        stream = f"order-{uuid.uuid4()}"
        settings = lambda document: self.admin.append_to_stream(  # noqa: E731
            "$settings", current_version=StreamState.ANY, events=event("settings", json.dumps(document).encode())
        )
        client.append_to_stream(stream, current_version=StreamState.ANY, events=event())
        settings({"$userStreamAcl": {"$w": "$admins"}, "$systemStreamAcl": {"$r": "$all"}})
        try:
            self.denied(client.append_to_stream, stream, current_version=StreamState.ANY, events=event())
            self.assertGreater(len(client.get_stream("$ce-order", resolve_links=True)), 0)
            seen = {recorded.stream_name for recorded in client.read_all(filter_exclude=())}
            self.assertIn(stream, seen)
            self.assertFalse([name for name in seen if name.startswith("$user") or name == "$settings"])
        finally:
            settings({})
        client.append_to_stream(stream, current_version=StreamState.ANY, events=event())
        self.denied(client.get_stream, "$ce-order")

    def test_a_link_shows_nothing_that_could_not_be_read(self):
        _, client = self.user()
        secret, mine = f"secret-{uuid.uuid4()}", f"mine-{uuid.uuid4()}"
        self.admin.append_to_stream(secret, current_version=StreamState.ANY, events=event("Told", b'{"n":42}'))
        link = event("$>", f"0@{secret}".encode(), content_type="application/octet-stream")
        client.append_to_stream(mine, current_version=StreamState.ANY, events=link)
        (seen,) = client.get_stream(mine, resolve_links=True)
        self.assertEqual(seen.data, b'{"n":42}')
        self.metadata(secret, {"$r": "$admins"})
        (seen,) = client.get_stream(mine, resolve_links=True)
        self.assertEqual((seen.type, seen.data), ("$>", f"0@{secret}".encode()))

    def test_many_streams_at_once_need_the_right_to_each(self):
        _, client = self.user()
        mine, secret = f"mine-{uuid.uuid4()}", f"secret-{uuid.uuid4()}"
        self.metadata(secret, {"$r": "$admins", "$w": "$admins"})
        record = lambda stream: NewRecord(stream_name=stream, type="Noted", data=b"{}")  # noqa: E731

        def denied(call, *arguments):
            # The client has no class of its own for a refusal of this protocol.
            with self.assertRaisesRegex(KurrentDBClientError, "Access Denied"):
                call(*arguments)

        for streams in ((secret,), (mine, secret)):
            parts = [NewEvents(stream_name=stream, events=events(1), current_version=StreamState.ANY) for stream in streams]
            denied(client.multi_append_to_stream, parts)
            denied(client.append_records, [record(stream) for stream in streams], [])
        # Whether a stream is there is read from it.
        check = StreamStateCheck(stream_name=secret, expected_state=StreamState.NO_STREAM)
        denied(client.append_records, [record(mine)], [check])
        with self.assertRaises(NotFoundError):
            client.get_stream(mine)
        client.append_records([record(mine)], [])

    def test_groups_are_made_by_operators_and_read_by_who_may_read_their_streams(self):
        _, client = self.user()
        _, operator = self.user("$ops")
        stream, group = f"job-{uuid.uuid4()}", "workers"
        client.append_to_stream(stream, current_version=StreamState.ANY, events=event())
        self.denied(client.create_subscription_to_stream, group, stream, from_end=False)
        operator.create_subscription_to_stream(group, stream, from_end=False)
        with client.read_subscription_to_stream(group, stream) as messages:
            message = next(messages)
            messages.ack(message)
        self.metadata(stream, {"$r": "$admins"})
        self.denied(client.read_subscription_to_stream, group, stream)
        self.denied(client.delete_subscription, group, stream)
        operator.delete_subscription(group, stream)


@unittest.skipIf(SECURED, "these tests bring their own certificates")
class Starting(BoundedCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.store, self.certificates = f"{directory.name}/store", f"{directory.name}/certs"

    def test_the_first_password_is_told_once_and_a_lost_one_replaced(self):
        certificates(self.certificates, password=None)
        files = [f"--tls-cert={self.certificates}/node.crt", f"--tls-key={self.certificates}/node.key"]
        server = Server(self.store, None, *files, stderr=subprocess.PIPE)
        trust = ssl.create_default_context(cafile=f"{self.certificates}/ca.crt")
        with urllib.request.urlopen(f"https://{server.ready['address']}/health/ready", context=trust) as answer:
            self.assertEqual(answer.status, 204)
        self.assertEqual(server.stop(), 0)
        (told,) = [line for line in server.process.stderr.read().splitlines() if "first run" in line]
        server.process.stderr.close()
        password = told.rsplit("password=", 1)[1]
        server = Server(self.store, None, *files, stderr=subprocess.PIPE)
        url = secured_url(server.ready["address"], self.certificates, "admin", password)
        with KurrentDBClient(url) as client:
            client.append_to_stream("order-1", current_version=StreamState.ANY, events=event())
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("first run", server.process.stderr.read())
        server.process.stderr.close()
        reset = gesta("users", "reset-password", "--dir", self.store, "-o", "ndjson")
        self.assertEqual(reset.returncode, 0, reset.stderr)
        another = json.loads(reset.stdout)["password"]
        self.assertNotEqual(another, password)
        server = Server(self.store, None, *files)
        for word, holds in ((password, False), (another, True)):
            url = secured_url(server.ready["address"], self.certificates, "admin", word)
            with KurrentDBClient(url) as client:
                if holds:
                    client.append_to_stream("order-1", current_version=StreamState.ANY, events=event())
                else:
                    with self.assertRaises(UnauthenticatedError):
                        client.get_stream("order-1")
        self.assertEqual(server.stop(), 0)

    def test_certificates_are_private_and_not_replaced_unasked(self):
        certificates(self.certificates)
        for file, mode in (("ca.crt", 0o644), ("ca.key", 0o600), ("node.crt", 0o644), ("node.key", 0o600)):
            self.assertEqual(stat.S_IMODE(os.stat(f"{self.certificates}/{file}").st_mode), mode, file)
        with open(f"{self.certificates}/node.key", encoding="utf-8") as file:
            before = file.read()
        self.assertEqual(gesta("certs", "dev", "--out", self.certificates).returncode, 4)
        with open(f"{self.certificates}/node.key", encoding="utf-8") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(gesta("certs", "dev", "--out", self.certificates, "--force", "--name", "db.example").returncode, 0)
        self.assertEqual(gesta("certs", "dev", "--out", f"{self.certificates}/other", "--name", "no name").returncode, 2)

    def test_what_is_wrong_with_a_certificate_is_said_at_the_start(self):
        certificates(self.certificates)
        certificates(f"{self.certificates}/other")
        for cert, key, expected in (
            ("node.crt", "other/node.key", "does not belong to the first certificate"),
            ("node.key", "node.key", "there is no certificate in the file"),
            ("node.crt", "nowhere.key", "No such file"),
            ("node.crt", None, "needs its key"),
        ):
            arguments = [f"--tls-cert={self.certificates}/{cert}"]
            arguments += [f"--tls-key={self.certificates}/{key}"] if key else []
            refused = gesta("serve", "--dir", self.store, "--listen", "127.0.0.1:0", *arguments)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn(expected, refused.stderr)
            self.assertFalse(os.path.exists(self.store))

    def test_users_are_asked_for_without_tls_if_that_is_said(self):
        certificates(self.certificates)
        server = Server(self.store, None, "--auth", f"--admin-password-file={self.certificates}/password")
        with KurrentDBClient(server.url) as client, self.assertRaises(AccessDeniedError):
            client.append_to_stream("order-1", current_version=StreamState.ANY, events=event())
        self.assertEqual(server.stop(), 0)

    def test_another_machine_may_come_over_tls(self):
        certificates(self.certificates)
        command = [os.environ["GESTA"], "serve", "--dir", self.store, "--listen", "0.0.0.0:0", "-o", "ndjson"]
        process = subprocess.Popen([*command, *secured(self.certificates)], stdout=subprocess.PIPE, text=True)
        ready = json.loads(process.stdout.readline())
        self.assertIn("tls=true", ready["url"])
        address = f"https://127.0.0.1:{ready['address'].rsplit(':', 1)[1]}/health/live"
        trust = ssl.create_default_context(cafile=f"{self.certificates}/ca.crt")
        with urllib.request.urlopen(address, context=trust) as answer:
            self.assertEqual(answer.status, 204)
        # Whoever looks for a cluster goes on where he has found it: 0.0.0.0 is nowhere.
        port = ready["address"].rsplit(":", 1)[1]
        with KurrentDBClient(secured_url(f"localhost:{port}", self.certificates)) as client:
            (member,) = client.read_gossip()
            self.assertEqual((member.address, str(member.port)), ("localhost", port))
        process.terminate()
        self.assertEqual(process.wait(timeout=30), 0)
        process.stdout.close()
