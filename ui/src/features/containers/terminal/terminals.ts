// Names and choices of terminals, without anything that is fetched or drawn.

import type { ImageSummary, Shells, Terminal, TerminalKind } from "$lib/api";

export const SMALLEST_TEXT = 9;
export const LARGEST_TEXT = 24;
export const USUAL_TEXT = 13;

/** `/bin/bash` is "bash". */
export function shellName(program: string): string {
  return program.slice(program.lastIndexOf("/") + 1);
}

/** What a tab says: the program, and beside it who runs it or where it came from. */
export function tabWords({ kind }: Pick<Terminal, "kind">): { name: string; detail: string } {
  switch (kind.type) {
    case "shell":
      return { name: shellName(kind.program), detail: kind.user ?? "" };
    case "attach":
      return { name: "attached", detail: "its own program" };
    case "debug":
      return { name: "debug", detail: kind.image };
  }
}

/** "bash", "bash as root", for those who hear it. */
export function tabTitle(terminal: Pick<Terminal, "kind">): string {
  const { name, detail } = tabWords(terminal);
  if (detail === "") return name;
  return terminal.kind.type === "shell" ? `${name} as ${detail}` : `${name}, ${detail}`;
}

/** The user to choose when nobody has chosen: whoever the container runs as. */
export const OWN_USER = "";

export function userOptions(shells: Shells): { value: string; label: string }[] {
  const own = shells.user ?? "root";
  const named = (name: string) => shells.users.find((user) => user.name === name || String(user.id) === name);
  const words = ({ name, id }: Shells["users"][number]) => `${name} (${id})`;
  const found = named(own.split(":")[0] ?? own);
  return [
    { value: OWN_USER, label: found ? words(found) : own },
    ...shells.users.filter((user) => user !== found).map((user) => ({ value: user.name, label: words(user) })),
    ...(found?.id === 0 || shells.users.some(({ id }) => id === 0) || own === "root" || own === "0"
      ? []
      : [{ value: "0", label: "root (0)" }]),
  ];
}

export function shellKind(program: string, user: string): TerminalKind {
  return { type: "shell", program, user: user === OWN_USER ? null : user };
}

export type Tool = { reference: string; name: string; about: string; here: boolean };

const TOOLS = [
  { name: "busybox", reference: "busybox:latest", about: "Files and processes. About 2 MB" },
  { name: "netshoot", reference: "nicolaka/netshoot:latest", about: "Network: curl, dig, tcpdump. About 200 MB" },
  { name: "alpine", reference: "alpine:latest", about: "A small system with a package manager. About 4 MB" },
];

/** Images that bring tools, each with whether it is on this engine. */
export function tools(images: ImageSummary[]): Tool[] {
  return TOOLS.map((tool) => {
    const repository = tool.reference.slice(0, tool.reference.lastIndexOf(":"));
    const known = images
      .flatMap(({ references }) => references)
      .filter((reference) => reference === repository || reference.startsWith(`${repository}:`));
    const reference = known.find((one) => one === tool.reference) ?? known[0];
    return { ...tool, reference: reference ?? tool.reference, here: reference !== undefined };
  });
}
