// The run form: a tutorial's line fills it, a file of variables is read, a terminal answers, a taken port is named.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Locator, Page } from "@playwright/test";

import { axe, clear, docker, enter, expect, test, type Testbed } from "./testbed";

const PYTHON = "python:3.13-slim";

/** What the tutorial's reader has: the image, and a folder with a page and a file of variables. */
function site(testbed: Testbed): string {
  docker(testbed, "pull", "--quiet", PYTHON);
  const folder = mkdtempSync(join(tmpdir(), "wherry site "));
  writeFileSync(join(folder, "index.html"), "<h1>It is served</h1>");
  writeFileSync(join(folder, ".env"), 'TOKEN="s3cret-enough"\nMODE=on # the default\n');
  return folder;
}

async function paste(page: Page, line: string, folder: string): Promise<Locator> {
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("button", { name: "Run an image" }).first().click();
  await page.getByRole("button", { name: "Paste a docker run line" }).click();
  await page.getByRole("textbox", { name: "Paste a docker run line" }).fill(line);
  const where = page.getByRole("textbox", { name: "The folder it speaks of" });
  if (folder !== "") await where.fill(folder);
  const fill = page.getByRole("button", { name: "Fill the form" });
  await expect(fill).toBeEnabled();
  await fill.click();
  return page.getByRole("dialog");
}

test("a tutorial's line fills the form, and what runs is what docker would have run", async ({ page, testbed, request }) => {
  clear(testbed);
  const folder = site(testbed);
  await enter(page, testbed);
  const line = `docker run -d --name api \\
    -p 3000:8000 -v "$(pwd)":/app \\
    -v "$(pwd)/index.html":/page.html:ro \\
    --env-file .env -e DEBUG=1 -m 256m --label 'note=<b>&amp;</b>' \\
    -w /app ${PYTHON} python -m http.server 8000`;
  const run = await paste(page, line, folder);

  await expect(run.getByRole("textbox", { name: "Image" })).toHaveValue(PYTHON);
  await expect(run.getByRole("textbox", { name: "Name", exact: true })).toHaveValue("api");
  await expect(run.getByRole("textbox", { name: "Port on this computer" })).toHaveValue("3000");
  await expect(run.getByRole("textbox", { name: "Command", exact: true })).toHaveValue("python -m http.server 8000");
  await expect(run.getByRole("group", { name: "Folder or volume 1" })).toContainText(/./);
  await axe(page, "The form that a line filled");

  // What the program will see of the file is not what its writer thinks.
  await run.getByRole("button", { name: "What it really says" }).click();
  await expect(run.getByRole("row", { name: /TOKEN/ })).toContainText("quotes", { ignoreCase: true });
  await expect(run.getByText("s3cret-enough")).toHaveCount(0);
  await run.getByRole("button", { name: "Back to the form" }).click();

  await run.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { name: "api" })).toBeVisible();
  await expect
    .poll(() => request.get("http://127.0.0.1:3000/").then((answer) => answer.text(), () => ""))
    .toContain("It is served");
  const [made] = JSON.parse(docker(testbed, "inspect", "api")) as [Made];
  expect(made.Config.Env).toEqual(expect.arrayContaining(['TOKEN="s3cret-enough"', "MODE=on # the default", "DEBUG=1"]));
  expect(made.Config.Labels["note"]).toBe("<b>&amp;</b>");
  expect(made.Config.WorkingDir).toBe("/app");
  expect(made.HostConfig.Memory).toBe(256 * 1024 * 1024);
  expect(docker(testbed, "exec", "api", "cat", "/page.html")).toContain("It is served");

  // The file of clicks has the same line.
  await page.keyboard.press("Control+h");
  await expect(page.getByRole("heading", { name: "What I clicked" })).toBeVisible();
  await expect(page.getByText(/docker run .*--name api/).first()).toBeVisible();
  // In the smallest window its script is a click away.
  await page.setViewportSize({ width: 800, height: 560 });
  await page.getByRole("button", { name: "Show the script" }).click();
  const script = page.getByRole("group", { name: "Script" });
  await expect(script).toBeInViewport();
  await expect(script).toContainText("--name api");
  clear(testbed);
  rmSync(folder, { recursive: true });
});

