import { expect, test } from "vitest";
import { kindOf, keptWords, loginCommand, logoutCommand, placeWords, registryName, userWords } from "./kinds";

test("a registry's kind is in its address", () => {
  for (const [address, kind] of [
    ["docker.io", "hub"],
    ["https://index.docker.io/v1/", "hub"],
    ["ghcr.io", "github"],
    ["registry.gitlab.com", "gitlab"],
    ["123.dkr.ecr.eu-central-1.amazonaws.com", "ecr"],
    ["europe-west3-docker.pkg.dev", "google"],
    ["eu.gcr.io", "google"],
    ["lab.azurecr.io", "azure"],
    ["harbor.cs.example.edu:8443", "harbor"],
    ["notghcr.io.example.com", "other"],
    ["", "other"],
  ] as const) {
    expect(kindOf(address), address).toBe(kind);
  }
});

test("a registry is called by its name where it has one", () => {
  expect(registryName("docker.io")).toBe("Docker Hub");
  expect(registryName("192.168.1.20:5000")).toBe("192.168.1.20:5000");
});

test("no secret is in the command", () => {
  expect(loginCommand("docker.io", "ada")).toBe("docker login --username ada");
  expect([logoutCommand("docker.io"), logoutCommand("ghcr.io")]).toEqual(["docker logout", "docker logout ghcr.io"]);
  expect(loginCommand("ghcr.io", "")).toBe("docker login ghcr.io --username USER");
});

test("it is said where a login is", () => {
  expect(keptWords({ type: "helper", program: "docker-credential-pass" })).toContain("docker-credential-pass");
  expect(keptWords({ type: "keychain", terminal: true })).toContain("terminal");
  expect(placeWords({ type: "keychain", terminal: true }, "~/.docker/config.json").detail).toContain("~/.docker/config.json");
  expect(placeWords({ type: "keychain", terminal: false }, "").detail).toContain("not signed in");
  const entry = { address: "x", added: false, user: "", kept: null, insecure: false, certificates: [] };
  expect(userWords(entry)).toBe("A token");
  expect(userWords({ ...entry, user: null })).toBeNull();
});
