"""What `kith serve` is measured against: sentence-transformers and FAISS behind
FastAPI, as prototypes of retrieval are written. Run by bench/serve.

GET /search and POST /v1/embeddings answer as kith does, so far as a client reads them.
"""

import argparse
import base64
import json
import os
from typing import Literal

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

import faiss
import numpy as np
import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer


class Request(BaseModel):
    input: str | list[str]
    model: str
    encoding_format: Literal["float", "base64"] = "float"


def make_app(args):
    torch.set_num_threads(args.threads)
    faiss.omp_set_num_threads(args.threads)
    model = SentenceTransformer(args.model, device="cpu")
    index = faiss.IndexFlatIP(model.get_embedding_dimension())
    index.add(np.load(args.vectors))
    with open(args.records, encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    app = FastAPI()

    def encode(texts):
        return model.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    def search(q, k):
        scores, rows = index.search(encode([q]), k)
        return {"query": q, "hits": [
            {"rank": i + 1, "id": records[row]["id"], "score": float(score),
             "text": records[row]["text"]}
            for i, (score, row) in enumerate(zip(scores[0], rows[0]))]}

    def embeddings(request):
        texts = [request.input] if isinstance(request.input, str) else request.input
        vectors = encode(texts)
        if request.encoding_format == "base64":
            data = [base64.b64encode(v.tobytes()).decode() for v in vectors]
        else:
            data = vectors.tolist()
        return {"object": "list", "model": request.model, "data": [
            {"object": "embedding", "index": i, "embedding": d}
            for i, d in enumerate(data)]}

    if args.handlers == "def":  # in FastAPI's pool of threads

        @app.get("/search")
        def get_search(q: str, k: int = 10):
            return search(q, k)

        @app.post("/v1/embeddings")
        def post_embeddings(request: Request):
            return embeddings(request)

    else:  # in the loop of events: one request after the other

        @app.get("/search")
        async def get_search_async(q: str, k: int = 10):
            return search(q, k)

        @app.post("/v1/embeddings")
        async def post_embeddings_async(request: Request):
            return embeddings(request)

    return app


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", required=True, help="a folder")
    options.add_argument("--vectors", required=True, help="FILE.npy, float32")
    options.add_argument("--records", required=True, help="FILE.jsonl")
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--handlers", choices=("def", "async"), default="def")
    args = options.parse_args()
    uvicorn.run(make_app(args), port=args.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
