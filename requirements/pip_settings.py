"""Print pip's settings on this machine as uv's, as shell ``export`` lines: a mirror set for pip serves uv too."""

import shlex
import subprocess
import sys

# pip's own order: its files, then the environment.
SCOPES = ("global", "install", ":env:")
NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}


def main() -> None:
    """Ask pip, translate, print."""
    listing = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    settings: dict[str, str] = {}
    for scope in SCOPES:
        for line in listing.splitlines():
            key, _, value = line.partition("=")
            name = key.removeprefix(scope).lstrip(".")
            if key.startswith(scope) and name in NAMES:
                # pip divides lists by white space or newlines, which its listing shows escaped
                settings[NAMES[name]] = " ".join(value.strip("'\"").replace("\\n", " ").split())
    if "UV_FIND_LINKS" in settings:
        settings["UV_FIND_LINKS"] = settings["UV_FIND_LINKS"].replace(" ", ",")
    for name, value in settings.items():
        print(f": ${{{name}:={shlex.quote(value)}}}; export {name}")


if __name__ == "__main__":
    main()
