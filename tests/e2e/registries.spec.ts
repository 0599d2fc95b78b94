// Registries: signing in, sending an image there, getting it back, signing out.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";

import { axe, docker, enter, expect, test } from "./testbed";

test("a login is tried first, then good for a push and a pull, and ends", async ({ page, testbed }) => {
  const image = `${testbed.private}/ada/busybox:1`;
  await enter(page, testbed);
  await page.getByRole("link", { name: "Registries" }).click();
  await expect(page.getByRole("listitem", { name: "Docker Hub" })).toContainText("Not signed in");

  // docker tag: the name says where a push goes.
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("searchbox").fill("busybox");
  await page.getByRole("row", { name: /busybox latest/ }).getByRole("link", { name: "busybox" }).click();
  await page.getByRole("button", { name: "Tag", exact: true }).click();
  const tag = page.getByRole("dialog", { name: /one more name/ });
  await tag.getByRole("textbox", { name: "Name" }).fill(`${testbed.private}/ada/tagged:2`);
  await expect(tag.getByRole("group", { name: "Equivalent command" })).toContainText(/docker tag busybox\S* .*ada\/tagged:2/);
  await tag.getByRole("button", { name: "Tag", exact: true }).click();
  await expect(tag).toHaveCount(0);
  docker(testbed, "rmi", `${testbed.private}/ada/tagged:2`);

  // Nobody may push there, which is said with the way out.
  await page.getByRole("button", { name: "Push", exact: true }).click();
  const push = page.getByRole("dialog", { name: /Push to|is pushed/ });
  await push.getByRole("textbox", { name: "Name at the registry" }).fill(image);
  await push.getByRole("button", { name: "Push", exact: true }).click();
  await expect(push.getByRole("alert")).toContainText("does not let you push");
  await push.getByRole("alert").getByRole("button", { name: "Sign in" }).click();

  const sign = page.getByRole("dialog", { name: `Sign in to ${testbed.private}` });
  await expect(sign).toContainText(/Answers in \d+ ms, without encryption/);
  await sign.getByRole("textbox", { name: "User name" }).fill("ada");
  await sign.getByRole("textbox", { name: "Token or password" }).fill("wrong");
  await sign.getByRole("radio", { name: /Only until Wherry quits/ }).check();
  await sign.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(sign.getByRole("alert")).toContainText("does not accept this login");
  await sign.getByRole("textbox", { name: "Token or password" }).fill("s:cret");
  await sign.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(sign).toHaveCount(0);

  // What it was needed for goes on by itself.
  await expect(page.getByRole("dialog", { name: "is pushed" })).toBeVisible();
  await page.keyboard.press("Escape");
  docker(testbed, "rmi", image);
  await page.keyboard.press("Control+Shift+P");
  const pull = page.getByRole("dialog", { name: /Pull|is here/ });
  await pull.getByRole("textbox", { name: "Image" }).fill(image);
  await expect(pull.getByRole("region", { name: "Before the download" })).toContainText("Signed in as ada");
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await expect(page.getByRole("dialog", { name: /is here/ })).toBeVisible();
  await page.keyboard.press("Escape");

  await page.getByRole("link", { name: "Registries" }).click();
  const entry = page.getByRole("listitem", { name: testbed.private });
  await expect(entry).toContainText("until Wherry quits");
  await entry.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Check" }).click();
  await expect(entry).toContainText("Good");
  await entry.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(entry).toHaveCount(0);
  docker(testbed, "rmi", image);
});

test("docker login, tag and push where encryption, and where tokens are in use", async ({ page, testbed }) => {
  await enter(page, testbed);
  for (const [registry, greeting] of [
    [testbed.secure, /Answers in \d+ ms$/],
    [testbed.withToken, /Answers in \d+ ms, without encryption/],
  ] as const) {
    // Who is not signed in may look at nothing in there.
    const image = `${registry}/private/busybox:1`;
    await page.getByRole("link", { name: /^Images/ }).first().click();
    await page.getByRole("searchbox").fill("busybox");
    await page.getByRole("row", { name: /^Select busybox:latest/ }).getByRole("link", { name: "busybox" }).click();
    await page.getByRole("button", { name: "Push", exact: true }).click();
    const push = page.getByRole("dialog", { name: /Push to|is pushed/ });
    await push.getByRole("textbox", { name: "Name at the registry" }).fill(image);
    await expect(push.getByRole("group", { name: "Equivalent command" })).toContainText(`docker tag busybox:latest ${image} && docker push ${image}`);
    await push.getByRole("button", { name: "Push", exact: true }).click();
    await push.getByRole("alert").getByRole("button", { name: "Sign in" }).click();
    const sign = page.getByRole("dialog", { name: `Sign in to ${registry}` });
    await expect(sign.getByText(greeting)).toBeVisible();
    await sign.getByRole("textbox", { name: "User name" }).fill("ada");
    await sign.getByRole("textbox", { name: "Token or password" }).fill("s:cret");
    await sign.getByRole("radio", { name: /Only until Wherry quits/ }).check();
    await sign.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByRole("dialog", { name: `${image} is pushed` })).toBeVisible();
    await page.keyboard.press("Escape");
    docker(testbed, "rmi", image);

    await page.getByRole("link", { name: "Registries" }).click();
    const entry = page.getByRole("listitem", { name: registry });
    await entry.getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await expect(entry).toHaveCount(0);
    await page.keyboard.press("Control+Shift+P");
    const pull = page.getByRole("dialog", { name: /Pull|is here/ });
    await pull.getByRole("textbox", { name: "Image" }).fill(image);
    await pull.getByRole("button", { name: "Pull", exact: true }).click();
    await pull.getByRole("alert").getByRole("button", { name: "Sign in" }).click();
    await sign.getByRole("textbox", { name: "User name" }).fill("ada");
    await sign.getByRole("textbox", { name: "Token or password" }).fill("s:cret");
    await sign.getByRole("radio", { name: /Only until Wherry quits/ }).check();
    await sign.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByRole("dialog", { name: "busybox is here" })).toBeVisible();
    await page.keyboard.press("Escape");
    docker(testbed, "rmi", image);
  }
});

