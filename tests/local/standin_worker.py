"""A worker for tests of the supervisor alone: answers /readyz on the socket that it inherits, with its pid."""

import os
import signal
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/die":
            os.kill(os.getpid(), signal.SIGKILL)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    mode = os.environ.get("STANDIN", "serve")
    if mode == "refuse":
        sys.exit(3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, lambda *_: print("reloaded", flush=True))
    if mode == "hang":
        time.sleep(600)
    server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket = socket.socket(fileno=int(os.environ["REWARD_GATEWAY_HTTP_FD"]))
    if mode == "deaf":  # takes one connection, by which it is known to be ready
        server.handle_request()
        time.sleep(600)
    server.serve_forever()


if __name__ == "__main__":
    main()
