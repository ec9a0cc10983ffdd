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
    reloads: list[int] = []

    def reload(number: int, frame: object) -> None:
        reloads.append(number)
        print("reloaded", flush=True)

    signal.signal(signal.SIGHUP, reload)
    if mode == "hang":
        time.sleep(3600)
    server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket = socket.socket(fileno=int(os.environ["REWARD_GATEWAY_HTTP_FD"]))
    if mode == "deaf":  # from the first signal on, so that it is known to be ready
        server.timeout = 0.05
        while not reloads:
            server.handle_request()
        print("deaf", flush=True)
        time.sleep(3600)
    server.serve_forever()


if __name__ == "__main__":
    main()
