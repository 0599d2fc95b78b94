// The sections of the settings, in the order in which they stand; `#/settings/network` opens one.

export type SectionName = "resources" | "files" | "network" | "engine" | "appearance" | "advanced";

export type Section = { name: SectionName; title: string; about: string };

export const SECTIONS: Section[] = [
  {
    name: "resources",
    title: "Resources",
    about: "The most that Wherry's own engine may use. What it leaves is free for your own programs.",
  },
  { name: "files", title: "File sharing", about: "Which folders of this computer containers can use." },
  { name: "network", title: "Network & proxies", about: "How Wherry's own engine reaches the world." },
  { name: "engine", title: "Engine", about: "Which engine runs your containers, and whom your terminal talks to." },
  { name: "appearance", title: "Appearance", about: "Only changes how Wherry looks on this computer." },
  { name: "advanced", title: "Advanced & reset", about: "Backups, help when something is wrong, and starting over." },
];

/** Which one an address means; the first when it means none. */
export function sectionOf(rest: string[]): Section {
  return SECTIONS.find((section) => section.name === rest[0]) ?? (SECTIONS[0] as Section);
}
