"""What an endpoint's URL may and may not make this host connect to."""

from ipaddress import ip_address

import pytest

from gateway.addresses import AddressPolicy, AddressRefused, public
from gateway.config import hosts, networks

INWARD = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1", "192.0.0.1",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1",
    "::ffff:8.8.8.8", "::ffff:127.0.0.1", "64:ff9b::8.8.8.8",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254",
    "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip
OUTWARD = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("text", INWARD)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not public(ip_address(text))
    host = f"[{text}]" if ":" in text else text
    with pytest.raises(AddressRefused):
        AddressPolicy().check_url(f"https://{host}/hook")


@pytest.mark.parametrize("text", OUTWARD)
def test_public_addresses(text: str) -> None:
    assert public(ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https:///path",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://example.0x7f/",
        "https://[::1%25lo]/",
        "https://[::1",
        "https://①②⑦.0.0.1/",
        "https://localhost/",
        "https://LocalHost./",
        "https://app.localhost/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "file:///etc/passwd",
    ],
)
def test_refused_urls(url: str) -> None:
    with pytest.raises(AddressRefused):
        AddressPolicy().check_url(url)


def test_names_are_resolved_later() -> None:
    assert AddressPolicy().check_url("https://Hooks.Example.com./x?y") == "hooks.example.com"
    assert AddressPolicy(allow_http=True).check_url("http://example.com:8080/") == "example.com"


def test_what_an_operator_opens() -> None:
    policy = AddressPolicy(hosts=hosts("Receiver.internal, other"), networks=networks("10.1.0.0/16 fd00::/8"))
    assert policy.allows("receiver.internal", ip_address("192.168.0.1"))
    assert policy.allows("a.example", ip_address("10.1.2.3"))
    assert policy.allows("a.example", ip_address("fd00::1"))
    assert not policy.allows("a.example", ip_address("10.2.0.1"))
    assert not policy.allows("a.example", ip_address("::ffff:10.1.2.3"))
    assert policy.check_url("https://10.1.2.3/")


@pytest.mark.parametrize(
    ("url", "setting"),
    [
        ("http://a.example/", "DIRSYNC_WEBHOOK_ALLOW_HTTP"),
        ("https://10.0.0.1/", "DIRSYNC_WEBHOOK_ALLOWED_HOSTS or DIRSYNC_WEBHOOK_ALLOWED_NETWORKS"),
        ("https://localhost/", "DIRSYNC_WEBHOOK_ALLOWED_HOSTS or DIRSYNC_WEBHOOK_ALLOWED_NETWORKS"),
        ("https://127.1/", ""),
    ],
)
def test_a_refusal_names_what_would_open_it(url: str, setting: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        AddressPolicy().check_url(url)
    assert caught.value.setting == setting


def test_this_host_by_name() -> None:
    assert AddressPolicy(networks=networks("127.0.0.0/8")).check_url("https://localhost/") == "localhost"
    assert AddressPolicy(networks=networks("::1/128")).check_url("https://localhost./") == "localhost"
    assert AddressPolicy(hosts=hosts("app.localhost")).check_url("https://app.localhost/") == "app.localhost"


def test_a_broken_network_names_itself() -> None:
    with pytest.raises(ValueError, match=r"'10\.0\.0\.1/8' is not a network"):
        networks("10.0.0.1/8")
