"""The pages on operating say what the settings, the chart and the images say."""

import re

from reward_gateway import __version__
from reward_gateway.guide.guide import Guide
from reward_gateway.settings import Settings

from tests.conftest import ROOT

PAGES = ROOT / "service/reward_gateway/guide/pages/operate"


def test_the_limits_are_those_of_the_settings() -> None:
    settings = Settings()
    text = (PAGES / "keys-and-limits.md").read_text(encoding="utf-8")
    assert f"| samples | {settings.max_samples:,} |" in text
    assert f"| body, as sent and decompressed | {settings.max_body_bytes >> 20} MiB |" in text
    assert f"| characters of a text | {settings.max_text_chars:,} |" in text
    megapixels = settings.max_image_pixels // 1_000_000
    assert f"| an image | {settings.max_image_bytes >> 20} MiB, {megapixels} megapixels |" in text
    assert f"| headers | {settings.max_header_bytes >> 10} KiB, {settings.max_headers} of them |" in text
    assert f"| requests worked on | {settings.max_in_flight} |" in text
    assert f"| connections | {settings.max_connections:,};" in text
    assert f"| predicted wait | {settings.max_queue_wait_s:.0f} s" in text
    assert (settings.http_host, settings.media_urls, settings.allow_untrusted_code) == ("127.0.0.1", False, False)


def test_the_timeouts_to_set_are_those_of_the_settings() -> None:
    settings = Settings()
    text = (PAGES / "production-and-sizing.md").read_text(encoding="utf-8")
    assert f"| {settings.default_deadline_s:.0f} s, {settings.max_deadline_s:.0f} s |" in text
    assert f"| `--max-queue-wait-s` | {settings.max_queue_wait_s:.0f} s |" in text
    assert (settings.cache_ttl_s, "| `--cache-ttl-s` | 1 day |" in text) == (86_400, True)
    assert f"| `--idempotency-ttl-s` | {settings.idempotency_ttl_s:.0f} s |" in text
    assert f"| `--job-expires-s` | {settings.job_expires_s:,} s |" in text


def test_the_footer_of_every_page_has_the_version() -> None:
    assert f"reward-gateway {__version__}</footer>" in Guide().render_page("operate/deploy")


def test_the_version_is_the_one_that_is_built() -> None:
    for name in ("deploy.md", "upgrade-and-versioning.md"):
        text = (PAGES / name).read_text(encoding="utf-8")
        tagged = re.findall(r"(?:reward-gateway(?:-triton)?:|image\.tag=)(\d[\w.]*)", text)
        assert tagged
        assert set(tagged) == {__version__}
