"""The yardstick, as OpenRLHF's examples write a remote reward model: FastAPI, one handler, no access log.

It takes both the samples that the other peers take and the lists that OpenRLHF's trainer posts.
"""

import argparse

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from lengths import lengths

app = FastAPI()


@app.post("/get_reward")
async def get_reward(request: Request) -> JSONResponse:
    body = await request.json()
    rewards = [float(len(query)) for query in body["query"]] if "query" in body else lengths(body)
    return JSONResponse({"rewards": rewards, "scores": rewards, "extra_logs": {}})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
