"""Calls a running service; errors become a sentence and an exit code."""

from typing import Any

import typer

from .output import REFUSED, TIMEOUT_S, Unusable, print_error


def fetch_from_service(
    method: str,
    path: str,
    url: str | None,
    api_key: str | None,
    timeout_s: float,
    *,
    content: str | None = None,
    content_type: str = "application/json",
) -> bytes:
    """The service's answer as it is. Raises as :func:`ask_service`."""
    answer: bytes = _send_request(method, path, url, api_key, timeout_s, content, content_type).content
    return answer


def ask_service(
    method: str,
    path: str,
    url: str | None,
    api_key: str | None,
    timeout_s: float,
    *,
    content: str | None = None,
    content_type: str = "application/json",
) -> dict[str, Any]:
    """The service's JSON response.

    Raises:
        Unusable: ``url`` is missing or not an http address.
        typer.Exit: it rejected the request or cannot be reached; the reason is printed to standard error.
    """
    body: dict[str, Any] = _send_request(method, path, url, api_key, timeout_s, content, content_type).json()
    return body


def _send_request(
    method: str,
    path: str,
    url: str | None,
    api_key: str | None,
    timeout_s: float,
    content: str | None,
    content_type: str,
) -> Any:
    if not url or not url.startswith(("http://", "https://")):
        raise Unusable(f"name the running service with --url http://HOST:PORT{f', not {url}' if url else ''}")
    import httpx  # here, so that the other commands start without it

    from reward_gateway.client.tls import ClientTls

    try:
        verify = ClientTls.of().context() if url.startswith("https:") else True
    except (OSError, ValueError) as error:
        raise Unusable(f"REWARD_GATEWAY_CA_FILE or REWARD_GATEWAY_CLIENT_CERTIFICATE: {error}") from None
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    if content is not None:
        headers["content-type"] = content_type
    try:
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, TIMEOUT_S))
        response = httpx.request(
            method, url.rstrip("/") + path, content=content, headers=headers, timeout=timeout, verify=verify
        )
        is_lines = response.is_success and response.headers.get("content-type", "").startswith("application/x-ndjson")
        body: dict[str, Any] = {} if is_lines else response.json()
    except httpx.HTTPError as error:
        print_error(f"the service cannot be reached ({type(error).__name__}); check its address and whether it runs")
        raise typer.Exit(REFUSED) from None
    except ValueError:
        print_error(f"{url} is not a reward gateway (status {response.status_code}); check its address")
        raise typer.Exit(REFUSED) from None
    if not response.is_success:
        reason = body.get("error", {})
        print_error(reason if isinstance(reason, str) else f"{reason.get('message')} ({reason.get('code')})")
        raise typer.Exit(REFUSED)
    return response
