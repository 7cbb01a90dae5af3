"""Settings from the environment."""

import pytest

from gateway.config import ConfigurationError, GatewayConfig, from_environment, parse_listen


def test_nothing_set_means_the_defaults() -> None:
    assert from_environment({"HOME": "/", "DIRSYNC_PUBLIC_URL": " "}) == GatewayConfig()


def test_every_kind_of_setting() -> None:
    readable = __file__
    config = from_environment(
        {
            "DIRSYNC_HTTP_LISTEN": "0.0.0.0:8443",
            "DIRSYNC_SERVICE_TARGET": "dns:///service:50051",
            "DIRSYNC_PUBLIC_URL": "https://dir.example.com/sync/",
            "DIRSYNC_HTTP_TRUST_FORWARDED": "Yes",
            "DIRSYNC_HTTP_MAX_BODY_BYTES": "1000000",
            "DIRSYNC_HTTP_DEADLINE_SECONDS": "7.5",
            "DIRSYNC_LOG_LEVEL": "DEBUG",
            "DIRSYNC_HTTP_TLS_CERT": readable,
            "DIRSYNC_HTTP_TLS_KEY": readable,
            "DIRSYNC_HTTP_TLS_CLIENT_CA": readable,
        }
    )
    assert config == GatewayConfig(
        http_listen="0.0.0.0:8443",
        service_target="dns:///service:50051",
        public_url="https://dir.example.com/sync",
        trust_forwarded=True,
        max_body_bytes=1_000_000,
        deadline_seconds=7.5,
        log_level="debug",
        tls_cert_file=readable,
        tls_key_file=readable,
        tls_client_ca_file=readable,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DIRSYNC_HTTP_LISTEN", "8080"),
        ("DIRSYNC_HTTP_LISTEN", "host:99999"),
        ("DIRSYNC_PUBLIC_URL", "dir.example.com"),
        ("DIRSYNC_PUBLIC_URL", "https://user:pw@dir.example.com"),
        ("DIRSYNC_PUBLIC_URL", "https://dir.example.com/?a"),
        ("DIRSYNC_HTTP_TRUST_FORWARDED", "maybe"),
        ("DIRSYNC_HTTP_MAX_BODY_BYTES", "many"),
        ("DIRSYNC_HTTP_MAX_BODY_BYTES", "0"),
        ("DIRSYNC_HTTP_MAX_BODY_BYTES", "2097153"),
        ("DIRSYNC_HTTP_DEADLINE_SECONDS", "nan"),
        ("DIRSYNC_HTTP_DEADLINE_SECONDS", "-1"),
        ("DIRSYNC_HTTP_KEEP_ALIVE_SECONDS", "7.5"),
        ("DIRSYNC_LOG_LEVEL", "loud"),
        ("DIRSYNC_HTTP_TLS_CERT", "/no/such/file.pem"),
        ("DIRSYNC_HTTP_TLS_CERT", __file__),
        ("DIRSYNC_HTTP_TLS_KEY", __file__),
        ("DIRSYNC_HTTP_TLS_CLIENT_CA", __file__),
        ("DIRSYNC_SERVICE_TLS_CERT", __file__),
    ],
)
def test_a_bad_value_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{variable}: "):
        from_environment({variable: value})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:80", ("::1", 80)),
        (":8080", ("0.0.0.0", 8080)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_listen_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address
