import { fireEvent, render, screen } from "@testing-library/svelte";
import { createRawSnippet, tick } from "svelte";
import { expect, test, vi } from "vitest";
import type { Problem } from "$lib/api";
import { toasts } from "$lib/state/toasts.svelte";
import Button from "./Button.svelte";
import Dialog from "./Dialog.svelte";
import Meter from "./Meter.svelte";
import ProblemView from "./ProblemView.svelte";
import ToastList from "./ToastList.svelte";

const words = (text: string) => createRawSnippet(() => ({ render: () => `<span>${text}</span>` }));

const PROBLEM: Problem = {
  code: "portTaken",
  message: "Could not start web: 8080 is used by nginx (pid 4242)",
  hint: "Use another port.",
  why: null,
  causes: ["port is already allocated"],
  action: { type: "usePort", taken: 8080, instead: 8081 },
};

test("a problem's remedy is a button that hands over the action", async () => {
  const onaction = vi.fn();
  render(ProblemView, { problem: PROBLEM, onaction });
  expect(screen.getByRole("alert").textContent).toContain("8080 is used by nginx (pid 4242).");
  await fireEvent.click(screen.getByRole("button", { name: "Use 8081" }));
  expect(onaction).toHaveBeenCalledWith(PROBLEM.action);
});

test("a problem whose remedy nobody handles has no button that does nothing", () => {
  render(ProblemView, { problem: PROBLEM });
  expect(screen.queryByRole("button", { name: "Use 8081" })).toBeNull();
});

test("a busy button takes no second click", () => {
  render(Button, { busy: true, children: words("Start the engine") });
  expect(screen.getByRole("button", { name: "Start the engine" }).hasAttribute("disabled")).toBe(true);
});

test("a meter is read out in the words beside it", () => {
  render(Meter, { label: "Memory", part: 0.46, text: "2.8 of 6 GB" });
  const meter = screen.getByRole("meter", { name: "Memory" });
  expect(meter.getAttribute("aria-valuenow")).toBe("46");
  expect(meter.getAttribute("aria-valuetext")).toBe("2.8 of 6 GB");
});

test("a message that comes while a dialog is open is inside the dialog, where it is in reach", async () => {
  render(ToastList);
  const { unmount } = render(Dialog, { title: "Run", onclose: () => {}, children: words("form") });
  const id = toasts.show("Pulled nginx");
  await tick();
  expect(screen.getByText("Pulled nginx").closest("dialog")).not.toBeNull();
  unmount();
  await tick();
  expect(screen.getByText("Pulled nginx").closest("dialog")).toBeNull();
  toasts.close(id);
});

test("a message's time goes on when a dialog opens or closes, and stops while it is pointed at", async () => {
  vi.useFakeTimers();
  try {
    render(ToastList);
    toasts.show("Pulled nginx", { millis: 6000 });
    await tick();
    vi.advanceTimersByTime(4000);
    const { unmount } = render(Dialog, { title: "Run", onclose: () => {}, children: words("form") });
    await tick();
    vi.advanceTimersByTime(1500);
    await fireEvent.pointerEnter(screen.getByRole("status"));
    vi.advanceTimersByTime(60_000);
    await fireEvent.pointerLeave(screen.getByRole("status"));
    unmount();
    await tick();
    expect(screen.queryByText("Pulled nginx"), "half a second is left").not.toBeNull();
    vi.advanceTimersByTime(600);
    await tick();
    expect(screen.queryByText("Pulled nginx")).toBeNull();
  } finally {
    vi.useRealTimers();
  }
});
