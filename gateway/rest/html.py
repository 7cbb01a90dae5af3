"""The few pages of the portal as HTML: no script, nothing from elsewhere."""

import base64
import hashlib
from html import escape
from typing import Final

MEDIA_TYPE: Final = b"text/html; charset=utf-8"
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f27; --soft: #5b6472; --paper: #f4f5f7; --card: #fff; --line: #e1e4ea;
  --accent: #2f5bea; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaef; --soft: #9aa3b2; --paper: #14161b; --card: #1c1f26;
  --line: #2c313b; --accent: #6d8dff; --on-accent: #10131a; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 460px; padding: 40px; background: var(--card); border: 1px solid var(--line);
  border-radius: 14px; box-shadow: 0 1px 2px rgb(0 0 0 / 6%), 0 12px 32px rgb(0 0 0 / 6%); }
h1 { margin: 0 0 12px; font-size: 24px; line-height: 1.25; letter-spacing: -0.01em; overflow-wrap: anywhere; }
p { margin: 0 0 20px; color: var(--soft); }
p:last-child { margin-bottom: 0; }
form { margin: 28px 0 20px; }
button, a.button { display: block; width: 100%; padding: 13px 20px; border: 0; border-radius: 9px; cursor: pointer;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; text-align: center;
  text-decoration: none; }
button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
.eyebrow { margin-bottom: 8px; font-size: 13px; font-weight: 600; letter-spacing: 0.04em; text-transform: uppercase; }
.fine { font-size: 14px; }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
).encode()


def opening(secret: str) -> bytes:
    """The page that asks whether to open the link."""
    return _document(
        "Set up directory sync",
        '<p class="eyebrow">Directory sync</p><h1>Set up your directory</h1>'
        "<p>You were invited to connect your company's directory, so that its people and groups reach the application"
        " that sent you here.</p>"
        f'<form method="post" action="launch"><input type="hidden" name="token" value="{escape(secret)}">'
        "<button>Continue</button></form>"
        '<p class="fine">This link opens once. Continue in the browser in which you will do the setup.</p>',
    )


def welcome(organization_name: str, return_url: str) -> bytes:
    """The page of an opened link."""
    back = ""
    if return_url.startswith(("https://", "http://")):
        back = f'<p><a class="button" rel="noreferrer" href="{escape(return_url)}">Back to the application</a></p>'
    return _document(
        organization_name,
        f'<p class="eyebrow">Directory sync</p><h1>{escape(organization_name)}</h1>'
        "<p>Your link is open. The pages for setting up a directory here are still to come; until then, whoever sent"
        f" you the link can give you the address and the token to enter at your identity provider.</p>{back}",
    )


def notice(title: str, text: str) -> bytes:
    """A page with a heading and a sentence."""
    return _document(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>")


def _document(title: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    ).encode()
