"""What Schemathesis is told beside the document: values that the edge knows, how a stream is read.

The document's parameters and bodies get examples. What an operation needs to succeed with its
example is made just before: a device that waits, a tunnel to be deleted.
"""

import base64
import json
import os
import socket
import urllib.parse
import uuid

import jsonschema_rs
import requests
import schemathesis
import urllib3.util.connection
from edge_api import EdgeAPI, new_key, next_source

with open(os.environ["CULVERT_API_WORLD"]) as _file:
    WORLD = json.load(_file)
API = EdgeAPI(WORLD["host"], WORLD["port"], WORLD["authority"])
TOKEN, ROOT, BOB, TUNNEL = (WORLD[name] for name in ("token", "root", "bob", "tunnel"))
IS_ADMIN = WORLD["account"] != "bob"

# Stand for what is made anew for each request.
INVITATION = "00000000-0000-4000-8000-000000000001"
CODE, DEVICE_CODE, USER_CODE, NAME = "cve_example", "device_example", "BCDF-GHJK", "example"
SESSION = "00000000-0000-4000-8000-000000000000"
KEY = base64.b64encode(bytes(range(32))).decode()
NEW_HOSTNAME = f"new.{WORLD['suffix']}"
RULES = "ingress: [{service: http_status:404}]\n"


def _in_path(key):
    """A key in base64url, as paths name it."""
    return key.replace("+", "-").replace("/", "_").rstrip("=")


