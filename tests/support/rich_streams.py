"""Streams of messages and of responses with all that these APIs send, and the whole result that each stands for.

Source: the shapes of Anthropic's and OpenAI's streams in public documents of 2025 and 2026; every text is made up.
"""

from typing import Any

Value = dict[str, Any]

# Messages


def start_message(**fields: Any) -> Value:
    usage = {"input_tokens": 5, "output_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 2}, "speed": None}
    message: Value = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
    }
    return {"type": "message_start", "message": message | {"stop_sequence": None, "usage": usage} | fields}


def start_block(index: int | None, **block: Any) -> Value:
    return {"type": "content_block_start", "index": index, "content_block": block}


def add_delta(index: int | None, kind: str, **delta: Any) -> Value:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def stop_block(index: int | None) -> Value:
    return {"type": "content_block_stop", "index": index}


def end_message(reason: str, usage: Value | None = None, **more: Any) -> list[Value]:
    delta = {"stop_reason": reason, "stop_sequence": None} | more.pop("delta", {})
    ending = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9} | (usage or {}), **more}
    return [ending, {"type": "message_stop"}]


SEARCH_RESULT: Value = {
    "type": "web_search_result",
    "url": "https://example.org",
    "encrypted_content": "zz",
    "page_age": None,
}
CITATION: Value = {
    "type": "web_search_result_location",
    "url": "https://example.org",
    "cited_text": "tea",
    "encrypted_index": "7",
}
MESSAGE_STREAMS: dict[str, list[Value]] = {
    "thinking and a tool": [
        start_message(),
        start_block(0, type="thinking", thinking="", signature=""),
        add_delta(0, "thinking_delta", thinking="Let me "),
        add_delta(0, "thinking_delta", thinking="think."),
        add_delta(0, "signature_delta", signature="c2ln"),
        stop_block(0),
        start_block(1, type="redacted_thinking", data="ZGF0YQ=="),
        stop_block(1),
        {"type": "ping"},
        start_block(2, type="tool_use", id="t1", name="find", input={}),
        add_delta(2, "input_json_delta", partial_json=""),
        add_delta(2, "input_json_delta", partial_json='{"q": "t'),
        add_delta(2, "input_json_delta", partial_json='ea"}'),
        stop_block(2),
        start_block(3, type="tool_use", id="t2", name="clock"),
        stop_block(3),
        start_block(4, type="tool_use", id="t3", name="find", input=""),
        add_delta(4, "input_json_delta", partial_json='{"q": 1}'),
        stop_block(4),
        *end_message("tool_use"),
    ],
    "web search with citations": [
        start_message(container=None),
        start_block(0, type="server_tool_use", id="s1", name="web_search", input={}),
        add_delta(0, "input_json_delta", partial_json='{"query": "tea"}'),
        stop_block(0),
        start_block(1, type="web_search_tool_result", tool_use_id="s1", content=[SEARCH_RESULT]),
        stop_block(1),
        start_block(2, type="text", text="", citations=[]),
        add_delta(2, "text_delta", text="Tea "),
        add_delta(2, "citations_delta", citation=CITATION),
        add_delta(2, "text_delta", text="is served."),
        add_delta(2, "citations_delta", citation=CITATION | {"cited_text": "served"}),
        stop_block(2),
        *end_message(
            "end_turn",
            {"server_tool_use": {"web_search_requests": 1}, "cache_creation": {"ephemeral_5m_input_tokens": 3}},
            delta={"container": {"id": "c1", "expires_at": "2026-12-01T00:00:00Z"}, "stop_details": None},
            context_management={"applied_edits": [{"type": "clear_tool_uses", "cleared_tool_uses": 2}]},
        ),
    ],
    "compaction and newer deltas": [
        start_message(),
        start_block(0, type="compaction", content=None),
        add_delta(0, "compaction_delta", content="So far: "),
        add_delta(0, "compaction_delta", content="tea", encrypted_content="zz"),
        stop_block(0),
        start_block(1, type="sketch"),
        add_delta(1, "sketch_delta", strokes=[1], legend={"title": "A", "n": 1}),
        add_delta(1, "sketch_delta", strokes=[2, 3], legend={"title": " map", "n": None}, scale=2.5),
        stop_block(1),
        start_block(2, type="text", text="Done"),
        stop_block(2),
        *end_message("refusal", delta={"stop_details": {"type": "refusal", "category": "x"}}),
    ],
    "an index again": [
        start_message(),
        start_block(0, type="server_tool_use", id="s1", name="bash", input={}),
        stop_block(0),
        start_block(1, type="bash_code_execution_tool_result", tool_use_id="s1", content={"stdout": "4"}),
        stop_block(1),
        start_block(1, type="text", text=""),
        add_delta(1, "text_delta", text="Four"),
        start_block(0, type="text", text=""),
        add_delta(0, "text_delta", text="!"),
        stop_block(0),
        *end_message("end_turn"),
    ],
    "no index": [
        start_message(),
        start_block(None, type="text", text=""),
        add_delta(None, "text_delta", text="a"),
        start_block(None, type="text", text=""),
        add_delta(None, "text_delta", text="b"),
        *end_message("max_tokens"),
    ],
    "a call cut inside its input": [
        start_message(),
        start_block(0, type="tool_use", id="t1", name="find", input={}),
        add_delta(0, "input_json_delta", partial_json='{"q": "te'),
        *end_message("max_tokens"),
    ],
}  # fmt: skip
_HEAD: Value = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
_USAGE: Value = {
    "input_tokens": 5,
    "output_tokens": 9,
    "cache_creation": {"ephemeral_1h_input_tokens": 2},
    "speed": None,
}
WHOLE_MESSAGES: dict[str, Value] = {
    "thinking and a tool": _HEAD | {
        "content": [
            {"type": "thinking", "thinking": "Let me think.", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "ZGF0YQ=="},
            {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "tea"}},
            {"type": "tool_use", "id": "t2", "name": "clock", "input": {}},
            {"type": "tool_use", "id": "t3", "name": "find", "input": {"q": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": _USAGE,
    },
    "web search with citations": _HEAD | {
        "content": [
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "tea"}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [SEARCH_RESULT]},
            {"type": "text", "text": "Tea is served.", "citations": [CITATION, CITATION | {"cited_text": "served"}]},
        ],
        "stop_reason": "end_turn",
        "container": {"id": "c1", "expires_at": "2026-12-01T00:00:00Z"},
        "stop_details": None,
        "context_management": {"applied_edits": [{"type": "clear_tool_uses", "cleared_tool_uses": 2}]},
        "usage": _USAGE | {
            "server_tool_use": {"web_search_requests": 1},
            "cache_creation": {"ephemeral_1h_input_tokens": 2, "ephemeral_5m_input_tokens": 3},
        },
    },
    "compaction and newer deltas": _HEAD | {
        "content": [
            {"type": "compaction", "content": "So far: tea", "encrypted_content": "zz"},
            {"type": "sketch", "strokes": [1, 2, 3], "legend": {"title": "A map", "n": 1}, "scale": 2.5},
            {"type": "text", "text": "Done"},
        ],
        "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "category": "x"},
        "usage": _USAGE,
    },
    "an index again": _HEAD | {
        "content": [
            {"type": "server_tool_use", "id": "s1", "name": "bash", "input": {}},
            {"type": "bash_code_execution_tool_result", "tool_use_id": "s1", "content": {"stdout": "4"}},
            {"type": "text", "text": "Four"},
            {"type": "text", "text": "!"},
        ],
        "stop_reason": "end_turn",
        "usage": _USAGE,
    },
    "no index": _HEAD | {
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "stop_reason": "max_tokens",
        "usage": _USAGE,
    },
    "a call cut inside its input": _HEAD | {
        "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {}, "partial_json": '{"q": "te'}],
        "stop_reason": "max_tokens",
        "usage": _USAGE,
    },
}  # fmt: skip