interface Made {
  Config: { Env: string[]; Labels: Record<string, string>; WorkingDir: string };
  HostConfig: { Memory: number };
}

test("the same typed by hand, field by field, is the container that the docker command makes", async ({ page, testbed, request }) => {
  clear(testbed);
  const folder = site(testbed);
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("button", { name: "Run an image" }).first().click();
  const run = page.getByRole("dialog");
  const command = run.getByRole("group", { name: "Equivalent command" });
  /** Key by key, as a person does: what is half typed must not be in the way of the rest. */
  const type = (field: Locator, text: string) => field.pressSequentially(text);
  await type(run.getByRole("textbox", { name: "Image" }), PYTHON);
  await type(run.getByRole("textbox", { name: "Name", exact: true }), "api");

  // -p 3000:8000
  const port = run.getByRole("group", { name: "Port 1" });
  await type(port.getByRole("textbox", { name: "Port on this computer" }), "3000");
  await type(port.getByRole("textbox", { name: "Port in the container" }), "8000");
  await expect(port).toContainText("is free");
  await expect(command).toContainText("-p 3000:8000");

  // -v $(pwd):/app: what only a shell understands is said, then the folder's path does it.
  await run.getByRole("button", { name: "Add a folder or volume" }).click();
  const app = run.getByRole("group", { name: "Folder or volume 1" });
  const here = app.getByRole("textbox", { name: "Folder on this computer" });
  await type(here, "$(pwd)");
  await type(app.getByRole("textbox", { name: "Path in the container" }), "/app");
  await expect(app).toContainText("The whole path of the folder");
  await here.fill("");
  await type(here, folder);
  await expect(app).not.toContainText("The whole path");

  // A single file, which the program may only read.
  await run.getByRole("button", { name: "Add a folder or volume" }).click();
  const file = run.getByRole("group", { name: "Folder or volume 2" });
  await type(file.getByRole("textbox", { name: "Folder on this computer" }), `${folder}/index.htm`);
  await type(file.getByRole("textbox", { name: "Path in the container" }), "/page.html");
  await expect(file, "a misspelled file is named before it becomes an empty folder").toContainText("index.htm");
  await file.getByRole("textbox", { name: "Folder on this computer" }).press("End");
  await page.keyboard.type("l");
  await expect(run.getByText(`The file ${folder}/index.html is there`)).toBeVisible();
  await expect(file).not.toContainText("index.htm");
  await file.getByRole("combobox", { name: "Writing" }).selectOption("Read only");

  // -e KEY=value
  await run.getByRole("button", { name: "Add a variable" }).click();
  await expect(run.getByRole("group", { name: "Variable 1" }).getByRole("textbox", { name: "Variable" })).toBeFocused();
  await page.keyboard.type("KEY");
  await page.keyboard.press("Tab");
  await page.keyboard.type('it\'s a "value"');

  // --env-file: what the program will really see of it is one click away.
  await run.getByRole("button", { name: "Import .env" }).click();
  await page.keyboard.type(`${folder}/.env`);
  await run.getByRole("button", { name: "What it really says" }).click();
  const table = run.getByRole("table");
  await expect(table.getByRole("row", { name: /TOKEN/ })).toContainText("quotes", { ignoreCase: true });
  await expect(table.getByRole("row", { name: /MODE/ })).toContainText("on # the default");
  await expect(table.getByText("s3cret-enough")).toHaveCount(0);
  await run.getByRole("button", { name: "Show secrets" }).click();
  await expect(table.getByRole("row", { name: /TOKEN/ })).toContainText('"s3cret-enough"');
  await run.getByRole("button", { name: "Back to the form" }).click();

  await run.getByText("How it starts and stops", { exact: true }).click();
  await type(run.getByRole("textbox", { name: "Working folder", exact: true }), "/app");
  await type(run.getByRole("textbox", { name: "Command", exact: true }), "python -m http.server 8000");
  await run.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { name: "api" })).toBeVisible();
  await expect
    .poll(() => request.get("http://127.0.0.1:3000/").then((answer) => answer.text(), () => ""))
    .toContain("It is served");
  expect(docker(testbed, "exec", "api", "cat", "/page.html")).toContain("It is served");

  // The tutorial's own line, made and not started, for its port is taken.
  docker(
    ...[testbed, "create", "--name", "told", "-p", "3000:8000", "-v", `${folder}:/app`, "-v", `${folder}/index.html:/page.html:ro`],
    ...["--env-file", `${folder}/.env`, "-e", 'KEY=it\'s a "value"', "-w", "/app", PYTHON, "python", "-m", "http.server", "8000"],
  );
  expect(madeOf(testbed, "api")).toEqual(madeOf(testbed, "told"));
  clear(testbed);
  rmSync(folder, { recursive: true });
});

