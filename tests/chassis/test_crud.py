"""Create, read, change and delete, the same in every collection."""

import httpx2
import pytest

from tests.applications import Services
from tests.resources import ALL, NAMED, PESSOAS, Resource, short_name

every = pytest.mark.parametrize("resource", ALL, ids=short_name)
every_named = pytest.mark.parametrize("resource", NAMED, ids=short_name)


@every
async def test_what_is_created_is_found_at_its_location(services: Services, resource: Resource) -> None:
    client = resource.client(services)

    created = await client.post(resource.path, json=await resource.body(services))

    assert created.status_code == 201
    assert created.headers["location"] == resource.at(created.json())
    assert await resource.stored(services, created.json()["id"]) == created.json()


@every
async def test_put_replaces_with_what_was_read_unchanged(services: Services, resource: Resource) -> None:
    row = await resource.add(services)

    answer = await resource.client(services).put(resource.at(row), json=row)

    assert answer.status_code == 200
    assert answer.json() == row


@every_named
async def test_put_and_patch_change_the_name(services: Services, resource: Resource) -> None:
    client, row = resource.client(services), await resource.add(services)
    assert resource.name

    replaced = await client.put(resource.at(row), json=row | {resource.name: "Outro"})
    patched = await client.patch(resource.at(row), json={resource.name: "Mais um"})

    assert replaced.json()[resource.name] == "Outro"
    assert patched.json()[resource.name] == "Mais um"
    assert await resource.stored(services, row["id"]) == patched.json()


@every
async def test_what_is_deleted_is_gone(services: Services, resource: Resource) -> None:
    client, row = resource.client(services), await resource.add(services)

    deleted = await client.delete(resource.at(row))

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await client.get(resource.at(row))).status_code == 404
    assert (await client.delete(resource.at(row))).status_code == 404


@every
async def test_delete_answers_what_was_deleted_when_the_client_prefers_so(
    services: Services, resource: Resource
) -> None:
    row = await resource.add(services)

    deleted = await resource.client(services).delete(resource.at(row), headers={"Prefer": "return=representation"})

    assert (deleted.status_code, deleted.json()) == (200, row)
    assert deleted.headers["preference-applied"] == "return=representation"


@every
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_an_unknown_id_is_404(services: Services, resource: Resource, method: str) -> None:
    body = await resource.body(services)

    answer = await resource.client(services).request(method, f"{resource.path}999/", json=body)

    assert answer.status_code == 404
    assert answer.json()["code"] == "NOT_FOUND"


@every
async def test_a_path_without_its_slash_answers_too_and_loses_no_body(services: Services, resource: Resource) -> None:
    client = resource.client(services)

    created = await client.post(resource.path.rstrip("/"), json=await resource.body(services))
    read = await client.get(resource.at(created.json()).rstrip("/"))

    assert (created.status_code, read.status_code) == (201, 200)


@every
@pytest.mark.parametrize("id", ["abc", "1.5", "1.0", "+1", "%201", "1%20", "%EF%BC%91", "1_0", "1;a", "-", "%00"])
async def test_an_id_that_is_no_integer_is_422_and_named(services: Services, resource: Resource, id: str) -> None:
    answer = await resource.client(services).get(f"{resource.path}{id}/")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "id"


@every
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_a_row_has_one_address(services: Services, resource: Resource, method: str) -> None:
    client, row = resource.client(services), await resource.add(services)
    assert row["id"] == 1
    collection = resource.path.rstrip("/")

    for other in ("/01/", "/001", "/-1/", "/0/", "/9223372036854775808/", f"/{'9' * 400}/", "%2F1/", "%2f1", "/1%2F"):
        answer = await client.request(method, f"{collection}{other}", json=row)
        assert answer.status_code == 404, other
    assert await resource.stored(services, 1) == row
    assert (await client.request(method, f"{collection}/%31/", json=row)).is_success, (
        "RFC 3986, 6.2.2.2: it is the same"
    )


async def test_names_are_trimmed(services: Services) -> None:
    answer = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "  Ana \n"})

    assert answer.json()["nome_pessoa"] == "Ana"


async def test_the_index_lists_the_collections(services: Services) -> None:
    assert (await services.catalogo.get("/api/")).json() == {
        "categorias": "/api/categorias/",
        "produtos": "/api/produtos/",
    }


@every
async def test_a_read_only_member_that_differs_is_refused_by_name(services: Services, resource: Resource) -> None:
    row = await resource.add(services)

    answer = await resource.client(services).put(resource.at(row), json=row | {"id": row["id"] + 1})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "id", "code": "READ_ONLY", "message": "campo somente leitura"}]


def problem(answer: httpx2.Response) -> dict[str, object]:
    """The members of an RFC 9457 problem, checked to be one."""
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, object] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code"} <= found.keys()
    assert found["status"] == answer.status_code
    return found


async def test_every_error_is_a_problem(services: Services) -> None:
    client = services.pessoas

    assert problem(await client.get("/nada"))["code"] == "NOT_FOUND"
    assert problem(await client.get(f"{PESSOAS.path}1/"))["code"] == "NOT_FOUND"
    assert problem(await client.put(PESSOAS.path))["code"] == "METHOD_NOT_ALLOWED"
    assert (
        problem(await client.post(PESSOAS.path, content=b"{", headers={"Content-Type": "application/json"}))["code"]
        == "MALFORMED"
    )
    assert problem(await client.post(PESSOAS.path, json={}))["code"] == "INVALID"
    assert problem(await client.post(PESSOAS.path, content=b"a=b"))["code"] == "UNSUPPORTED_MEDIA_TYPE"
