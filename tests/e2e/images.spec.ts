// Images: pulling what is not there, removing what is used.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

import { clear, docker, enter, expect, test } from "./testbed";

test("an image that does not exist is explained", async ({ page, testbed }) => {
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  await pull.getByRole("textbox", { name: "Image" }).fill("127.0.0.1:1/nobody/nothing:here");
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await expect(pull.getByRole("alert")).toContainText("nobody/nothing");
  await expect(pull.getByRole("alert")).not.toContainText("kept");
});

test("a used image is not removed by accident", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "tag", "busybox", "used:here");
  docker(testbed, "create", "--name", "user", "used:here", "/bin/true");
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("searchbox").fill("used");
  const row = page.getByRole("row", { name: /used/ });
  await expect(row).toContainText("user");
  clear(testbed);
  await expect(row).toContainText("Unused");
  await row.hover();
  await row.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("alertdialog", { name: "Remove used:here?" }).getByRole("button", { name: "Remove the name" }).click();
  await expect(row).toHaveCount(0);
});

test("what a pull costs is known before it begins", async ({ page, testbed }) => {
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  const before = pull.getByRole("region", { name: "Before the download" });
  await pull.getByRole("textbox", { name: "Image" }).fill("pyth");
  const found = pull.getByRole("list", { name: "Images on Docker Hub" });
  await expect(found.getByRole("listitem").filter({ hasText: "Official" })).toContainText("<b>that lets you work</b>");
  await expect(found.getByRole("listitem").filter({ hasText: "Verified" })).toContainText("bitnami/python");
  await found.getByRole("button", { name: "python", exact: true }).click();
  await pull.getByRole("list", { name: "Tags" }).getByRole("button", { name: "3.13-slim" }).click();
  await expect(before).toContainText("python:3.13-slim");
  await expect(before).toContainText(/MB\s+to download|already here/);
  await expect(before).toContainText("Made for this engine");
  await expect(before).toContainText("free");
});

test("tags tell their size, age and platform, at Docker Hub and at any other registry", async ({ page, testbed }) => {
  const repository = `${testbed.registry}/team/tool`;
  for (const tag of ["1.0", "1.1"]) {
    docker(testbed, "tag", "busybox", `${repository}:${tag}`);
    docker(testbed, "push", "--quiet", `${repository}:${tag}`);
  }
  docker(testbed, "rmi", `${repository}:1.0`);
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  const tags = pull.getByRole("list", { name: "Tags" });
  await pull.getByRole("textbox", { name: "Image" }).fill(`${repository}:`);
  const known = tags.getByRole("button", { name: /^1\.1/ });
  await expect(known).toHaveText(/^1\.1\s*Here\s*[\d.]+ [kM]B\s*(\d+|About an?) \w+\s*yours$/);
  await expect(tags.getByRole("button", { name: /^1\.0/ })).toHaveText(/^1\.0\s*[\d.]+ [kM]B\s*(\d+|About an?) \w+\s*yours$/);

  await pull.getByRole("textbox", { name: "Image" }).fill("postgres:");
  await expect(tags.getByRole("button", { name: /^17/ })).toHaveText(/160 MB.*yours/);
  await expect(tags.getByRole("button", { name: /^latest/ })).toHaveText(/moves/);
  await expect(tags.getByRole("button", { name: /^windowsservercore/ })).toHaveText(/2\.1 GB.*years\s*Windows/);

  // Those of another image are none of this one's.
  await pull.getByRole("textbox", { name: "Image" }).fill("127.0.0.1:1/nobody/nothing:");
  await expect(pull.getByText(/^The tags cannot be listed/)).toBeVisible();
  await expect(tags).toHaveCount(0);
  docker(testbed, "rmi", `${repository}:1.1`);
});

test("unused images are listed before they go, and a file brings them back", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "tag", "busybox", "kept:one");
  docker(testbed, "tag", "busybox", "kept:two");
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("searchbox").fill("kept");
  await page.getByRole("checkbox", { name: "Select all" }).check();
  const bulk = page.getByRole("toolbar", { name: "2 selected" });
  const file = `${testbed.home}/kept.tar`;
  await bulk.getByRole("button", { name: "Save…" }).click();
  const save = page.getByRole("dialog", { name: "Save 2 images to a file" });
  await save.getByRole("textbox", { name: "File" }).fill(file);
  await save.getByRole("button", { name: "Save", exact: true }).click();
  await expect(save).toContainText("Every engine can load it");
  await save.getByRole("contentinfo").or(save.locator("footer")).getByRole("button", { name: "Close" }).click();
  await bulk.getByRole("button", { name: "Remove…" }).click();
  const remove = page.getByRole("alertdialog", { name: "Remove 2 images?" });
  await expect(remove.getByRole("list", { name: "What goes" }).getByRole("listitem")).toHaveCount(2);
  await remove.getByRole("button", { name: "Remove 2 images" }).click();
  await expect(page.getByText("No image matches “kept”")).toBeVisible();
  await page.getByRole("button", { name: "Load a file" }).click();
  const load = page.getByRole("dialog", { name: "Load images from a file" });
  await load.getByRole("textbox", { name: "File" }).fill(file);
  await load.getByRole("button", { name: "Load", exact: true }).click();
  await expect(load).toContainText("kept:one is here");
  // Those in the trash are tags of the same repository.
  const tags = docker(testbed, "images", "--format", "{{.Tag}}", "kept").split("\n");
  expect(tags.filter((tag) => !tag.startsWith("wherry-trash.")).sort()).toEqual(["one", "two"]);
  docker(testbed, "rmi", ...tags.map((tag) => `kept:${tag}`));
});