/** What a container is made of, as far as two of the same line have it in common; nothing is left out as nothing. */
function madeOf(testbed: Testbed, name: string): object {
  const [it] = JSON.parse(docker(testbed, "inspect", name)) as [Inspected];
  const { Hostname: _host, AttachStdout: _out, AttachStderr: _err, ...Config } = it.Config;
  const { ConsoleSize: _size, ...HostConfig } = it.HostConfig;
  Config.Env.sort();
  HostConfig.Binds.sort();
  it.Mounts.sort((one, other) => one.Destination.localeCompare(other.Destination));
  const nothing = (value: unknown) => [null, false, "", "no"].includes(value as null) || (Array.isArray(value) && value.length === 0);
  const said = (_: string, value: unknown) => (nothing(value) ? undefined : value);
  return JSON.parse(JSON.stringify({ Config, HostConfig, Mounts: it.Mounts }, said)) as object;
}

interface Inspected {
  Config: { Env: string[]; Hostname: string; AttachStdout: boolean; AttachStderr: boolean };
  HostConfig: { Binds: string[]; ConsoleSize: unknown };
  Mounts: { Destination: string }[];
}

test("docker run -it opens its terminal with its first words, and --rm leaves nothing", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "pull", "--quiet", PYTHON);
  await enter(page, testbed);
  const run = await paste(page, `docker run -it --rm --name talk ${PYTHON} python`, "");
  await expect(run.getByRole("group", { name: "Equivalent command" })).toContainText("--rm");
  await run.getByRole("button", { name: "Run", exact: true }).click();
  const screen = page.getByRole("group", { name: /in talk$/ });
  await expect(screen).toContainText("Type \"help\"");
  await screen.getByRole("textbox").focus();
  await page.keyboard.type("6 * 7\n");
  await expect(screen).toContainText("42");
  await page.keyboard.type("exit()\n");
  await expect.poll(() => docker(testbed, "ps", "--all", "--quiet")).toBe("");
});

test("a flag that Wherry does not know is named, and a mistake is explained", async ({ page, testbed }) => {
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("button", { name: "Run an image" }).first().click();
  await page.getByRole("button", { name: "Paste a docker run line" }).click();
  const line = page.getByRole("textbox", { name: "Paste a docker run line" });
  await expect(line).toBeFocused();
  await line.fill("docker run --sails=3 busybox");
  await expect(page.getByText("--sails", { exact: false }).last()).toBeVisible();
  await line.fill('docker run -e "A=1 busybox');
  await expect(page.getByText(/quot/).last()).toBeVisible();
  await expect(page.getByRole("button", { name: "Fill the form" })).toBeDisabled();
  await expect(page.getByRole("button", { name: "Run", exact: true }), "the form behind is not run").toHaveCount(0);
});

