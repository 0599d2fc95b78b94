// Who reaches a published port: the protocol, and the address of this computer that it is bound to.

import type { Protocol } from "$lib/api";
import type { PortRow } from "./form";

type Bound = Pick<PortRow, "protocol" | "address">;

const LOCAL = "127.0.0.1";
const PROTOCOLS: Protocol[] = ["tcp", "udp", "sctp"];

export function reachOf({ protocol, address }: Bound): string {
  return `${protocol} ${address.trim()}`;
}

export function withReach(value: string): Bound {
  const [word = "", address = ""] = value.split(" ");
  return { protocol: PROTOCOLS.find((protocol) => protocol === word) ?? "tcp", address };
}

/** An address of its own, as a pasted line may have, stays a choice. SCTP is one only where it was asked for. */
export function reaches(row: Bound): { value: string; label: string }[] {
  const protocols = PROTOCOLS.filter((protocol) => protocol !== "sctp" || row.protocol === protocol);
  const own = row.address.trim();
  const addresses = ["", LOCAL, ...(own === "" || own === LOCAL ? [] : [own])];
  return addresses.flatMap((address) =>
    protocols.map((protocol) => ({ value: reachOf({ protocol, address }), label: labelOf({ protocol, address }) })),
  );
}

function labelOf({ protocol, address }: Bound): string {
  const word = protocol.toUpperCase();
  if (address === "") return `${word}, everybody`;
  return address === LOCAL ? `${word}, only here` : `${word} at ${address}`;
}
