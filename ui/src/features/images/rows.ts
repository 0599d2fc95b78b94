// What the image list shows, decided apart from how it is drawn.

import type { ImageSize, ImageSummary } from "$lib/api";
import { bytes, counted } from "$lib/format";

export type Filter = "all" | "used" | "unused" | "untagged";

/** One name of an image. An image with three names makes three rows, as each can be run and removed by itself. */
export type Row = {
  key: string;
  /** What commands call it: the name, or the id when it has none. */
  reference: string;
  repository: string;
  tag: string;
  tagged: boolean;
  /** Other names of the same image. */
  otherNames: number;
  image: ImageSummary;
};

/** The tag starts after the last colon, unless that colon belongs to a registry's port. */
export function split(reference: string): { repository: string; tag: string } {
  const at = reference.indexOf("@");
  if (at >= 0) return { repository: reference.slice(0, at), tag: reference.slice(at + 1) };
  const colon = reference.lastIndexOf(":");
  if (colon < 0 || reference.indexOf("/", colon) >= 0) return { repository: reference, tag: "latest" };
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}

/** "nginx" of "docker.io/library/nginx:1.27": what titles say. */
export function shortName(reference: string): string {
  if (reference.startsWith("sha256:")) return shortId(reference);
  const { repository } = split(reference);
  return repository.slice(repository.lastIndexOf("/") + 1) || reference;
}

export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

export function rows(images: ImageSummary[]): Row[] {
  return images.flatMap((image): Row[] => {
    if (image.references.length > 0) {
      return image.references.map((reference) => ({
        key: `${image.id} ${reference}`,
        reference,
        ...split(reference),
        tagged: true,
        otherNames: image.references.length - 1,
        image,
      }));
    }
    const repository = image.digests[0]?.split("@")[0] ?? shortId(image.id);
    return [{ key: image.id, reference: image.id, repository, tag: "", tagged: false, otherNames: 0, image }];
  });
}

function passes(row: Row, filter: Filter): boolean {
  if (filter === "used") return row.image.usedBy.length > 0;
  if (filter === "unused") return row.image.usedBy.length === 0;
  if (filter === "untagged") return !row.tagged;
  return true;
}

export function counts(all: Row[]): Record<Filter, number> {
  const count = (filter: Filter) => all.filter((row) => passes(row, filter)).length;
  return { all: all.length, used: count("used"), unused: count("unused"), untagged: count("untagged") };
}

export function visible(all: Row[], filter: Filter, search: string): Row[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((row) => {
    if (!passes(row, filter)) return false;
    const text = `${row.repository}:${row.tag}\n${row.image.usedBy.join("\n")}`.toLowerCase();
    return words.every((word) => text.includes(word) || shortId(row.image.id).startsWith(word));
  });
}

/** Layers shared between images are counted with each, as the engine reports them. */
export function totalSize(images: ImageSummary[]): number {
  return images.reduce((sum, image) => sum + image.size, 0);
}

export function usedByText(usedBy: string[]): string {
  const [first, ...rest] = usedBy;
  if (first === undefined) return "Unused";
  return rest.length === 0 ? first : `${first} and ${rest.length} more`;
}

export type Removal = { title: string; text: string; button: string };

/** What removing an image gives back: what no other image has, too, as far as the engine says. */
export function ownBytes(image: ImageSummary, sizes: ReadonlyMap<string, ImageSize> | null): number {
  return Math.max(0, image.size - (sizes?.get(image.id)?.shared ?? 0));
}

/** What the removal of these names would give back: only images that lose their last name go. */
export function freed(rows: Row[], sizes: ReadonlyMap<string, ImageSize> | null): number {
  const names = new Map<string, { image: ImageSummary; count: number }>();
  for (const { image } of rows) names.set(image.id, { image, count: (names.get(image.id)?.count ?? 0) + 1 });
  return [...names.values()]
    .filter(({ image, count }) => image.usedBy.length === 0 && count >= image.references.length)
    .reduce((sum, { image }) => sum + ownBytes(image, sizes), 0);
}

export function bulkRemoval(rows: Row[], all: ImageSummary[], sizes: ReadonlyMap<string, ImageSize> | null): Removal {
  const [only] = rows;
  if (only && rows.length === 1) return removal(only);
  /** The engine keeps what a container was made from, and lets go a name where the image has another. */
  const used = rows.filter(({ image, otherNames }) => {
    const others = rows.filter((other) => other.image.id === image.id).length - 1;
    return image.usedBy.length > 0 && otherNames <= others;
  }).length;
  const space = freed(rows, sizes);
  const back = space > 0 ? ` At least ${bytes(space)} of ${bytes(totalSize(all))} come back.` : "";
  const kept = used > 0 ? ` ${counted(used, "of them is", "of them are")} used by containers and stay.` : "";
  return {
    title: `Remove ${counted(rows.length, "image")}?`,
    text: `What a registry has can be pulled again.${back}${kept} Volumes are not touched.`,
    button: `Remove ${counted(rows.length, "image")}`,
  };
}

/** `linux/amd64`, of how an engine calls its processor. */
export function platformOf(architecture: string): string {
  return `linux/${{ x86_64: "amd64", aarch64: "arm64" }[architecture] ?? architecture}`;
}

/** The platform where it is another than the engine's, which is worth a badge. */
export function foreign(image: ImageSummary, sizes: ReadonlyMap<string, ImageSize> | null, engine: string | null): string | null {
  const platform = sizes?.get(image.id)?.platform;
  if (!platform || !engine) return null;
  return platform === platformOf(engine) ? null : platform;
}

export function removal(row: Row): Removal {
  const name = row.tagged ? `${shortName(row.reference)}:${row.tag}` : shortId(row.image.id);
  const title = `Remove ${name}?`;
  if (row.otherNames > 0) {
    const others = row.otherNames === 1 ? "one other name" : `${row.otherNames} other names`;
    return { title, text: `Only this name goes. The image has ${others} and stays.`, button: "Remove the name" };
  }
  const used = row.image.usedBy;
  if (used.length > 0) {
    const by = used.length <= 3 ? used.join(", ") : `${used.slice(0, 2).join(", ")} and ${used.length - 2} more`;
    const those = used.length === 1 ? "that container" : "those containers";
    const text = `It is used by ${by}. Delete ${those} first: the engine keeps what a container was made from.`;
    return { title, text, button: "Remove" };
  }
  return { title, text: "No container uses it. Pull it again whenever you need it.", button: "Remove" };
}

/** As the docker command names it. */
export function named(row: Row): string {
  return row.tagged ? row.reference : shortId(row.image.id);
}

export function removalText(rows: readonly Row[], force = false): string {
  return ["docker", "rmi", ...(force ? ["--force"] : []), ...rows.map(named)].join(" ");
}

/** The person chooses the file later. */
export function saveText(rows: readonly Row[]): string {
  return ["docker", "save", "-o", "images.tar", ...rows.map(named)].join(" ");
}