test("a tag that moved in its registry is told, and the trash keeps a registry's digest", async ({ page, testbed }) => {
  clear(testbed);
  const name = `${testbed.private}/moving:1`;
  // In the file itself: `docker login` would ask for a keychain, which this computer may lack.
  const folder = `${testbed.home}/docker`;
  const file = `${folder}/config.json`;
  mkdirSync(folder, { recursive: true });
  const kept = existsSync(file) ? readFileSync(file, "utf8") : "{}";
  const auths = { [testbed.private]: { auth: Buffer.from("ada:s:cret").toString("base64") } };
  writeFileSync(file, JSON.stringify({ ...JSON.parse(kept), auths }));
  const asAda = ["--config", folder];
  docker(testbed, "tag", "busybox", name);
  docker(testbed, ...asAda, "push", "--quiet", name);
  const digests = () => docker(testbed, "inspect", "--format", "{{join .RepoDigests \" \"}}", "busybox");
  const before = digests();
  expect(before).toContain("/moving@sha256:");
  docker(testbed, "create", "--name", "moves", name, "/bin/true");
  const moved = docker(testbed, "commit", "--change", "ENV MOVED=1", "moves", name);
  docker(testbed, ...asAda, "push", "--quiet", name);
  docker(testbed, "tag", "busybox", name);
  docker(testbed, "rmi", "--force", moved);
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await expect(page.getByRole("row", { name: /moves/ })).toContainText(`Newer ${name} is available`);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("searchbox").fill("moving");
  const row = page.getByRole("row", { name: /moving/ });
  await expect(row).toContainText(`Newer ${name} is available`);
  await row.getByRole("link", { name: /moving/ }).click();
  await expect(page.getByText(/^The registry was looked at .* ago: it has a newer/)).toBeVisible();

  clear(testbed);
  await page.getByRole("link", { name: "Images", exact: true }).first().click();
  await page.getByRole("searchbox").fill("moving");
  await row.hover();
  await row.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Remove the name" }).click();
  await expect(row).toHaveCount(0);
  expect(digests()).toBe(before);
  await page.getByRole("status").filter({ hasText: "is removed" }).getByRole("button", { name: "Undo" }).click();
  await expect(row).toContainText("Newer");
  expect(digests()).toBe(before);
  docker(testbed, "rmi", name);
  writeFileSync(file, kept);
});

test("a pull that is cancelled ends in the engine too, and goes on with the layers it had", async ({ page, testbed }) => {
  clear(testbed);
  const registry = await endlessRegistry();
  const image = `127.0.0.1:${registry.port}/endless/image`;
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  await pull.getByRole("textbox", { name: "Image" }).fill(image);
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await registry.asked;
  await expect(pull.getByText(/^Done/)).toBeVisible();
  await pull.getByRole("button", { name: "Cancel" }).click();
  await expect(pull).toContainText("Cancelled. The layers that had arrived are kept for the next time.");
  await registry.letGo;

  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await expect(pull.getByText("Already here")).toBeVisible();
  expect(registry.firstLayers()).toBe(1);
  await pull.getByRole("button", { name: "Cancel" }).click();
  await expect(pull).toContainText("Cancelled. The layers");
  registry.close();
  await page.keyboard.press("Escape");
  await expect(pull).toHaveCount(0);

  // What holds them is no image of the person's, but it costs space, which can be had back.
  await expect(page.getByRole("row", { name: /busybox/ })).toBeVisible();
  await expect(page.getByRole("row", { name: /wherry-pull/ })).toHaveCount(0);
  await page.getByRole("link", { name: "Home", exact: true }).click();
  await page.getByRole("button", { name: "Reclaim…" }).click();
  const reclaim = page.getByRole("dialog", { name: "Reclaim disk space" });
  const unused = reclaim.getByRole("region", { name: "Unused images" });
  await unused.getByRole("checkbox", { name: /^Unused images/ }).uncheck();
  await unused.getByRole("checkbox", { name: `${image}, pulled in part` }).check();
  await reclaim.getByRole("button", { name: /^Reclaim/ }).click();
  await expect(reclaim).toHaveCount(0);
  expect(docker(testbed, "images", "--quiet", "wherry-pull")).toBe("");
});

