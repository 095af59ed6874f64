"""Exchanges of several processes in any order, some of them lost, late or repeated, with the script in a real Redis."""

import math
import time
import uuid
from collections import Counter
from collections.abc import Sequence

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradient_async._io.rate_limit.wait_queue import Waiter
from gradient_async._protocol.rate_limit.priority_queue import PriorityQueue
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.limits.redis.budget import SharedBudget
from gradient_async.limits.redis.exchange_protocol import ExchangeProtocol
from gradient_async.limits.redis.lua_script import EXCHANGE
from gradient_async.limits.redis.messages import Exchange
from gradient_async.limits.redis.models import SharedModels
from gradient_async.limits.redis.replies import Reply, parse_reply
from gradient_async.models.response_meta import RateLimitInfo

CAPACITY, HOUR = 10, 3600.0
LIMITS = RateLimits(windows=[(CAPACITY, HOUR)])
TOKENS = 40
TOKEN_LIMITS = RateLimits(windows=[(1000, HOUR)], tokens_per_minute=TOKENS)
QUOTAS: dict[str | None, int] = {"large": 8, "small": 5}
"""Tokens per day of each model, which are hardly refilled during a test; a request takes one."""


class Process:
    """One process of a budget, whose requests are sent as soon as they are granted.

    Attributes:
        permits: Names of the permits that it was granted and did not refund.
        tokens: Model tokens of each of them.
        late: A message that Redis has not executed yet, though the process gave up on it.
    """

    def __init__(self, client: redis.Redis, key: str, limits: RateLimits = LIMITS) -> None:
        self._client = client
        self.budget = SharedBudget(key, limits, share=0.25, guard=0.0)
        self._models = SharedModels(guard=0.0, share=1.0)
        self._protocol = ExchangeProtocol(self.budget, self._models)
        self.permits: list[str] = []
        self.tokens: Counter[str] = Counter()
        self.served: Counter[str | None] = Counter()
        self.late: Exchange | None = None

    def learn_quotas(self) -> None:
        """Learn the quotas of all models, as from a response to each."""
        now = time.monotonic()
        for model, limit in QUOTAS.items():
            info = RateLimitInfo(limit_tokens_per_day=limit, remaining_tokens_per_day=limit)
            budget = self._models.budgets.add_model(model, now)
            budget.apply_headers(info, refused=False, sent_at=now, now=now, server_now=now)
            self._models.share_limits(model, now)

    def build_message(self, count: int, model: str | None = None, costs: Sequence[int] = ()) -> Exchange:
        """Return a message that asks for *count* permits for *model*; each takes one token, or one of *costs*."""
        waiters: PriorityQueue[Waiter] = PriorityQueue()
        for _, cost in zip(range(count), [*costs, *[1] * count], strict=False):
            waiters.push(Waiter("interactive", None, cost, hold=False, model=model, since=0.0), "interactive")
        return self._protocol.build_exchange(waiters.peek(), waiters, time.monotonic())

    def execute(self, message: Exchange) -> object:
        """Run the script with *message*."""
        return self._client.eval(EXCHANGE, len(message.keys), *message.keys, message.to_json())

    def ask(self, count: int, *, model: str | None = None, times: int = 1, costs: Sequence[int] = ()) -> Reply:
        """Ask for *count* permits in a message that Redis executes *times* times; take what is granted."""
        message, sent_at = self.build_message(count, model, costs), time.monotonic()
        for _ in range(times):
            reply = parse_reply(self.execute(message), message)
        now = time.monotonic()
        self._protocol.apply_reply(message, reply, sent_at=sent_at, now=now)
        for name, cost in zip(reply.names, message.costs or [1] * count, strict=False):
            self.budget.usage.add_permit(name, now, hold=False, tokens=cost)
            self.permits.append(name)
            self.tokens[name] = cost
            self.served[model] += 1
            if model is not None:
                self._models.budgets.by_model[model].take(now, 1, hold=False)
        return reply

    def lose_reply(self, count: int, *, model: str | None = None, is_late: bool, costs: Sequence[int] = ()) -> None:
        """Ask for *count* permits in a message whose reply is lost; Redis may execute it later."""
        message = self.build_message(count, model, costs)
        if is_late:
            self.late = message
        else:
            self.execute(message)
        self._protocol.abandon_exchange(message)

    def refund(self) -> None:
        """Give back the oldest permit."""
        if self.permits:
            name = self.permits.pop(0)
            self.budget.usage.remove_permit(name, time.monotonic())
            self.budget.pending.outcomes[name] = None
            del self.tokens[name]

    def settle(self, tokens: int) -> None:
        """Replace the estimate of the newest permit by *tokens*."""
        if self.permits:
            name = self.permits[-1]
            outcome = self.budget.usage.correct_tokens(name, time.monotonic(), tokens)
            if outcome is not None:
                self.budget.pending.outcomes[name] = outcome
            self.tokens[name] = tokens

    def carry_out(self, operation: str, count: int, *, model: str | None = None, costs: Sequence[int] = ()) -> None:
        """Carry out an *operation* of a property test on the messages or permits of this process; ignore others."""
        if operation in ("ask", "repeat"):
            self.ask(count, model=model, costs=costs, times=1 if operation == "ask" else 2)
        elif operation in ("lose", "delay"):
            self.lose_reply(count, model=model, costs=costs, is_late=operation == "delay")
        elif operation == "arrive" and self.late is not None:
            self.ask(0)  # a process goes on before what it gave up on arrives
            self.execute(self.late)
        elif operation == "refund":
            self.refund()

    def recover(self) -> None:
        """Look at Redis until everything is written; the pause is over at once."""
        self.ask(0)
        while self.budget.pending:
            self.ask(0)
        self.budget.usage.full_bucket.paused_until = -math.inf


