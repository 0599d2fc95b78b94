/** Calls now and every so often, but not while the window is hidden. Returns what ends it. */
export function whileVisible(millis: number, ask: () => Promise<void>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;

  async function turn() {
    await ask();
    if (!ended && !document.hidden) timer = setTimeout(turn, millis);
  }
  function onvisibility() {
    clearTimeout(timer);
    if (!document.hidden) void turn();
  }

  document.addEventListener("visibilitychange", onvisibility);
  onvisibility();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onvisibility);
  };
}
