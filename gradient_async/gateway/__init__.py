"""The local gateway: one key and one budget for everything that speaks HTTP, behind ``gradient-async proxy``.

Contract: importing this package loads nothing; `server` loads aiohttp's web server. Modules that decide are pure:
`access`, `caller_wishes`, `failures`, `forwarded_request`, `headers`, `prometheus`, `statistics`, `status_page` and
`usage_finder`. `relay` and `server` wait. No prompt and no key is logged or shown.
"""
