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

window.addEventListener("hashchange", () => Object.assign(route, parse(location.hash)));

export function go(page: PageName, ...rest: string[]): void {
  location.hash = href(page, ...rest);
}
