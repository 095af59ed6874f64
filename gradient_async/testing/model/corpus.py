"""The sentences and facts of the text model.

Contract: constants. The sentences share many words, so that most words of the Markov chain have several successors.
Source: none; the text was written for this module.
"""

from __future__ import annotations

TEXT = """
A request is a small letter to a machine that is far away. A good letter says what it wants and nothing more.
A request that waits for its turn is not a request that is lost. The machine reads the letter and sends its
answer word by word. A stream of words is a river that the reader can drink from before it reaches the sea.
The first word of an answer is worth more than the last, because the first word ends the silence.

A limit is a promise that a service makes to everyone who shares it. A rolling limit has a long memory, but it
forgets each request at the right time. A client that respects the limit is never far from its next turn. A
client that ignores the limit spends its time in front of a closed door. The best way to be fast is to be
patient at the right time. A bucket of tokens is a simple clock that counts favours instead of seconds.

A batch is a train of requests that leaves once and arrives when it is ready. The train is slow, but it
carries more than any letter could carry. A batch that is cut in half is still a batch, and its results are
still results. The order of the results is not the order of the requests, so each wagon has its own name on
the door.

An error is an answer too, and often it is the most honest one. A good error says what happened and what to
do. A retry is a second letter, and a second letter is only polite when the first one was surely lost. The
network is a road with holes, and a careful driver knows where the holes are. A connection that was quiet for
a long time may be closed on the other side, and nobody will say so.

A model is a map of many books, drawn by somebody who has read them all in a hurry. A model knows which word
is likely to follow the last, and it knows little else. A high temperature makes the model bold, and a low
temperature makes the model careful. A question with a clear subject is easier to answer than a question
without one. The model writes what it has seen, and it has seen a great many answers to a great many
questions.

A tool is a hand that the model can ask for help. The model says which tool it wants, and the program decides
what is done. The answer of a tool is a new line in the conversation, and the model reads it like any other
line. An agent is a model with a desk, a library and a list of rules. The library is searched before the
answer is written, and the rules are read after it.

The sea is far from the mountains, but the rivers know the way. A city on a river has a bridge, a market and a
story about a flood. In the morning the market is full of bread, and in the evening it is full of music. A
ship that leaves the harbour at night follows the lights of the coast. The captain writes the weather in a
book, and the book is older than the ship. A garden behind the house keeps the heat of the day until the stars
are out.
"""

CAPITALS = {
    "argentina": "Buenos Aires",
    "australia": "Canberra",
    "austria": "Vienna",
    "belgium": "Brussels",
    "brazil": "Brasília",
    "canada": "Ottawa",
    "chile": "Santiago",
    "china": "Beijing",
    "denmark": "Copenhagen",
    "egypt": "Cairo",
    "england": "London",
    "estonia": "Tallinn",
    "finland": "Helsinki",
    "france": "Paris",
    "germany": "Berlin",
    "greece": "Athens",
    "hungary": "Budapest",
    "iceland": "Reykjavík",
    "india": "New Delhi",
    "indonesia": "Jakarta",
    "ireland": "Dublin",
    "italy": "Rome",
    "japan": "Tokyo",
    "kenya": "Nairobi",
    "mexico": "Mexico City",
    "morocco": "Rabat",
    "nepal": "Kathmandu",
    "norway": "Oslo",
    "peru": "Lima",
    "poland": "Warsaw",
    "portugal": "Lisbon",
    "romania": "Bucharest",
    "south korea": "Seoul",
    "spain": "Madrid",
    "sweden": "Stockholm",
    "switzerland": "Bern",
    "thailand": "Bangkok",
    "turkey": "Ankara",
    "ukraine": "Kyiv",
    "vietnam": "Hanoi",
}

GREETING = "Hello! How can I help you today?"

OPENINGS = (
    "Here is what I can say about {subject}.",
    "You asked about {subject}.",
    "Let me think about {subject}.",
    "There is more than one answer to {subject}.",
)

REASONING = (
    "The user wants to know about {subject}.",
    "I should be brief and say what matters first.",
    "There may be another way to read this.",
    "Nothing in the conversation speaks against the obvious reading.",
    "I have what I need to answer.",
)

FUNCTION_WORDS = """
a about an and any are as at be but by can could do does explain for from give have how i if in is it know
like list me more my of on one or please say should so story tell than that the this to us was we what when
where which who why will with word words would write you your
"""
