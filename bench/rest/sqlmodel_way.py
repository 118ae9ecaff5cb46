"""The plain SQLModel way, as FastAPI's and SQLModel's own tutorials write it, asynchronous."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

ENGINE = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"), pool_size=10)


class PessoaWrite(SQLModel):
    nome_pessoa: str = Field(max_length=100)


class PessoaPublic(SQLModel):
    id: int
    nome_pessoa: str


class Pessoa(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    nome_pessoa: str


async def session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(ENGINE) as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]
app = FastAPI()


@app.get("/api/pessoas/", response_model=list[PessoaPublic])
async def pessoas(
    session: Session,
    id: str | None = None,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Pessoa]:
    statement = select(Pessoa).order_by(col(Pessoa.id)).limit(1000 if id else page_size)
    if id is not None:
        statement = statement.where(col(Pessoa.id).in_(map(int, id.split(","))))
    return list((await session.exec(statement)).all())


@app.get("/api/pessoas/{id}/", response_model=PessoaPublic)
async def pessoa(session: Session, id: int) -> Pessoa:
    found = await session.get(Pessoa, id)
    if found is None:
        raise HTTPException(404)
    return found


@app.post("/api/pessoas/", response_model=PessoaPublic, status_code=201)
async def create(session: Session, written: PessoaWrite) -> Pessoa:
    created = Pessoa.model_validate(written)
    session.add(created)
    await session.commit()
    await session.refresh(created)
    return created


@app.put("/api/pessoas/{id}/", response_model=PessoaPublic)
async def replace(session: Session, id: int, written: PessoaWrite) -> Pessoa:
    found = await pessoa(session, id)
    found.sqlmodel_update(written.model_dump())
    session.add(found)
    await session.commit()
    await session.refresh(found)
    return found