test("a file of variables that docker run refuses is told beside it, before it runs", async ({ page, testbed }) => {
  writeFileSync(`${testbed.home}/refused.env`, "A=1\nexport B=2\n");
  await enter(page, testbed);
  const run = await paste(page, "docker run busybox", "");
  await run.getByRole("button", { name: "Import .env" }).click();
  await page.keyboard.type(`${testbed.home}/refused.env`);
  await expect(run.getByRole("group", { name: "File of variables" })).toContainText(/refused\.env is refused: .*, in line 2/);
  // What is added is typed into at once.
  await run.getByRole("button", { name: "Add a folder or volume" }).click();
  await expect(run.getByRole("textbox", { name: "Folder on this computer" })).toBeFocused();
  await run.getByRole("button", { name: "Add a port" }).click();
  const second = run.getByRole("group", { name: "Port 2" });
  await expect(second.getByRole("textbox", { name: "Port on this computer" })).toBeFocused();
});

test("what an image says about its ports leaves alone whoever types there", async ({ page, testbed }) => {
  clear(testbed);
  await enter(page, testbed);
  let answer = () => {};
  const held = new Promise<void>((resolve) => (answer = resolve));
  await page.route("**/api/call/image.get", async (route) => {
    await held;
    await route.continue();
  });
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("button", { name: "Run an image" }).first().click();
  const run = page.getByRole("dialog");
  await run.getByRole("textbox", { name: "Image" }).fill("busybox");
  const port = run.getByRole("group", { name: "Port 1" }).getByRole("textbox", { name: "Port on this computer" });
  await port.click();
  answer();
  await expect(run).toContainText(/MB, on this computer/);
  await page.keyboard.type("3000");
  await expect(port).toHaveValue("3000");
});

test("whoever holds the port is named, and the next free one is offered", async ({ page, testbed }) => {
  clear(testbed);
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as AddressInfo;
  await enter(page, testbed);
  const run = await paste(page, `docker run -d --name late -p 127.0.0.1:${port}:80 busybox sleep 1000`, "");
  const row = run.getByRole("group", { name: "Port 1" });
  await expect(row).toContainText(/node/);
  await row.getByRole("button", { name: /\d+/ }).click();
  await run.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { name: "late" })).toBeVisible();
  expect(docker(testbed, "port", "late")).not.toContain(`:${port}`);
  holder.close();
  clear(testbed);
});

test("what an image costs that is not here, and that another is nowhere, is told before it runs", async ({ page, testbed }) => {
  clear(testbed);
  if (docker(testbed, "images", "--quiet", "nginx:latest") !== "") docker(testbed, "rmi", "--force", "nginx:latest");
  await enter(page, testbed);
  const run = await paste(page, "docker run –name shop –p 8099:80 nginx", "");
  await expect(run.getByRole("textbox", { name: "Name" })).toHaveValue("shop");
  await expect(run).toContainText("A web page or a word processor has put it there");
  const ahead = run.getByRole("region", { name: "Before it runs" });
  await expect(ahead).toContainText(/[\d.]+ MB to download/);
  await expect(ahead).toContainText("Made for this engine");
  await expect(ahead).toContainText(/About [\d.]+ MB on disk, [\d.]+ [GT]B free/);
  await run.getByText("Image and other flags", { exact: true }).click();
  const platform = run.getByRole("textbox", { name: "Platform" });
  await platform.fill("linux/arm64");
  await expect(ahead).toContainText("Not made for linux/arm64. The registry has it for linux/amd64.");
  await platform.fill("");
  await run.getByRole("textbox", { name: "Image" }).fill("nginxx");
  await expect(ahead).toContainText("Docker Hub has no image named nginxx");
  await expect(ahead).not.toContainText("to download");
});

