#!/usr/bin/env python3
"""The official `openai` client and LangChain's OpenAIEmbeddings against `kith serve`.

Vectors have to be those of `kith encode` to the last bit, and answers those of `kith
search`. Prints TAP; skipped where the clients are not installed (tools/setup makes an
environment that has them).

usage: clients.py KITH
"""

import asyncio
import base64
import json
import struct
import sys

from tap import Tap, skip_all
from work import REAL, ROOT, Work

try:
    import openai
    from langchain_openai import OpenAIEmbeddings
except ImportError as missing:
    skip_all(f"{missing}: tools/setup makes an environment that has it")

KEY = "a key for this test"
N_CONCURRENT = 32
LONG = "The bank lends money to the river authority. " * 60
TEXTS = [
    "Today is a sunny day",
    "The weather today is beautiful",
    "x",
    " ",
    LONG,
    "Zoë paid 12.50 € for a crème brûlée at the café.",
    "東京は日本の首都です。",
    "no space👍🏻between words and 🎉emoji🎉",
    'line\nfeed\tand "quotes" \\ \x01 \x7f',
    *(f"Sentence number {n}: " + "word " * n for n in range(55)),
]
QUERY = "my dog ate chocolate"
FILTERS = (
    ({"type": "eq", "key": "topic", "value": "cars"}, 'topic = "cars"'),
    ({"type": "ne", "key": "topic", "value": "pets"}, 'topic != "pets"'),
    ({"type": "gte", "key": "topic", "value": "t"}, 'topic >= "t"'),
    (
        {"type": "in", "key": "topic", "value": ["cars", "travel"]},
        'topic IN ("cars", "travel")',
    ),
    (
        {
            "type": "or",
            "filters": [
                {"type": "eq", "key": "topic", "value": "cars"},
                {
                    "type": "and",
                    "filters": [
                        {"type": "gt", "key": "topic", "value": "p"},
                        {
                            "type": "nin",
                            "key": "topic",
                            "value": ["pets", "travel"],
                        },
                    ],
                },
            ],
        },
        'topic = "cars" OR topic > "p" AND topic NOT IN ("pets", "travel")',
    ),
)


class Reference:
    """What the program itself says."""

    def __init__(self, work):
        self.work = work

    def vectors(self, texts):
        """The bytes of `kith encode` for each text."""
        lines = "".join(json.dumps({"t": text}) + "\n" for text in texts)
        data = self.work.run(
            "encode",
            "-",
            "--text-field",
            "t",
            "--format",
            "f32",
            "--quiet",
            data=lines.encode(),
        )
        size = len(data) // len(texts)
        return [data[i * size : (i + 1) * size] for i in range(len(texts))]

    def tokens(self, text):
        """Token ids, cut at the limit, and how many were cut."""
        lines = json.dumps({"t": text}) + "\n"
        printed = self.work.run(
            "tokens", "--jsonl", "-", "--text-field", "t", data=lines.encode()
        )
        told = json.loads(printed)
        return told["ids"], told["truncated"]

    def search(self, query, *options):
        """Ids, scores and texts of `kith search`."""
        found = self.work.json("search", "faq.kith", query, *options, statuses=(0, 1))
        return [(hit["id"], hit["score"], hit["text"]) for hit in found["hits"]]


def bits(vector):
    """The bytes of a vector that a client gives as numbers."""
    return struct.pack(f"<{len(vector)}f", *vector)


