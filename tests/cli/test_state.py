"""``state``: what an operator does about the named state of a running service."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(("accepted", "said"), [(True, "begins anew"), (False, "nothing was changed")])
def test_the_loss_of_state_is_accepted_through_the_service(run: Run, accepted: bool, said: str) -> None:
    asked: list[tuple[str, str | None]] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, self.headers["authorization"]))
            body = json.dumps({"accepted": accepted}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.handle_request).start()
    ended = run("state", "accept-reset", "--url", f"http://127.0.0.1:{server.server_port}", "--api-key", "secret-key")
    server.server_close()
    assert (ended.code, asked) == (0, [("/v1/state:accept-reset", "Bearer secret-key")])
    assert said in ended.err
