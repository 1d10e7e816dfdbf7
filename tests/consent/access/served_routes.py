"""Run as a program: the room's routes, and one signed address, over SQLite in the folder named."""

import json
import logging
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.engine import URL
from sqlmodel import Session, SQLModel, create_engine

from hanse_consent.access.accounts import Accounts
from hanse_consent.access.answers import answer_access_refusals
from hanse_consent.access.look_ups import LookUpKey, LookUpLog
from hanse_consent.access.nodes import NodeAuthenticator
from hanse_consent.access.nonces import RequestMemory
from hanse_consent.access.passwords import Passwords
from hanse_consent.access.people import People
from hanse_consent.access.rate_limits import AccessLimits, Rate
from hanse_consent.access.routes import AccessParts, access_router
from hanse_consent.access.sessions import SessionLifetime, Sessions
from hanse_consent.access.sign_in import SignIns
from hanse_consent.access.suspensions import Suspensions
from hanse_consent.errors import ConsentRefusal
from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import PublicKey

MAX_BYTES = 1000
LIMITS = AccessLimits(stranger=Rate(burst=40, per_s=0.5))


class FileTransactions:
    def __init__(self, path: Path) -> None:
        self._engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": 10})
        own = [table for name, table in SQLModel.metadata.tables.items() if name.startswith("access_")]
        SQLModel.metadata.create_all(self._engine, tables=own)

    @contextmanager
    def writing(self, *, controller: str = "") -> Iterator[Session]:
        with Session(self._engine) as session:
            yield session
            session.commit()

    reading = writing
    writing_across_controllers = writing
    reading_across_controllers = writing


def answer(error: HanseError, status: HTTPStatus) -> Response:
    problem = {"code": error.code, "detail": error.what, "mend": error.mend}
    return Response(json.dumps(problem), status_code=status, media_type="application/problem+json")


def make_service(folder: Path) -> FastAPI:
    def now() -> datetime:
        return datetime.now(UTC)

    clock = time.monotonic
    keys = {
        line.split(" ")[0]: PublicKey.from_text(line.split(" ")[1])
        for line in (folder / "keys.txt").read_text().splitlines()
    }
    transactions = FileTransactions(folder / "consent.sqlite")
    suspensions = Suspensions(transactions, now=now, clock=clock)
    memory = RequestMemory(URL.create("sqlite", database=str(folder / "requests.sqlite")), now=now)
    authenticator = NodeAuthenticator(
        own_key=PublicKey.from_text((folder / "own_key.txt").read_text()),
        key_of=keys.get,
        memory=memory,
        suspensions=suspensions,
        limits=LIMITS,
        now=now,
        clock=clock,
        body_deadline_s=1.0,
    )
    sessions = Sessions(transactions, now=now, lifetime=SessionLifetime())
    hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
    sign_ins = SignIns(
        accounts=Accounts(transactions, now=now),
        sessions=sessions,
        passwords=Passwords(hasher=hasher),
        limits=LIMITS,
        clock=clock,
    )
    parts = AccessParts(
        sign_ins=sign_ins,
        sessions=sessions,
        people=People(sessions, limits=LIMITS, clock=clock),
        suspensions=suspensions,
        look_ups=LookUpLog(transactions, key=LookUpKey(raw=b"k" * 32), now=now),
        key_of=keys.get,
    )
    service = FastAPI()
    service.include_router(access_router(parts))
    answer_access_refusals(service)
    service.add_exception_handler(ConsentRefusal, lambda _r, e: answer(e, e.status))
    service.add_exception_handler(SignatureInvalidError, lambda _r, e: answer(e, HTTPStatus.UNAUTHORIZED))

    @service.post("/signed")
    async def signed(request: Request) -> dict[str, str]:
        found = await authenticator.authenticate(request, max_bytes=MAX_BYTES)
        return {"party": found.party, "body": found.body.decode()}

    return service


def main() -> None:
    logging.basicConfig(level=logging.DEBUG)
    listener = socket.create_server(("127.0.0.1", 0))
    service = make_service(Path(sys.argv[1]))
    sys.stdout.write(f"ready http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(service, lifespan="off", log_config=None, log_level="debug")).run(sockets=[listener])


if __name__ == "__main__":
    main()