test("every field of the form is in what runs", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "network", "create", "--subnet", "10.198.7.0/24", "whole-net");
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("button", { name: "Run an image" }).first().click();
  const run = page.getByRole("dialog");
  await run.getByRole("textbox", { name: "Image" }).fill("busybox");
  const text = (name: string) => run.getByRole("textbox", { name, exact: true });
  const choice = (name: string) => run.getByRole("combobox", { name, exact: true });
  const fold = (title: string) => run.getByText(title, { exact: true }).click();
  /** A row of a list with a name and a value. */
  const pair = async (one: string, name: string, value: string) => {
    await run.getByRole("button", { name: `Add: ${one}` }).click();
    await text(`${one}: name`).last().fill(name);
    await text(`${one}: value`).last().fill(value);
  };
  const line = async (one: string, value: string) => {
    await run.getByRole("button", { name: `Add: ${one}` }).click();
    await text(one).last().fill(value);
  };
  await text("Name").fill("whole");
  await choice("When it stops").selectOption("onFailure");
  const port = run.getByRole("group", { name: "Port 1" });
  await port.getByRole("textbox", { name: "Port on this computer" }).fill("18093-18094");
  await port.getByRole("textbox", { name: "Port in the container" }).fill("5300-5301");
  await port.getByRole("combobox").selectOption("UDP, only here");
  await run.getByRole("button", { name: "Add a folder or volume" }).click();
  const volume = run.getByRole("group", { name: "Folder or volume 1" });
  await volume.getByRole("combobox", { name: "Kind" }).selectOption("Volume");
  await volume.getByRole("textbox", { name: "Volume" }).fill("whole-data");
  await volume.getByRole("textbox", { name: "Path in the container" }).fill("/data");
  await volume.getByRole("combobox", { name: "Writing" }).selectOption("Read only");
  await run.getByRole("button", { name: "Add a folder or volume" }).click();
  const memory = run.getByRole("group", { name: "Folder or volume 2" });
  await memory.getByRole("combobox", { name: "Kind" }).selectOption("In memory");
  await memory.getByRole("textbox", { name: "Options of the memory" }).fill("size=2m");
  await memory.getByRole("textbox", { name: "Path in the container" }).fill("/fast");
  await run.getByRole("button", { name: "Add a variable" }).click();
  const variable = run.getByRole("group", { name: "Variable 1" });
  await variable.getByRole("textbox", { name: "Variable" }).fill("API_TOKEN");
  await variable.getByLabel("Value", { exact: true }).fill("hunter2hunter2");
  await expect(variable.getByLabel("Value", { exact: true })).toHaveAttribute("type", "password");
  await text("Command").fill("-c 'exec sleep 1000'");

  await fold("How it starts and stops");
  await text("Program to start").fill("/bin/sh");
  await text("Working folder").fill("/fast");
  await text("User").fill("1000:1000");
  await run.getByRole("checkbox", { name: "A small init as the first program" }).check();
  await run.getByRole("checkbox", { name: "Input stays open" }).check();
  await text("Starts again at most").fill("4");
  await text("Signal to stop it").fill("SIGINT");
  await text("Seconds until it is ended by force").fill("3");
  await fold("Resources");
  await text("Memory").fill("64m");
  await text("Processors").fill("0.5");
  await text("Shared memory").fill("128m");
  await pair("Limit", "nofile", "512:1024");
  await fold("GPU");
  await choice("GPUs").selectOption("All");
  const command = run.getByRole("group", { name: "Equivalent command" });
  await expect(command).toContainText("--gpus all");
  await fold("Network");
  await run.getByRole("button", { name: "Add: Network" }).click();
  await choice("Network").fill("whole-net");
  await text("Names others call it by").fill("store, vault");
  await text("Address in this network").fill("10.198.7.77");
  await text("Its host name").fill("inner");
  await line("Name server", "10.9.8.7");
  await pair("Known name", "db", "192.168.1.5");
  await run.getByRole("checkbox", { name: /^Publish every port/ }).check();
  await fold("Health check");
  await choice("Check").selectOption("My own");
  await text("Command of the check").fill("true");
  await text("Every").fill("7s");
  await text("May take").fill("5s");
  await text("Time to start").fill("2s");
  await text("Failures in a row").fill("6");
  await fold("Log and labels");
  await text("Log driver").fill("json-file");
  await pair("Log option", "max-size", "3m");
  await pair("Label", "team", "web");
  await fold("Rights and devices");
  await run.getByRole("checkbox", { name: "Its own files are read-only" }).check();
  await line("Right to give", "NET_ADMIN");
  await line("Right to take", "MKNOD");
  await line("Device", "/dev/null:/dev/zilch:r");
  await line("Security option", "no-new-privileges");
  await pair("Kernel setting", "net.core.somaxconn", "512");
  await fold("Image and other flags");
  await text("Platform").fill("linux/arm64");
  await choice("Get the image").selectOption("Never");
  await choice("Add a flag").selectOption("memory-reservation");
  await text("Value of --memory-reservation").fill("32m");
  await axe(page, "The whole form");
  await expect(command).not.toContainText("hunter2");
  // The engine is asked for that platform, and has the image for another.
  await run.getByRole("button", { name: "Run", exact: true }).click();
  await expect(run.getByRole("alert")).toContainText("linux/arm64");
  await text("Platform").fill("linux/amd64");
  await expect(command).toContainText("--platform linux/amd64");
  await run.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { name: "whole" })).toBeVisible();

  const [made] = JSON.parse(docker(testbed, "inspect", "whole")) as [{ Config: object; HostConfig: object; State: object; NetworkSettings: object }];
  expect(made.State).toMatchObject({ Running: true });
  expect(made.Config).toMatchObject({
    Entrypoint: ["/bin/sh"],
    Cmd: ["-c", "exec sleep 1000"],
    WorkingDir: "/fast",
    User: "1000:1000",
    OpenStdin: true,
    StopSignal: "SIGINT",
    StopTimeout: 3,
    Hostname: "inner",
    Env: expect.arrayContaining(["API_TOKEN=hunter2hunter2"]) as string[],
    Labels: { team: "web" },
    Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 7e9, Timeout: 5e9, StartPeriod: 2e9, Retries: 6 },
  });
  const bound = (port: string) => [{ HostIp: "127.0.0.1", HostPort: port }];
  expect(made.HostConfig).toMatchObject({
    RestartPolicy: { Name: "on-failure", MaximumRetryCount: 4 },
    PortBindings: { "5300/udp": bound("18093"), "5301/udp": bound("18094") },
    PublishAllPorts: true,
    Tmpfs: { "/fast": expect.stringContaining("size=2m") },
    Init: true,
    Memory: 64 << 20,
    MemoryReservation: 32 << 20,
    NanoCpus: 5e8,
    ShmSize: 128 << 20,
    Ulimits: [{ Name: "nofile", Soft: 512, Hard: 1024 }],
    Dns: ["10.9.8.7"],
    ExtraHosts: ["db:192.168.1.5"],
    LogConfig: { Type: "json-file", Config: { "max-size": "3m" } },
    ReadonlyRootfs: true,
    CapAdd: [expect.stringMatching(/NET_ADMIN$/)],
    CapDrop: [expect.stringMatching(/MKNOD$/)],
    Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/zilch", CgroupPermissions: "r" }],
    SecurityOpt: ["no-new-privileges"],
    Sysctls: { "net.core.somaxconn": "512" },
    NetworkMode: "whole-net",
    DeviceRequests: [{ Count: -1, Capabilities: [["gpu"]] }],
  });
  expect(made.NetworkSettings).toMatchObject({
    Networks: {
      "whole-net": {
        IPAMConfig: { IPv4Address: "10.198.7.77" },
        IPAddress: "10.198.7.77",
        Aliases: expect.arrayContaining(["store", "vault"]) as string[],
      },
    },
  });
  expect(docker(testbed, "inspect", "--format", "{{json .Mounts}}", "whole")).toMatch(/"whole-data".*"\/data".*"RW":false/);
  clear(testbed);
  docker(testbed, "volume", "rm", "whole-data");
  docker(testbed, "network", "rm", "whole-net");
});