# By parameter and by schema of the body: what an operation succeeds with.
KEY_IN_PATH = _in_path(KEY)
PARAMETERS = {
    "account": "carl",
    "hostname": NEW_HOSTNAME,
    "invitation": INVITATION,
    "key": KEY_IN_PATH,
    "session": SESSION,
    "tunnel": TUNNEL,
}
BODIES = {
    "AccountChange": {
        "role": "member",
        "maximum_tunnels": 3,
        "maximum_hostnames": 50,
        "suffixes": [WORLD["suffix"]],
        "release_hostnames": True,
    },
    "Configuration": {"version": 0, "text": RULES},
    "DeviceApproval": {"user_code": USER_CODE, "approve": True},
    "DeviceRequest": {"label": "laptop"},
    "DeviceTokenRequest": {"device_code": DEVICE_CODE},
    "Enrolment": {"code": CODE, "label": "laptop"},
    "HostnameChange": {"balance": "sticky"},
    "NewAccount": {"name": NAME, "role": "member", "maximum_tunnels": 1, "suffixes": []},
    "NewKey": {"public_key": KEY, "label": "laptop", "expires_at": "2099-01-01T00:00:00Z"},
    "NewTunnel": {"name": NAME, "public_key": KEY},
}
# Deleting or degrading whom the tests ask as would leave the rest of them with 401 and 403.
KEPT_ACCOUNTS = {"ann", "bob", "root"}
VISITED_TUNNELS = {TUNNEL, "web", "bob/web"}
KEPT_TUNNELS = VISITED_TUNNELS | {"managed", "bob/managed"}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Adds the examples to the document."""
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] in PARAMETERS:
                    parameter["example"] = PARAMETERS[parameter["name"]]
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content["example"] = BODIES[content["schema"]["$ref"].rpartition("/")[2]]


# MARK: What an operation needs to succeed


def _body(case):
    return case.body if isinstance(case.body, dict) else {}


def _login(case):
    if _body(case).get("code") == CODE:
        case.body["code"] = API.must("POST", "/accounts/bob/invitation", None, ROOT)["code"]


def _waiting_device():
    return API.must("POST", "/device/authorization", {"label": "television"})


def _poll_device(case):
    if _body(case).get("device_code") == DEVICE_CODE:
        device = _waiting_device()
        approval = {"user_code": device["user_code"], "approve": True}
        API.must("POST", "/device/approval", approval, BOB)
        case.body["device_code"] = device["device_code"]


def _approve_device(case):
    if _body(case).get("user_code") == USER_CODE:
        case.body["user_code"] = _waiting_device()["user_code"]


def _end_session(case):
    """Ends another session of the account, never the one that the tests have."""
    own = API.must("GET", "/sessions", None, TOKEN)["items"]
    current = next(session["id"] for session in own if session["is_current"])
    if case.path_parameters.get("session") in ("current", current, SESSION):
        code = API.must("POST", f"/accounts/{WORLD['account']}/invitation", None, ROOT)["code"]
        others = API.must("GET", "/sessions", None, API.log_in(code))["items"]
        other = next(session["id"] for session in others if session["is_current"])
        case.path_parameters["session"] = other


def _end_account_session(case):
    """Ends a session of an account that nobody needs."""
    if case.path_parameters.get("account") in KEPT_ACCOUNTS | {"carl"}:
        case.path_parameters["account"] = "carl"
        API.call("POST", "/accounts", {"name": "carl"}, ROOT)
        if case.path_parameters.get("session") == SESSION:
            code = API.must("POST", "/accounts/carl/invitation", None, ROOT)["code"]
            own = API.must("GET", "/sessions", None, API.log_in(code))["items"]
            case.path_parameters["session"] = own[0]["id"]


def _withdraw_invitation(case):
    if case.path_parameters.get("invitation") == INVITATION:
        API.must("POST", "/accounts/bob/invitation", None, ROOT)
        open_ones = API.must("GET", "/invitations", None, ROOT)["items"]
        case.path_parameters["invitation"] = open_ones[0]["id"]


def _create(case):
    body = _body(case)
    if body.get("name") == NAME:
        body["name"] = f"{NAME}-{uuid.uuid4()}"
    if body.get("public_key") == KEY:
        body["public_key"] = new_key()


def _delete_tunnel(case):
    if case.path_parameters.get("tunnel") in KEPT_TUNNELS | {"spare"}:
        case.path_parameters["tunnel"] = "spare"
        API.call("POST", "/tunnels", {"name": "spare", "public_key": new_key()}, TOKEN)


def _delete_key(case):
    if case.path_parameters.get("key") in (KEY_IN_PATH, _in_path(WORLD["key"])):
        case.path_parameters["key"] = KEY_IN_PATH
        API.call("POST", f"/tunnels/{TUNNEL}/keys", {"public_key": KEY, "label": ""}, BOB)


def _claim_hostname(case):
    if case.path_parameters.get("hostname") == NEW_HOSTNAME:
        API.call("DELETE", f"/tunnels/{TUNNEL}/hostnames/{NEW_HOSTNAME}", None, BOB)


def _release_hostname(case):
    if case.path_parameters.get("hostname") in (NEW_HOSTNAME, WORLD["visited"]):
        case.path_parameters["hostname"] = NEW_HOSTNAME
        API.call("PUT", f"/tunnels/{TUNNEL}/hostnames/{NEW_HOSTNAME}", None, BOB)


def _configuration(case):
    """Web's connector has rules of its own, so that any will do."""
    status, kept = API.call("GET", f"/tunnels/{TUNNEL}/configuration", None, BOB)
    version = kept["version"] if status == 200 else 0
    if status == 404:
        API.must("PUT", f"/tunnels/{TUNNEL}/configuration", {"version": 0, "text": RULES}, BOB)
        version = 1
    if _body(case).get("text") == RULES and _body(case).get("version") == 0:
        case.body["version"] = version


def _account(case):
    if case.path_parameters.get("account") in KEPT_ACCOUNTS | {"carl"}:
        case.path_parameters["account"] = "carl"
        API.call("POST", "/accounts", {"name": "carl"}, ROOT)


