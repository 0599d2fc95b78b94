// WebKit says "C" where the system has no language (LANG=C), which is none that Intl knows, and the charts' library asks
// Intl for the browser's language while it is loaded. So this is imported before everything else.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
}

export {};
