"""What a proxy does to a connection, and a random choice of it.

Contract: pure; the generator of random numbers is an argument.
"""

from __future__ import annotations

from random import Random
from typing import Literal, get_args

import attrs

Action = Literal["cut", "reset", "black hole", "half close", "doubled answer", "forged answer", "garbage"]
Moment = Literal["accept", "request", "response", "idle"]

ANSWERS: tuple[Action, ...] = ("doubled answer", "forged answer", "garbage")
"""What is sent without having been asked for, and only when no request is under way.

HTTP/1.1 numbers no responses: bytes that arrive behind the next request are its response, for any client.
"""
ENDS: tuple[Action, ...] = tuple(action for action in get_args(Action) if action not in ANSWERS)
FORGED_TEXT = "an answer that nobody asked for"
_BODY = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "%b"}}]}' % FORGED_TEXT.encode()
FORGED_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_BODY),
    _BODY,
)


@attrs.frozen
class Fault:
    """What happens once to a connection, and when.

    Attributes:
        action: What happens.
        moment: When: once the connection is accepted; at the first byte of a request, which is not passed on; within
            the responses; or once a response is complete.
        number: Of ``request`` and ``idle``, the number of the request, from 1; of ``response``, the number of bytes of
            all responses that are passed on before it.
        seconds: The delay of an ``idle`` fault.
    """

    action: Action
    moment: Moment
    number: int = 1
    seconds: float = 0.0


@attrs.frozen
class ConnectionPlan:
    """What happens to one connection.

    Attributes:
        accept_delay: Seconds before it is accepted.
        latency: Seconds before each block is passed on, in both directions.
        drip: Maximum number of bytes of a response that are passed on at once; None for any.
        fault: What breaks it; None for nothing.
    """

    accept_delay: float = 0.0
    latency: float = 0.0
    drip: int | None = None
    fault: Fault | None = None


def draw_plan(random: Random, odds: float) -> ConnectionPlan:
    """Return a plan that breaks its connection with the probability *odds*, and may slow it down."""
    return ConnectionPlan(
        accept_delay=random.choice((0.0, 0.0, 0.0, 0.005)),
        latency=random.choice((0.0, 0.0, 0.0, 0.001, 0.003)),
        drip=random.choice((None, None, None, 1, 7, 100)),
        fault=draw_fault(random) if random.random() < odds else None,
    )


def draw_fault(random: Random) -> Fault:
    """Return a fault; the numbers reach from the first byte of the first response to the end of the third."""
    moment: Moment = random.choice(get_args(Moment))
    seconds = random.choice((0.0, 0.0, 0.002))
    if moment == "idle":
        return Fault(random.choice((*ENDS, *ANSWERS, *ANSWERS)), "idle", random.randint(1, 3), seconds)
    action = random.choice((*ENDS, "garbage") if moment == "accept" else ENDS)
    if moment == "response":
        return Fault(action, moment, random.choice((0, random.randint(1, 60), random.randint(1, 4000))))
    return Fault(action, moment, random.randint(1, 3))
