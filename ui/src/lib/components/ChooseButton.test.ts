import { fireEvent, render, screen } from "@testing-library/svelte";
import { beforeEach, expect, test, vi } from "vitest";
import ChooseButton from "./ChooseButton.svelte";

const host = vi.hoisted(() => ({ choose: null as unknown }));
vi.mock("$lib/api", async (original) => ({ ...(await original<object>()), host }));

const FOLDER = { what: "folder", label: "Choose a folder to share" } as const;

beforeEach(() => (host.choose = null));

test("a browser has no dialog, so there is no button", () => {
  render(ChooseButton, { choices: [FOLDER], path: "", onchoose: () => {} });
  expect(screen.queryByRole("button")).toBeNull();
});

test("what was chosen is handed over, and nothing when nothing was", async () => {
  const answers = [null, "/srv/code"];
  const choose = vi.fn(async () => answers.shift());
  const onchoose = vi.fn();
  host.choose = choose;
  render(ChooseButton, { choices: [FOLDER], path: "/srv", onchoose });
  await fireEvent.click(screen.getByRole("button", { name: "Choose…" }));
  await vi.waitFor(() => expect(choose).toHaveBeenCalledWith({ what: "folder", title: "Choose a folder to share", path: "/srv" }));
  expect(onchoose).not.toHaveBeenCalled();
  await vi.waitFor(() => expect(screen.getByRole("button").hasAttribute("disabled")).toBe(false));
  await fireEvent.click(screen.getByRole("button", { name: "Choose…" }));
  await vi.waitFor(() => expect(onchoose).toHaveBeenCalledWith("/srv/code"));
});

test("while the dialog is open there is no second one", async () => {
  host.choose = () => new Promise(() => {});
  render(ChooseButton, { choices: [FOLDER], path: "", onchoose: () => {} });
  await fireEvent.click(screen.getByRole("button"));
  expect(screen.getByRole("button").hasAttribute("disabled")).toBe(true);
});