test("layers that have arrived are kept when the registry breaks off", async ({ page, testbed }) => {
  const registry = await endlessRegistry({ breaks: true });
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  await pull.getByRole("textbox", { name: "Image" }).fill(`127.0.0.1:${registry.port}/endless/image`);
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await expect(pull.getByText("The registry broke off, trying again")).toBeVisible();
  await expect.poll(() => docker(testbed, "images", "--quiet", "wherry-pull")).not.toBe("");
  await pull.getByRole("button", { name: "Cancel" }).click();
  await expect(pull).toContainText("Cancelled. The layers");
  registry.close();
  const held = docker(testbed, "images", "--format", "{{.Repository}}:{{.Tag}}", "wherry-pull").split("\n");
  docker(testbed, "rmi", ...held);
});

test("layers that have arrived are kept when the network goes", async ({ page, testbed }) => {
  const registry = await endlessRegistry();
  const image = `127.0.0.1:${registry.port}/endless/image`;
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  await pull.getByRole("textbox", { name: "Image" }).fill(image);
  await expect(pull.getByRole("region", { name: "Before the download" })).toContainText("to download");
  const described = registry.described();
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await registry.asked;
  await described;
  // Nothing answers there any more. The engine tries again, and gives up in the end.
  registry.close();
  await expect(pull.getByRole("alert")).toContainText(`Could not pull ${image}`);
  await expect(pull.getByRole("alert")).toContainText("The layers that had arrived are kept for the next time.");
  await expect(pull.getByRole("button", { name: "Try again" })).toBeVisible();
  const [held, id] = docker(testbed, "images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", "wherry-pull").split(/\s/);
  expect(held).toContain("wherry-pull:");

  // It is back.
  await registry.listen();
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await expect(pull.getByText("Already here")).toBeVisible();
  expect(registry.firstLayers()).toBe(1);
  await pull.getByRole("button", { name: "Cancel" }).click();
  await expect(pull).toContainText("Cancelled. The layers");
  registry.close();
  docker(testbed, "rmi", held);
  // What came and went with it is nobody's business.
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Home", exact: true }).click();
  docker(testbed, "run", "--rm", "--name", "marker", "busybox", "true");
  const recent = page.getByRole("region", { name: "Recent activity" });
  await expect(recent).toContainText("marker was removed");
  await expect(recent).not.toContainText(id);
});

/** A registry with one image, whose second layer comes in small pieces and never ends by itself, or breaks off. */
async function endlessRegistry({ breaks = false } = {}) {
  const digest = (data: string | Buffer) => `sha256:${createHash("sha256").update(data).digest("hex")}`;
  const files = execFileSync("tar", ["--create", "--directory", import.meta.dirname, "README.md"]);
  const first = gzipSync(files);
  let firstLayers = 0;
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [digest(files), digest("unpacked")] },
  });
  const docker = (kind: string) => `application/vnd.docker.${kind}`;
  const size = 2 ** 40;
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: docker("distribution.manifest.v2+json"),
    config: { mediaType: docker("container.image.v1+json"), size: config.length, digest: digest(config) },
    layers: [
      { mediaType: docker("image.rootfs.diff.tar.gzip"), size: first.length, digest: digest(first) },
      { mediaType: docker("image.rootfs.diff.tar.gzip"), size, digest: digest("layer") },
    ],
  });
  const layer = new EventEmitter();
  const [asked, letGo] = [once(layer, "asked"), once(layer, "letGo")];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path === "/v2/") {
      response.end("{}");
    } else if (path.includes("/manifests/")) {
      response.setHeader("Content-Type", docker("distribution.manifest.v2+json"));
      response.end(manifest);
    } else if (path.endsWith(digest(config))) {
      response.end(config, () => {
        if (!request.headers["user-agent"]?.startsWith("docker/")) layer.emit("described");
      });
    } else if (path.endsWith(digest(first))) {
      firstLayers += 1;
      response.end(first);
    } else {
      response.writeHead(200, { "Content-Length": size });
      if (breaks) return void response.write(Buffer.alloc(64 << 10), () => response.destroy());
      // An engine of before 23.0 sees that its client has left when it next tells of progress, so there must be some.
      const more = setInterval(() => response.write(Buffer.alloc(64 << 10)), 20);
      response.once("close", () => {
        clearInterval(more);
        layer.emit("letGo");
      });
      layer.emit("asked");
    }
  });
  const listen = (at = 0) => new Promise<void>((resolve) => server.listen(at, "127.0.0.1", resolve));
  await listen();
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return {
    port,
    asked,
    letGo,
    /** Something else than the engine learns next what the image consists of. */
    described: () => once(layer, "described"),
    firstLayers: () => firstLayers,
    close,
    listen: () => listen(port),
  };
}
