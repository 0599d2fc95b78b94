import { expect, test } from "vitest";
import { trustCommand } from "./trust";

test("a certificate goes to where the engine looks for it", () => {
  expect(trustCommand(false, "linux", "lab:5000")).toBe(
    "sudo mkdir -p /etc/docker/certs.d/lab:5000/ && sudo cp ca.crt /etc/docker/certs.d/lab:5000/",
  );
  expect(trustCommand(true, "mac", "lab:5000")).toBe("mkdir -p ~/.docker/certs.d/lab:5000/ && cp ca.crt ~/.docker/certs.d/lab:5000/");
  expect(trustCommand(true, "windows", "lab:5000")).toBeNull();
});