def check_embeddings(tap, client, model, reference):
    expected = reference.vectors(TEXTS)

    def embed(texts, **more):
        return client.embeddings.create(model=model, input=texts, **more)

    got = embed(TEXTS)
    tap.equal(
        "texts: an answer each, in order",
        [d.index for d in got.data],
        list(range(len(TEXTS))),
    )
    tap.equal(
        "texts, as the client asks by itself: the bits of kith encode",
        [bits(d.embedding) for d in got.data],
        expected,
    )
    tap.equal(
        "objects, model",
        (got.object, got.data[0].object, got.model),
        ("list", "embedding", model),
    )
    counts = [reference.tokens(text) for text in TEXTS]
    n_tokens = sum(len(ids) for ids, _ in counts)
    tap.equal(
        "usage: the tokens that the model sees", got.usage.prompt_tokens, n_tokens
    )
    tap.equal("usage: total_tokens", got.usage.total_tokens, n_tokens)
    tap.equal(
        "truncated: the texts that were cut",
        got.truncated,
        sum(n_cut > 0 for _, n_cut in counts),
    )
    got = embed(TEXTS, encoding_format="base64")
    tap.equal(
        "base64: the bits of kith encode",
        [base64.b64decode(d.embedding, validate=True) for d in got.data],
        expected,
    )
    got = embed(TEXTS, encoding_format="float")
    tap.equal(
        "float: nine digits give the same bits",
        [bits(d.embedding) for d in got.data],
        expected,
    )
    got = embed(TEXTS[0])
    tap.equal("a string", [bits(d.embedding) for d in got.data], expected[:1])
    got = embed(TEXTS[0], user="somebody", dimensions=len(expected[0]) // 4)
    tap.equal(
        "user, and dimensions as the model has them",
        [bits(d.embedding) for d in got.data],
        expected[:1],
    )


def check_token_ids(tap, client, model, reference):
    expected = reference.vectors(TEXTS)
    counts = [reference.tokens(text) for text in TEXTS]

    def embed(ids):
        return client.embeddings.create(model=model, input=ids)

    whole = [i for i, (_, n_cut) in enumerate(counts) if n_cut == 0]
    ids = [counts[i][0] for i in whole]
    got = embed(ids)
    tap.equal(
        "token ids of texts",
        [bits(d.embedding) for d in got.data],
        [expected[i] for i in whole],
    )
    got = embed([text[1:-1] for text in ids if len(text) > 2])
    tap.equal(
        "token ids without [CLS] and [SEP]",
        [bits(d.embedding) for d in got.data],
        [expected[i] for i, text in zip(whole, ids) if len(text) > 2],
    )
    got = embed(ids[0])
    tap.equal(
        "token ids of a text", [bits(d.embedding) for d in got.data], expected[:1]
    )
    tap.equal("usage of token ids", got.usage.prompt_tokens, len(ids[0]))


def check_concurrent(tap, url, model, reference):
    """Many requests at once become batches, and nobody's vector depends on them."""
    expected = reference.vectors(TEXTS)

    async def ask():
        async with openai.AsyncOpenAI(
            base_url=url, api_key=KEY, max_retries=0
        ) as client:
            gate = asyncio.Semaphore(N_CONCURRENT)

            async def one(text):
                async with gate:
                    got = await client.embeddings.create(model=model, input=text)
                return bits(got.data[0].embedding)

            return await asyncio.gather(*(one(text) for text in TEXTS * 4))

    tap.equal(
        f"{N_CONCURRENT} requests at a time: the same bits",
        asyncio.run(ask()),
        expected * 4,
    )


def check_models(tap, client, model):
    listed = client.models.list()
    tap.equal(
        "models.list",
        [(m.id, m.object, m.created, m.owned_by) for m in listed],
        [(model, "model", 0, "kith")],
    )


def found(page):
    return [(hit.file_id, hit.score, hit.content[0].text) for hit in page]


def check_filters(tap, client, reference):
    for filters, where in FILTERS:
        page = client.vector_stores.search("faq", query=QUERY, filters=filters)
        tap.equal(
            f"filter: {where}", found(page), reference.search(QUERY, "--where", where)
        )


def check_vector_store(tap, client, reference):
    stores = client.vector_stores
    page = stores.search("faq", query=QUERY)
    tap.equal(
        "vector_stores.search: the hits of kith search",
        found(page),
        reference.search(QUERY),
    )
    hit = page.data[0]
    tap.equal(
        "file name, attributes, type of content",
        (hit.filename.split("/")[-1], hit.attributes["topic"], hit.content[0].type),
        ("faq.jsonl", "pets", "text"),
    )
    tap.equal(
        "one page, the query told", (page.has_more, page.search_query), (False, [QUERY])
    )
    page = stores.search("faq", query=QUERY, max_num_results=3)
    tap.equal("max_num_results", found(page), reference.search(QUERY, "-k", "3"))
    page = stores.search("faq", query=QUERY, ranking_options={"score_threshold": 0.3})
    tap.equal(
        "score_threshold", found(page), reference.search(QUERY, "--min-score", "0.3")
    )
    queries = [QUERY, "how do I renew my passport?"]
    page = stores.search("faq", query=queries, max_num_results=4)
    best = sorted(
        {hit for q in queries for hit in reference.search(q, "-k", "50")},
        key=lambda hit: -hit[1],
    )
    by_id = {}
    for hit in best:
        by_id.setdefault(hit[0], hit)
    tap.equal("queries: told as they were", page.search_query, queries)
    tap.equal(
        "queries: the best hits of any of them", found(page), list(by_id.values())[:4]
    )


def check_errors(tap, client, model):
    create = client.embeddings.create
    tap.raises(
        "another model: NotFoundError",
        openai.NotFoundError,
        lambda: create(model="gpt-4", input="x"),
        lambda error: error.code == "model_not_found" and error.body["message"],
    )
    for name, bad in (
        ("an empty text", ""),
        ("no text", []),
        ("one empty of two", ["a", ""]),
        ("2,049 texts", ["a"] * 2049),
        ("no token", [[]]),
        ("a token that is none", [2**31]),
        ("a number among texts", ["a", 1]),
    ):
        tap.raises(
            f"{name}: BadRequestError",
            openai.BadRequestError,
            lambda bad=bad: create(model=model, input=bad),
            lambda error: error.code == "invalid_request",
        )
    tap.raises(
        "other dimensions: BadRequestError",
        openai.BadRequestError,
        lambda: create(model=model, input="x", dimensions=7),
    )
    tap.raises(
        "more than 8 MiB: status 413",
        openai.APIStatusError,
        lambda: create(model=model, input=["x" * (9 << 20)]),
        lambda error: error.status_code == 413 and error.code == "too_large",
    )
    tap.raises(
        "another Host: PermissionDeniedError",
        openai.PermissionDeniedError,
        lambda: create(model=model, input="x", extra_headers={"Host": "evil.test"}),
        lambda error: error.code == "host_not_allowed",
    )
    tap.raises(
        "no such store: NotFoundError",
        openai.NotFoundError,
        lambda: client.vector_stores.search("nothing", query="x"),
        lambda error: error.code == "no_such_collection",
    )
    tap.raises(
        "51 results: BadRequestError",
        openai.BadRequestError,
        lambda: client.vector_stores.search("faq", query="x", max_num_results=51),
    )
    tap.raises(
        "a route that kith has not: NotFoundError",
        openai.NotFoundError,
        lambda: client.completions.create(model=model, prompt="x"),
        lambda error: error.code == "no_such_route",
    )


def check_langchain(tap, url, model, reference):
    embedder = OpenAIEmbeddings(
        model=model,
        base_url=url,
        api_key=KEY,
        check_embedding_ctx_length=False,
        max_retries=0,
    )
    expected = reference.vectors(TEXTS)
    tap.equal(
        "OpenAIEmbeddings.embed_documents: the bits of kith encode",
        [bits(v) for v in embedder.embed_documents(TEXTS)],
        expected,
    )
    tap.equal("embed_query", bits(embedder.embed_query(TEXTS[5])), expected[5])
    got = asyncio.run(embedder.aembed_documents(TEXTS))
    tap.equal("aembed_documents", [bits(v) for v in got], expected)


def check_key(tap, server, model):
    def client(key):
        return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)

    got = client(KEY).embeddings.create(model=model, input="x")
    tap.equal("with the key", len(got.data), 1)
    for key in ("another", KEY[:-1], KEY + "x"):
        tap.raises(
            f"the key {key!r}: AuthenticationError",
            openai.AuthenticationError,
            lambda key=key: client(key).embeddings.create(model=model, input="x"),
            lambda error: error.code == "unauthorized",
        )
        tap.raises(
            "models.list neither",
            openai.AuthenticationError,
            lambda key=key: client(key).models.list(),
        )


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tap = Tap()
    with Work(sys.argv[1], REAL) as work:
        work.run("index", "faq.kith", ROOT / "docs/samples/faq.jsonl", "--quiet")
        reference = Reference(work)
        with work.serve("faq.kith") as server:
            url = f"{server.url}/v1"
            client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
            check_models(tap, client, REAL)
            check_embeddings(tap, client, REAL, reference)
            check_token_ids(tap, client, REAL, reference)
            check_concurrent(tap, url, REAL, reference)
            check_filters(tap, client, reference)
            check_vector_store(tap, client, reference)
            check_errors(tap, client, REAL)
            check_langchain(tap, url, REAL, reference)
        tap.equal("SIGTERM ends it with status 0", server.status, 0)
        (work.folder / "key").write_text(KEY + "\n")
        with work.serve("faq.kith", "--api-key-file", "key") as server:
            check_key(tap, server, REAL)
    tap.finish()


if __name__ == "__main__":
    main()
