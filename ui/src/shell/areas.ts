const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), [tabindex='0']";

/** F6: to the next part of the window, at its first thing that takes the focus. */
export function moveToArea(by: 1 | -1): boolean {
  const areas = [...document.querySelectorAll<HTMLElement>("[data-area]")].filter(
    (area) => area.querySelector(FOCUSABLE) || area.tabIndex >= -1,
  );
  if (areas.length === 0) return false;
  const here = areas.findIndex((area) => area.contains(document.activeElement));
  for (let step = 1; step <= areas.length; step += 1) {
    const start = here < 0 && by < 0 ? 0 : here;
    const area = areas[(start + by * step + areas.length * 2) % areas.length];
    const target = area?.querySelector<HTMLElement>("[aria-current]") ?? area?.querySelector<HTMLElement>(FOCUSABLE);
    const goal = target ?? (area?.hasAttribute("tabindex") ? area : null);
    if (goal) {
      goal.focus();
      return true;
    }
  }
  return false;
}
