// The page in view is the address after the #: "#/containers/4f2a". A reload and the back button keep it.

export const PAGES = ["home", "containers", "images", "registries", "settings", "clicked", "env", "trash"] as const;
export type PageName = (typeof PAGES)[number];

export type Route = { page: PageName; rest: string[] };

export function parse(hash: string): Route {
  const [first, ...rest] = hash
    .replace(/^#?\/?/, "")
    .split("/")
    .filter((part) => part !== "")
    .map(decode);
  const page = PAGES.find((page) => page === first);
  return page ? { page, rest } : { page: "home", rest: [] };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** For links: `href("containers", id)`. */
export function href(page: PageName, ...rest: string[]): string {
  return `#/${[page, ...rest].map(encodeURIComponent).join("/")}`;
}

export const route: Route = $state(parse(location.hash));

/** Called with what leaves when nothing of this page is to be kept. */
type Ask = (leave: () => void) => void;

let held: Ask | null = null;
let shown = location.hash;

/** Whoever leaves the page is asked first. The result lets go. */
export function holdPage(ask: Ask): () => void {
  held = ask;
  return () => {
    if (held === ask) held = null;
  };
}

window.addEventListener("hashchange", () => {
  const wanted = location.hash;
  if (held !== null && wanted !== shown) {
    // The address has changed already, by a link or by the back button: it goes back until the person has answered.
    history.replaceState(null, "", shown || "#");
    held(() => {
      held = null;
      location.hash = wanted;
    });
    return;
  }
  shown = wanted;
  Object.assign(route, parse(wanted));
});

export function go(page: PageName, ...rest: string[]): void {
  location.hash = href(page, ...rest);
}