test("a certificate that nobody vouches for is told in words, with what makes it trusted", async ({ page, testbed }) => {
  const { certificate, key } = testbed.identity;
  const server = createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (_, response) => response.end("{}"));
  await new Promise<void>((resolve) => server.listen(0, testbed.bridge, resolve));
  const registry = `${testbed.bridge}:${(server.address() as AddressInfo).port}`;
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  await pull.getByRole("textbox", { name: "Image" }).fill(`${registry}/team/app:1`);
  const before = pull.getByRole("region", { name: "Before the download" });
  await expect(before).toContainText(`The certificate of ${registry} is not trusted`);
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  const alert = pull.getByRole("alert");
  await expect(alert).toContainText(`The certificate of ${registry} is not trusted`);
  await alert.getByRole("button", { name: "Trust its certificate" }).click();
  const trust = page.getByRole("dialog", { name: `Trust the certificate of ${registry}` });
  await expect(trust).toContainText("whoever runs it");
  await expect(trust.getByRole("group", { name: "Type this in a terminal" })).toContainText(`sudo cp ca.crt /etc/docker/certs.d/${registry}/`);
  await axe(page, "an unknown certificate");
  await trust.getByRole("button", { name: "Done" }).click();
  await expect(trust).toHaveCount(0);
  await expect(alert).toContainText(`The certificate of ${registry} is not trusted`);
  await page.keyboard.press("Escape");
  await expect(pull).toHaveCount(0);
  server.closeAllConnections();
  server.close();
});

test("a registry without encryption is told in words, with what lets the engine ask it", async ({ page, testbed }) => {
  const server = createServer((_, response) => response.writeHead(200, { "Content-Type": "application/json" }).end("{}"));
  await new Promise<void>((resolve) => server.listen(0, testbed.bridge, resolve));
  const registry = `${testbed.bridge}:${(server.address() as AddressInfo).port}`;
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  await pull.getByRole("textbox", { name: "Image" }).fill(`${registry}/team/app:1`);
  const before = pull.getByRole("region", { name: "Before the download" });
  await expect(before).toContainText(`${registry} speaks plain HTTP`);
  // The engine says the same of itself, in other words.
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  const alert = pull.getByRole("alert");
  await expect(alert).toContainText(`${registry} speaks plain HTTP`);
  await expect(alert).toContainText("only when it was told that it may");
  await alert.getByRole("button", { name: "Use it without encryption" }).click();
  const allow = page.getByRole("dialog", { name: `Use ${registry} without encryption` });
  await expect(allow).toContainText("can be read and changed on the way");
  await expect(allow).toContainText("/etc/docker/daemon.json");
  await expect(allow.getByRole("group", { name: "What to write" })).toContainText(`"insecure-registries": ["${registry}"]`);
  await expect(allow.getByRole("group", { name: "Type this in a terminal" })).toContainText("systemctl reload docker");
  await axe(page, "an insecure registry");
  // Here nothing was allowed, so it is told again.
  await allow.getByRole("button", { name: "Done" }).click();
  await expect(allow).toHaveCount(0);
  await expect(alert).toContainText(`${registry} speaks plain HTTP`);
  await page.keyboard.press("Escape");
  await expect(pull).toHaveCount(0);
  await page.getByRole("link", { name: "Registries" }).click();
  await page.getByRole("button", { name: "Allow one…" }).click();
  const any = page.getByRole("dialog", { name: "Allow a registry without encryption" });
  await any.getByRole("textbox", { name: "Address" }).fill("box:5000");
  await expect(any.getByRole("group", { name: "What to write" })).toContainText('["box:5000"]');
  await page.keyboard.press("Escape");
  await expect(any).toHaveCount(0);
  server.closeAllConnections();
  server.close();
});

test("each way in which a registry refuses is told in words", async ({ page, testbed }) => {
  const refusals: Record<string, [number, Record<string, string>]> = {
    private: [401, {}],
    forbidden: [403, {}],
    missing: [404, {}],
    many: [429, { "Retry-After": "720" }],
    broken: [503, {}],
  };
  const server = createServer((request, response) => {
    const [status, headers] = refusals[/^\/v2\/team\/(\w+)\//.exec(request.url ?? "")?.[1] ?? ""] ?? [200, {}];
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  const before = pull.getByRole("region", { name: "Before the download" });
  for (const [name, what, why] of [
    ["private", "asks who you are", "private, or does not exist"],
    ["forbidden", "does not allow it", "Sign in first, as somebody who may"],
    ["missing", "has no image named team/missing:1", "spelled right"],
    ["many", "allows no more requests for now", /Full again .*Those who sign in are allowed more/],
    ["broken", "is in trouble itself", "Nothing is wrong here: it answered 503"],
  ] as const) {
    await pull.getByRole("textbox", { name: "Image" }).fill(`${registry}/team/${name}:1`);
    await expect(before).toContainText(`${registry} ${what}`);
    await expect(before).toContainText(why);
  }
  await page.keyboard.press("Escape");
  server.closeAllConnections();
  server.close();
});
