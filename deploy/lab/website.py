"""The target's web server: a small shop page, so that attacks and customers have something to ask."""

from __future__ import annotations

import argparse
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PAGES = {
    "/": b"<html><title>Harbour Supplies</title><a href=/catalogue>catalogue</a></html>\n",
    "/catalogue": b"<html><title>Catalogue</title>rope, anchors, lamps</html>\n",
}


class Page(BaseHTTPRequestHandler):
    """Answers GET from the table; everything else is not found."""

    server_version = "shop/1.0"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request."""
        body = _PAGES.get(self.path)
        self.send_response(200 if body else 404)
        body = body or b"not found\n"
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    given = parser.parse_args()
    ThreadingHTTPServer((given.address, given.port), Page).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
