import assert from "node:assert/strict";
import { type Place, RouteTable } from "../../../src/http/route_table.ts";

function table(...places: (Place & { name: string })[]): RouteTable<string> {
  return new RouteTable(places.map((place) => [place, place.name]));
}

Deno.test("the first route that fits is taken, and the methods of a path are known", () => {
  const routes = table(
    { name: "shop", methods: ["GET", "POST"], path: "/shops/:id" },
    { name: "all shops", methods: ["GET", "DELETE"], path: "/shops/*" },
    { name: "rest", methods: ["GET"], path: "/*" },
  );
  assert.equal(routes.find("GET", "/shops/1"), "shop");
  assert.equal(routes.find("GET", "/shops/1/items"), "all shops");
  assert.equal(routes.find("GET", "/other"), "rest");
  assert.equal(routes.find("POST", "/other"), undefined);
  assert.deepEqual(routes.methodsAt("/shops/1"), ["GET", "POST", "DELETE"]);
  assert.deepEqual(table().methodsAt("/"), []);
});

Deno.test("HEAD is answered by what is for GET, unless there is something for HEAD", () => {
  const routes = table(
    { name: "get", methods: ["GET"], path: "/*" },
    { name: "head", methods: ["HEAD"], path: "/only" },
  );
  assert.equal(routes.find("HEAD", "/page"), "get");
  assert.equal(routes.find("HEAD", "/only"), "head");
  assert.equal(routes.find("GET", "/only"), "get");
});

Deno.test("two spellings of one path lead to one route", () => {
  const routes = table(
    { name: "admin", methods: ["GET"], path: "/admin/*" },
    { name: "space", methods: ["GET"], path: "/a%20b%c3%a4" },
    { name: "rest", methods: ["GET"], path: "/*" },
  );
  assert.equal(routes.find("GET", "/%61dmin/x"), "admin");
  assert.equal(routes.find("GET", "/a%20b%C3%A4"), "space");
  // A slash that is encoded is none, and nothing is decoded twice.
  assert.equal(routes.find("GET", "/admin%2Fx"), "rest");
  assert.equal(routes.find("GET", "/%2561dmin/x"), "rest");
  assert.equal(routes.find("GET", "/%"), "rest");
});
