/** Ctrl, and Cmd on a Mac. */
export function withControl(event: KeyboardEvent): boolean {
  return event.ctrlKey || event.metaKey;
}

/** Single letters do something only where no one is typing. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

/** How a shortcut is written on this computer. */
export function keyName(keys: string, mac: boolean): string {
  return mac ? keys.replace("Ctrl Shift ", "⇧⌘").replace("Ctrl ", "⌘") : keys;
}
