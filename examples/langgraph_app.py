"""A LangGraph agent behind FastAPI: tokens as they come, and no model that goes on for a reader who left.

Run it with ``uvicorn --app-dir examples langgraph_app:app``; the key comes from MODEL_ACCESS_KEY. `web_parts` says how
several workers share one budget.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from langgraph.graph import START, MessagesState, StateGraph
from web_parts import MODEL, STREAM_HEADERS, describe_error, open_session

from gradient_async import AsyncSession, GradientError
from gradient_async.integrations.langchain import ChatGradient


def build_graph(session: AsyncSession) -> Any:
    """Return an agent with one node, which asks the model; its requests share the budget of *session*."""
    model = ChatGradient(session=session, model=MODEL)

    async def ask_model(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return StateGraph(MessagesState).add_node("model", ask_model).add_edge(START, "model").compile()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open one session for this worker and close it in the end."""
    async with open_session() as session:
        app.state.session, app.state.graph = session, build_graph(session)
        yield


app = FastAPI(lifespan=lifespan)


async def stream_tokens(request: Request, messages: list[dict[str, str]]) -> AsyncIterator[str]:
    """Yield the tokens of all nodes as events, or the error that ended them.

    LangGraph runs its nodes in tasks of their own. Leaving its stream without closing it would leave them running.
    """
    try:
        async with aclosing(request.app.state.graph.astream({"messages": messages}, stream_mode="messages")) as parts:
            async for part, _ in parts:
                yield f"data: {json.dumps({'text': part.text})}\n\n"
    except GradientError as error:
        _, _, body = describe_error(error, request.app.state.session)
        yield f"event: error\ndata: {json.dumps(body)}\n\n"


@app.post("/stream")
async def stream(request: Request) -> StreamingResponse:
    """Stream what the agent says; when the client disconnects, the server cancels the graph and its model's stream."""
    messages = (await request.json())["messages"]
    return StreamingResponse(stream_tokens(request, messages), media_type="text/event-stream", headers=STREAM_HEADERS)