def recover_all(client: redis.Redis, key: str, processes: Sequence[Process]) -> None:
    """Let every process look at Redis until everything is written, and end the pause."""
    for process in processes:
        process.recover()
    client.zrem(key, "pause")


def lose_key(client: redis.Redis, key: str, processes: Sequence[Process]) -> None:
    """Delete the key, and let every process notice and recover."""
    recover_all(client, key, processes)
    recover_all(client, key, processes)  # all have seen what the others wrote, and look again within the pause
    client.delete(key)
    recover_all(client, key, processes)


OPERATIONS = st.tuples(
    st.sampled_from(["ask", "repeat", "lose", "delay", "arrive", "refund", "delete"]),
    st.integers(0, 2),
    st.integers(1, 6),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATIONS, max_size=25))
def test_processes_never_hold_more_than_the_budget_and_get_all_of_it(
    url: str, operations: list[tuple[str, int, int]]
) -> None:
    key = f"{{{uuid.uuid4()}}}"
    with redis.Redis.from_url(url) as client:
        processes = [Process(client, key) for _ in range(3)]
        for operation, number, count in operations:
            if operation == "delete":
                lose_key(client, key, processes)
            else:
                processes[number].carry_out(operation, count)
            assert sum(len(each.permits) for each in processes) <= CAPACITY
        recover_all(client, key, processes)
        free = CAPACITY - sum(len(each.permits) for each in processes)
        assert len(processes[0].ask(CAPACITY).names) == free
        client.delete(key)


MODEL_OPERATIONS = st.tuples(
    st.sampled_from(["ask", "repeat", "lose", "delay", "arrive"]),
    st.integers(0, 2),
    st.integers(1, 6),
    st.sampled_from(list(QUOTAS)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(MODEL_OPERATIONS, max_size=25))
def test_processes_never_exceed_the_quota_of_a_model_and_use_it_up(
    url: str, operations: list[tuple[str, int, int, str | None]]
) -> None:
    key, is_lossless = f"{{{uuid.uuid4()}}}", all(operation[0] in ("ask", "repeat") for operation in operations)
    with redis.Redis.from_url(url) as client:
        processes = [Process(client, key) for _ in range(3)]
        for process in processes:
            process.learn_quotas()
        for operation, number, count, model in operations:
            processes[number].carry_out(operation, count, model=model)
            served = sum((each.served for each in processes), Counter[str | None]())
            assert served.total() <= CAPACITY
            assert all(served[model] <= limit for model, limit in QUOTAS.items())
        if is_lossless:
            served = sum((each.served for each in processes), Counter[str | None]())
            for model, limit in QUOTAS.items():
                wanted = min(CAPACITY - served.total(), limit - served[model])
                granted = [len(each.ask(limit, model=model).names) for each in processes * 2]
                assert sum(granted) == wanted
                served[model] += wanted
        client.delete(key)


TOKEN_OPERATIONS = st.tuples(
    st.sampled_from(["ask", "repeat", "lose", "delay", "arrive", "refund", "settle", "delete"]),
    st.integers(0, 2),
    st.lists(st.integers(0, TOKENS), max_size=6),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(TOKEN_OPERATIONS, max_size=25))
def test_processes_never_estimate_more_tokens_than_the_limit_and_get_all_of_them(
    url: str, operations: list[tuple[str, int, list[int]]]
) -> None:
    key = f"{{{uuid.uuid4()}}}"
    with redis.Redis.from_url(url) as client:
        processes = [Process(client, key, TOKEN_LIMITS) for _ in range(3)]
        for operation, number, costs in operations:
            process = processes[number]
            if operation == "delete":
                lose_key(client, key, processes)
            elif operation == "settle" and process.permits:
                process.settle(min([process.tokens[process.permits[-1]], *costs]))
            else:
                process.carry_out(operation, len(costs), costs=costs)
            assert sum(each.tokens.total() for each in processes) <= TOKENS
        recover_all(client, key, processes)
        free = TOKENS - sum(each.tokens.total() for each in processes)
        assert len(processes[0].ask(TOKENS + 1).names) == free
        assert processes[0].budget.tokens_used == TOKENS
        client.delete(key)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3 * TOKENS), st.integers(0, 3 * TOKENS))))
def test_a_request_of_any_size_fits_beside_what_counts_or_is_alone(
    url: str, operations: list[tuple[int, int, int]]
) -> None:
    key, spent = f"{{{uuid.uuid4()}}}", 0
    with redis.Redis.from_url(url) as client:
        processes = [Process(client, key, TOKEN_LIMITS) for _ in range(3)]
        for number, cost, used in operations:
            process = processes[number]
            for each in processes:
                each.ask(0)  # nobody waits any more
            is_granted = bool(process.ask(1, costs=[cost]).names)
            assert is_granted == (spent + min(cost, TOKENS) <= TOKENS)
            if is_granted:
                process.settle(used)
            spent = sum(each.tokens.total() for each in processes)
        for process in processes:
            process.ask(0)
        assert processes[-1].budget.tokens_used == spent
        client.delete(key)
