// Numbers, times and addresses in the words that people read.

import type { Port } from "$lib/api";

const DECIMAL = ["B", "kB", "MB", "GB", "TB", "PB"];

function scaled(value: number, base: number): string {
  let unit = 0;
  // 999.5 would be written "1000": the next unit says it better.
  while (value >= base - 0.5 && unit < DECIMAL.length - 1) {
    value /= base;
    unit += 1;
  }
  const digits = unit > 0 && value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${DECIMAL[unit]}`;
}

/** Sizes of images and layers: decimal, as the docker command writes them. */
export function bytes(count: number): string {
  return scaled(Math.max(0, count), 1000);
}

/** Memory and disks: in powers of 1024 and called GB, as computers are sold and every system's settings say. */
export function capacity(count: number): string {
  return scaled(Math.max(0, count), 1024);
}

/** "2.8 of 6 GB", with the unit once where both have the same. */
export function usedOf(used: number, total: number): string {
  const [left, right] = [capacity(used), capacity(total)];
  const unit = right.slice(right.indexOf(" "));
  return left.endsWith(unit) ? `${left.slice(0, -unit.length)} of ${right}` : `${left} of ${right}`;
}

export function percent(part: number): string {
  return `${Math.round(part * 100)}%`;
}

/** How long something took: "0.3 s", "1 min 12 s". */
export function took(millis: number): string {
  if (millis < 60_000) return `${(millis / 1000).toFixed(1)} s`;
  const seconds = Math.round(millis / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** How long something has been going on: "40 s", "12 min", "3 h 12 min", "2 d 4 h". */
export function span(millis: number): string {
  const seconds = Math.max(0, Math.floor(millis / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
  if (hours > 0) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

/** How old something is, in the docker command's words: "3 hours". Both times in Unix seconds. */
export function age(seconds: number, now: number = Date.now() / 1000): string {
  const old = Math.max(0, now - seconds);
  const hours = Math.round(old / 3600);
  if (old < 2) return "1 second";
  if (old < 60) return `${Math.floor(old)} seconds`;
  if (old < 120) return "About a minute";
  if (old < 3600) return `${Math.floor(old / 60)} minutes`;
  if (hours <= 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** "3 days ago", in the middle of a sentence. */
export function ago(seconds: number): string {
  return `${age(seconds).replace(/^./, (first) => first.toLowerCase())} ago`;
}

/** "8080:80", "127.0.0.1:8080:80", "53:53/udp"; a port that is not published is "80". */
export function portText(port: Port): string {
  const protocol = port.protocol === "tcp" ? "" : `/${port.protocol}`;
  if (!port.host) return `${port.container}${protocol}`;
  const { address, port: published } = port.host;
  const everywhere = address === "" || address === "0.0.0.0" || address === "::";
  const host = everywhere ? "" : `${address.includes(":") ? `[${address}]` : address}:`;
  return `${host}${published}:${port.container}${protocol}`;
}

/** Where a browser on this computer reaches the port, if it can. */
export function portUrl(port: Port): string | null {
  if (!port.host || port.protocol !== "tcp") return null;
  const { address, port: published } = port.host;
  const here = ["", "0.0.0.0", "::", "127.0.0.1", "::1"].includes(address);
  const name = here ? "localhost" : address.includes(":") ? `[${address}]` : address;
  return `http://${name}:${published}`;
}

/** With the full stop that messages made from an error may lack. */
export function sentence(text: string): string {
  return text.replace(/[^.?!…]$/, "$&.");
}

/** "1 container", "3 containers". */
export function counted(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
