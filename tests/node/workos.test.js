// WorkOS's own client for Node, unchanged, against a running server that pytest has filled: every call of what it offers.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { NotFoundException, UnauthorizedException, UnprocessableEntityException, WorkOS } from "@workos-inc/node";

const company = JSON.parse(process.env.COMPANY);
const options = { apiHostname: company.host, port: company.port, https: false };
const workos = new WorkOS(company.api_key, options);
const everything = ["dsync.user.created", "dsync.group.user_added"];

const ids = (list) => list.data.map((one) => one.id);

test("directories", async () => {
  const directory = await workos.directorySync.getDirectory(company.directory);
  assert.equal(directory.type, "okta scim v2.0");
  assert.equal(directory.state, "active");
  assert.equal(directory.organizationId, company.organization);
  assert.ok(directory.externalKey);
  const listed = await workos.directorySync.listDirectories({ organizationId: company.organization });
  assert.deepEqual(ids(listed), [company.directory]);
});

test("users, with their groups, to the last page", async () => {
  // A page of the size that is usual without a limit; with one, this client stops there.
  const page = await workos.directorySync.listUsers({ directory: company.directory });
  assert.equal(page.data.length, 10);
  assert.ok(Array.isArray(page.data[0].groups));
  const all = await page.autoPagination();
  assert.deepEqual(all.map((user) => user.id), company.users.toReversed());
  const user = await workos.directorySync.getUser(company.users[0]);
  assert.deepEqual(ids({ data: user.groups }), [company.group]);
  assert.equal(user.email, company.email);
  assert.equal(user.rawAttributes.userName, company.email);
  const found = await workos.directorySync.listUsers({ directory: company.directory, email: company.email });
  assert.deepEqual(ids(found), [company.users[0]]);
});

test("users page by page", async () => {
  const seen = [];
  let after;
  do {
    const page = await workos.directorySync.listUsers({ directory: company.directory, limit: 5, after, order: "asc" });
    seen.push(...ids(page));
    after = page.listMetadata.after;
  } while (after);
  assert.deepEqual(seen, company.users);
});

test("groups", async () => {
  const group = await workos.directorySync.getGroup(company.group);
  assert.equal(group.directoryId, company.directory);
  assert.deepEqual(ids(await workos.directorySync.listGroups({ directory: company.directory })), [company.group]);
  assert.deepEqual(ids(await workos.directorySync.listGroups({ user: company.users[0] })), [company.group]);
});

test("errors have their classes", async () => {
  await assert.rejects(workos.directorySync.getUser("directory_user_x"), (error) => {
    assert.ok(error instanceof NotFoundException);
    assert.equal(error.status, 404);
    assert.ok(error.requestID);
    return true;
  });
  await assert.rejects(workos.directorySync.listUsers({}), UnprocessableEntityException);
  const stranger = new WorkOS("sk_unknown", options);
  await assert.rejects(stranger.directorySync.listDirectories(), UnauthorizedException);
});

test("events", async () => {
  const first = await workos.events.listEvents({ events: everything, organizationId: company.organization, limit: 4 });
  assert.equal(first.data.length, 4);
  const rest = await workos.events.listEvents({
    events: everything,
    organizationId: company.organization,
    after: first.listMetadata.after,
    limit: 100,
  });
  const kinds = [...first.data, ...rest.data].map((event) => event.event);
  assert.equal(kinds.filter((kind) => kind === "dsync.user.created").length, company.users.length);
  const added = rest.data.find((event) => event.event === "dsync.group.user_added");
  assert.equal(added.data.user.email, company.email);
  assert.equal(added.data.group.id, company.group);
  assert.equal(rest.listMetadata.after, null);
});

test("organizations", async () => {
  const organization = await workos.organizations.createOrganization({
    name: "Node",
    externalId: "node-1",
    metadata: { tier: "gold" },
    domainData: [{ domain: "node.test", state: "verified" }],
  });
  assert.equal(organization.domains[0].domain, "node.test");
  assert.deepEqual(await workos.organizations.getOrganization(organization.id), organization);
  assert.deepEqual(await workos.organizations.getOrganizationByExternalId("node-1"), organization);
  assert.deepEqual(ids(await workos.organizations.listOrganizations({ domains: ["node.test"] })), [organization.id]);
  const changed = await workos.organizations.updateOrganization({ organization: organization.id, name: "Node 2" });
  assert.equal(changed.name, "Node 2");
  const domain = await workos.organizationDomains.createOrganizationDomain({
    organizationId: organization.id,
    domain: "second.test",
  });
  assert.equal((await workos.organizationDomains.getOrganizationDomain(domain.id)).domain, "second.test");
  await workos.organizationDomains.deleteOrganizationDomain(domain.id);
  await workos.organizations.deleteOrganization(organization.id);
  await assert.rejects(workos.organizations.getOrganization(organization.id), NotFoundException);
});

test("portal link", async () => {
  const { link } = await workos.adminPortal.generateLink({
    organization: company.organization,
    intent: "dsync",
    returnUrl: "https://app.test/",
    adminEmails: ["it@acme.test"],
  });
  assert.match(link, /\/portal\/launch\?token=setup_/);
});

test("webhook endpoints, and a webhook that is verified as bytes and as an object", async () => {
  let arrived;
  const arrival = new Promise((resolve) => (arrived = resolve));
  const receiver = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      response.end();
      arrived({ body: Buffer.concat(chunks), signature: request.headers["workos-signature"] });
    });
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const endpoint = await workos.webhooks.createWebhookEndpoint({
    endpointUrl: `http://127.0.0.1:${receiver.address().port}/hook`,
    events: ["dsync.user.created"],
  });
  try {
    assert.ok(ids(await workos.webhooks.listWebhookEndpoints()).includes(endpoint.id));
    const made = await fetch(`${company.scim_url}/Users`, {
      method: "POST",
      headers: { authorization: `Bearer ${company.scim_token}`, "content-type": "application/scim+json" },
      body: JSON.stringify({
        userName: "zoë@node.test",
        title: "\u2028 Größe \u0007 😀",
        "urn:acme:1.0:User": { 10: 1.0, 9: 1e21, x: 1e-7, y: 12345678901234567890 },
      }),
    });
    assert.equal(made.status, 201);
    const { body, signature } = await arrival;
    const checked = { sigHeader: signature, secret: endpoint.secret };
    for (const payload of [body.toString("utf8"), JSON.parse(body)]) {
      const event = await workos.webhooks.constructEvent({ ...checked, payload });
      assert.equal(event.event, "dsync.user.created");
      assert.equal(event.data.rawAttributes.userName, "zoë@node.test");
    }
    await assert.rejects(workos.webhooks.constructEvent({ ...checked, payload: { ...JSON.parse(body), id: "x" } }));
    const changed = await workos.webhooks.updateWebhookEndpoint({ id: endpoint.id, status: "disabled" });
    assert.equal(changed.status, "disabled");
  } finally {
    await workos.webhooks.deleteWebhookEndpoint({ id: endpoint.id });
    receiver.close();
    receiver.closeAllConnections();
  }
});

test("a directory is deleted", async () => {
  await workos.directorySync.deleteDirectory(company.doomed_directory);
  await assert.rejects(workos.directorySync.getDirectory(company.doomed_directory), NotFoundException);
});