# Responses


def item_event(ending: str, index: int, **item: Any) -> Value:
    return {"type": f"response.output_item.{ending}", "output_index": index, "item": item}


def part_event(ending: str, index: int, part_index: int = 0, **part: Any) -> Value:
    kind, place = ("reasoning_summary_part", "summary_index") if part["type"] == "summary_text" else ("content_part", "content_index")  # fmt: skip
    return {"type": f"response.{kind}.{ending}", "output_index": index, place: part_index, "part": part}


def piece_event(name: str, index: int, **fields: Any) -> Value:
    return {"type": f"response.{name}", "output_index": index, **fields}


def response_event(name: str, **fields: Any) -> Value:
    response = {"id": "resp_1", "object": "response", "created_at": 1760000000.0, "model": "m", "output": []}
    return {
        "type": f"response.{name}",
        "response": response | {"status": "in_progress", "error": None, "tools": []} | fields,
    }


URL_CITATION: Value = {
    "type": "url_citation",
    "index": 0,
    "url": "https://example.org",
    "start_index": 0,
    "end_index": 3,
}
OUTPUT: list[Value] = [
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "zz", "status": None},
    {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "In short."}, {"type": "summary_text", "text": "Once more."}]},
    {"type": "reasoning", "id": "rs_3", "summary": [], "content": [{"type": "reasoning_text", "text": "At length."}]},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "tea"}},
    {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "tea", "tools": [{"name": "brew", "input_schema": {}}]},
    {"type": "mcp_call", "id": "mcp_1", "server_label": "tea", "name": "brew", "arguments": '{"cups":2}', "output": "done", "error": None},
    {"type": "custom_tool_call", "id": "ctc_1", "status": "completed", "call_id": "c1", "name": "sh", "input": "ls -l"},
    {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "print(4)", "container_id": "cn", "outputs": []},
    {"type": "tool_search_call", "id": "ts_1", "status": "completed", "call_id": None, "execution": "server", "arguments": {"query": "tea"}},
    {"type": "computer_call", "id": "cu_1", "call_id": "c2", "action": {"type": "click", "x": 1}, "pending_safety_checks": [], "status": "completed"},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aW1n"},
    {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "c3", "name": "find", "arguments": '{"q":"tea"}'},
    {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
        {"type": "output_text", "text": "Tea!", "annotations": [URL_CITATION, URL_CITATION], "logprobs": [{"token": "Tea"}, {"token": "!"}]},
        {"type": "refusal", "refusal": "No more."},
        {"type": "output_audio", "data": "YXVkaW8=", "transcript": "Tea"},
    ]},
]  # fmt: skip
_TEXT_PLACE: Value = {"item_id": "msg_1", "content_index": 0}
PIECES: list[Value] = [
    response_event("created"),
    response_event("in_progress"),
    item_event("added", 0, type="reasoning", id="rs_1", summary=[]),
    item_event("done", 0, **OUTPUT[0]),
    item_event("added", 1, type="reasoning", id="rs_2", summary=[]),
    part_event("added", 1, type="summary_text", text=""),
    piece_event("reasoning_summary_text.delta", 1, item_id="rs_2", summary_index=0, delta="In "),
    piece_event("reasoning_summary_text.delta", 1, item_id="rs_2", summary_index=0, delta="short."),
    piece_event("reasoning_summary_text.done", 1, item_id="rs_2", summary_index=0, text="In short."),
    part_event("done", 1, type="summary_text", text="In short."),
    piece_event("reasoning_summary_text.done", 1, item_id="rs_2", summary_index=1, text="Once more."),
    item_event("done", 1, **OUTPUT[1]),
    item_event("added", 2, type="reasoning", id="rs_3", summary=[], content=[]),
    piece_event("reasoning_text.delta", 2, item_id="rs_3", content_index=0, delta="At "),
    piece_event("reasoning_text.delta", 2, item_id="rs_3", content_index=0, delta="length."),
    item_event("done", 2, **OUTPUT[2]),
    item_event("added", 3, type="web_search_call", id="ws_1", status="in_progress"),
    piece_event("web_search_call.searching", 3, item_id="ws_1"),
    piece_event("web_search_call.completed", 3, item_id="ws_1"),
    item_event("done", 3, **OUTPUT[3]),
    item_event("done", 4, **OUTPUT[4]),
    item_event("added", 5, type="mcp_call", id="mcp_1", server_label="tea", name="brew", arguments=""),
    piece_event("mcp_call_arguments.delta", 5, item_id="mcp_1", delta='{"cups"'),
    piece_event("mcp_call_arguments.delta", 5, item_id="mcp_1", delta=":2}"),
    piece_event("mcp_call_arguments.done", 5, item_id="mcp_1", arguments='{"cups":2}'),
    item_event("done", 5, **OUTPUT[5]),
    item_event("added", 6, type="custom_tool_call", id="ctc_1", status="in_progress", call_id="c1", name="sh", input=""),
    piece_event("custom_tool_call_input.delta", 6, item_id="ctc_1", delta="ls "),
    piece_event("custom_tool_call_input.delta", 6, item_id="ctc_1", delta="-l"),
    item_event("done", 6, **OUTPUT[6]),
    item_event("added", 7, type="code_interpreter_call", id="ci_1", status="in_progress", code="", container_id="cn", outputs=[]),
    piece_event("code_interpreter_call_code.delta", 7, item_id="ci_1", delta="print("),
    piece_event("code_interpreter_call_code.delta", 7, item_id="ci_1", delta="4)"),
    piece_event("code_interpreter_call.interpreting", 7, item_id="ci_1"),
    item_event("done", 7, **OUTPUT[7]),
    item_event("added", 8, **OUTPUT[8] | {"arguments": {}}),
    item_event("done", 8, **OUTPUT[8]),
    item_event("done", 9, **OUTPUT[9]),
    item_event("added", 10, type="image_generation_call", id="ig_1", status="in_progress", result=None),
    piece_event("image_generation_call.partial_image", 10, item_id="ig_1", partial_image_index=0, partial_image_b64="aQ=="),
    item_event("done", 10, **OUTPUT[10]),
    item_event("added", 11, type="function_call", id="fc_1", status="in_progress", call_id="c3", name="find", arguments=""),
    piece_event("function_call_arguments.delta", 11, item_id="fc_1", delta='{"q":'),
    piece_event("function_call_arguments.delta", 11, item_id="fc_1", delta='"tea"}'),
    item_event("done", 11, **OUTPUT[11]),
    item_event("added", 12, type="message", id="msg_1", status="in_progress", role="assistant", content=[]),
    part_event("added", 12, type="output_text", text="", annotations=[], logprobs=[]),
    piece_event("output_text.delta", 12, **_TEXT_PLACE, delta="Tea", logprobs=[{"token": "Tea"}]),
    piece_event("output_text.annotation.added", 12, **_TEXT_PLACE, annotation_index=0, annotation=URL_CITATION),
    piece_event("output_text.delta", 12, **_TEXT_PLACE, delta="!", logprobs=[{"token": "!"}], obfuscation="x"),
    piece_event("output_text.annotation.added", 12, **_TEXT_PLACE, annotation_index=1, annotation=URL_CITATION),
    piece_event("output_text.done", 12, **_TEXT_PLACE, text="Tea!"),
    piece_event("refusal.delta", 12, item_id="msg_1", content_index=1, delta="No "),
    piece_event("refusal.delta", 12, item_id="msg_1", content_index=1, delta="more."),
    piece_event("audio.transcript.delta", 12, item_id="msg_1", content_index=2, delta="Tea"),
    piece_event("audio.delta", 12, item_id="msg_1", content_index=2, delta="YXVk"),
    piece_event("audio.delta", 12, item_id="msg_1", content_index=2, delta="aW8="),
]  # fmt: skip
"""The events until all of `OUTPUT` has arrived; the message has come in pieces only."""
USAGE: Value = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "cost": 0.5}
ENDING: list[Value] = [
    item_event("done", 12, **OUTPUT[12]),
    response_event("completed", status="completed", usage=USAGE),
]