PREPARATIONS = {
    "DELETE /accounts/{account}": _account,
    "DELETE /accounts/{account}/sessions/{session}": _end_account_session,
    "DELETE /invitations/{invitation}": _withdraw_invitation,
    "DELETE /sessions/{session}": _end_session,
    "DELETE /tunnels/{tunnel}": _delete_tunnel,
    "DELETE /tunnels/{tunnel}/hostnames/{hostname}": _release_hostname,
    "DELETE /tunnels/{tunnel}/keys/{key}": _delete_key,
    "GET /accounts/{account}/sessions": _account,
    "GET /tunnels/{tunnel}/configuration": _configuration,
    "PATCH /accounts/{account}": _account,
    "POST /accounts": _create,
    "POST /accounts/{account}/invitation": _account,
    "POST /device/approval": _approve_device,
    "POST /device/token": _poll_device,
    "POST /login": _login,
    "POST /tunnels": _create,
    "POST /tunnels/{tunnel}/keys": _create,
    "PUT /tunnels/{tunnel}/configuration": _configuration,
    "PUT /tunnels/{tunnel}/hostnames/{hostname}": _claim_hostname,
}


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path_parameters and case.path_parameters.get("tunnel") == "EXAMPLE":
        case.path_parameters["tunnel"] = TUNNEL
    # Examples are shared between cases, and what is prepared is changed in them.
    if isinstance(case.body, dict):
        case.body = dict(case.body)
    prepare = PREPARATIONS.get(f"{case.method} {case.operation.path}")
    if prepare:
        prepare(case)
    # Each request has a connection, and so an address, of its own.
    case.headers["Connection"] = "close"


# MARK: The way to the edge


def _dial(_address, timeout=None, source_address=None, socket_options=None):
    return socket.create_connection(("127.0.0.1", WORLD["port"]), 20, (next_source(), 0))


urllib3.util.connection.create_connection = _dial


class _EventAdapter(requests.adapters.HTTPAdapter):
    """Reads of `…/events`, which does not end, what comes at once; of the visited tunnel until it
    has told of a visit that is made meanwhile."""

    def send(self, request, **options):
        path = urllib.parse.urlsplit(request.url).path
        if not path.endswith("/events") or request.method != "GET":
            return super().send(request, **options)
        response = super().send(request, **{**options, "stream": True})
        if response.status_code == 200:
            tunnel = urllib.parse.unquote(path.split("/")[-2])
            response._content = self._events(response, tunnel in VISITED_TUNNELS)
        return response

    @staticmethod
    def _events(response, is_visited):
        text = response.raw.read1(65_536)
        if is_visited:
            status = API.visit(WORLD["visited"])
            assert status == 200, f"the visit was answered with {status}"
        while is_visited and b'"request"' not in text:
            piece = response.raw.read1(65_536)
            if not piece:
                break
            text += piece
        response.close()
        return text


_make_session = requests.Session.__init__


def _session(self):
    _make_session(self)
    self.mount("https://", _EventAdapter())


requests.Session.__init__ = _session


# MARK: Checks


@schemathesis.check
def events_are_as_documented(context, response, case):
    """Each line of a stream of events is one, and the visit is among them."""
    if case.operation.label != "GET /tunnels/{tunnel}/events" or response.status_code != 200:
        return
    schema = {
        "$ref": "#/components/schemas/Event",
        "components": case.operation.schema.raw_schema["components"],
    }
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    events = [json.loads(line) for line in response.content.split(b"\n") if line]
    for event in events:
        validator.validate(event)
    if case.path_parameters["tunnel"] in VISITED_TUNNELS:
        assert any(event["kind"] == "request" for event in events), "the visit is not among them"


@schemathesis.check
class EveryOperationSucceeds:
    """An operation that never succeeds was not tested; a member's may be forbidden."""

    def __init__(self):
        self.succeeded = {}

    def after_response(self, context, response, case):
        label = case.operation.label
        if not label.startswith(f"{case.method.upper()} "):
            return
        is_good = response.status_code < 300 or (not IS_ADMIN and response.status_code == 403)
        self.succeeded[label] = self.succeeded.get(label, False) or is_good

    def after_run(self, context):
        failed = sorted(label for label, is_good in self.succeeded.items() if not is_good)
        assert not failed, "never succeeded: " + ", ".join(failed)
        assert API.call("GET", "/account", None, TOKEN)[0] == 200, "the session was lost meanwhile"
