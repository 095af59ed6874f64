"""The endpoints, paths, names and bodies of the batch API."""

from __future__ import annotations

from typing import Any

import pytest

from gradient_async import BatchValidationError, ConfigurationError
from gradient_async._protocol.batch.api_requests import (
    BatchLimits,
    batch_path,
    build_create_body,
    derive_file_name,
    list_path,
    validate_file_name,
    without_endpoint,
)


@pytest.mark.parametrize("batch_id", ["../models", "a/b", "a?b", "a b", "é"])
def test_an_id_adds_no_segment_to_the_path(batch_id: str) -> None:
    path = batch_path(batch_id, "/results")
    assert path.count("/") == 4
    assert "?" not in path


def test_a_list_path_has_only_the_given_parameters() -> None:
    assert list_path(limit=20, after=None, status=None) == "/v1/batches?limit=20"
    assert list_path(limit=5, after="a+b/=", status="failed").endswith("limit=5&after=a%2Bb%2F%3D&status=failed")


def test_a_create_body_omits_fields_that_are_none() -> None:
    facts: dict[str, Any] = {"file_id": "f", "request_id": "r", "provider": "anthropic", "completion_window": "24h"}
    assert build_create_body(**facts, endpoint=None, metadata=None) == facts
    assert build_create_body(**facts, endpoint="/v1/messages", metadata={"a": "b"})["metadata"] == {"a": "b"}


def test_only_anthropic_may_lose_its_endpoint() -> None:
    body = {"provider": "anthropic", "endpoint": "/v1/messages", "request_id": "r"}
    assert without_endpoint(body) == {"provider": "anthropic", "request_id": "r"}
    assert without_endpoint({**body, "provider": "openai"}) is None
    assert without_endpoint({"provider": "anthropic"}) is None


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        BatchLimits(requests=0)


@pytest.mark.parametrize("name", ["a.jsonl", "A.JSONL", "a b.jsonl"])
def test_a_file_name_with_jsonl_is_valid(name: str) -> None:
    assert validate_file_name(name) == name


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl.gz", "jsonl", ".jsonl", ""])
def test_a_file_name_without_jsonl_is_refused(name: str) -> None:
    with pytest.raises(BatchValidationError, match=r"must end with \.jsonl") as caught:
        validate_file_name(name)
    assert caught.value.total == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/prompts.jsonl", "prompts.jsonl"),
        ("C:\\data\\Prompts.JSONL", "Prompts.JSONL"),
        ("prompts.jsonl.gz", "prompts.jsonl"),
        ("prompts.txt", "prompts.jsonl"),
        ("prompts", "prompts.jsonl"),
        (".jsonl", "batch.jsonl"),
        ("", "batch.jsonl"),
    ],
)
def test_a_valid_file_name_is_derived_from_any_path(path: str, name: str) -> None:
    assert validate_file_name(derive_file_name(path)) == name
