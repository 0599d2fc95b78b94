// What each kind of registry wants for a sign-in, in words. Addresses tell the kinds apart, except Harbor, which is
// wherever somebody runs it.

import type { Greeting, Kept, RegistryEntry } from "$lib/api";

export type Kind = "hub" | "github" | "gitlab" | "ecr" | "google" | "azure" | "harbor" | "other";

export type KindWords = {
  name: string;
  /** What it wants, as a title: "GitHub wants a classic token". */
  wants: string;
  /** Where that comes from and what it needs. */
  how: string;
  /** A page where it is made. */
  page: string | null;
  /** Something to type that prints it. */
  command: string | null;
  address: string;
  example: string;
  userLabel: string;
  user: string;
  secretLabel: string;
};

export const KINDS: Record<Kind, KindWords> = {
  hub: {
    name: "Docker Hub",
    wants: "Docker Hub wants an access token",
    how: "In your account settings, under Personal access tokens. The password works too, unless you sign in with a second step.",
    page: "https://app.docker.com/settings/personal-access-tokens",
    command: null,
    address: "docker.io",
    example: "docker.io",
    userLabel: "Docker ID",
    user: "",
    secretLabel: "Access token",
  },
  github: {
    name: "GitHub",
    wants: "GitHub wants a classic personal access token",
    how: "With the right read:packages to pull, and write:packages to push. Passwords and fine-grained tokens do not work there.",
    page: "https://github.com/settings/tokens/new?scopes=read:packages",
    command: null,
    address: "ghcr.io",
    example: "ghcr.io",
    userLabel: "GitHub user name",
    user: "",
    secretLabel: "Token",
  },
  gitlab: {
    name: "GitLab",
    wants: "GitLab wants a personal or a deploy token",
    how: "With the right read_registry to pull, and write_registry to push. A GitLab of your own has its own address.",
    page: "https://gitlab.com/-/user_settings/personal_access_tokens",
    command: null,
    address: "registry.gitlab.com",
    example: "registry.gitlab.com",
    userLabel: "User name",
    user: "",
    secretLabel: "Token",
  },
  ecr: {
    name: "AWS ECR",
    wants: "AWS ECR wants a password that lasts 12 hours",
    how: "The AWS command prints it. The user is always AWS.",
    page: null,
    command: "aws ecr get-login-password",
    address: "",
    example: "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    userLabel: "User name",
    user: "AWS",
    secretLabel: "Password",
  },
  google: {
    name: "Google",
    wants: "Google wants an access token that lasts an hour",
    how: "Google's command prints it. For longer, use the user _json_key and the content of a service account's key file.",
    page: null,
    command: "gcloud auth print-access-token",
    address: "",
    example: "europe-west3-docker.pkg.dev",
    userLabel: "User name",
    user: "oauth2accesstoken",
    secretLabel: "Access token",
  },
  azure: {
    name: "Azure",
    wants: "Azure wants a token or an access key of the registry",
    how: "In the portal, under Repository permissions or Access keys. The user is the name of the token, or of the registry.",
    page: "https://portal.azure.com",
    command: null,
    address: "",
    example: "myregistry.azurecr.io",
    userLabel: "User name",
    user: "",
    secretLabel: "Password",
  },
  harbor: {
    name: "Harbor",
    wants: "Harbor wants a CLI secret",
    how: "In your profile there. The web password does not work with a university's or a company's login. A robot account does.",
    page: null,
    command: null,
    address: "",
    example: "harbor.example.edu",
    userLabel: "User name",
    user: "",
    secretLabel: "CLI secret",
  },
  other: {
    name: "Other",
    wants: "Most registries want a user and a token",
    how: "A token made for this computer can be taken back by itself. A registry of your own may want a plain password.",
    page: null,
    command: null,
    address: "",
    example: "registry.example.com:5000",
    userLabel: "User name",
    user: "",
    secretLabel: "Token or password",
  },
};

export function kindOf(address: string): Kind {
  const host = address
    .trim()
    .toLowerCase()
    .replace(/^https?:\/\//, "")
    .split("/")[0]
    ?.replace(/:\d+$/, "") ?? "";
  if (["docker.io", "index.docker.io", "hub.docker.com", "registry-1.docker.io"].includes(host)) return "hub";
  if (host === "ghcr.io" || host.endsWith(".ghcr.io")) return "github";
  if (host === "registry.gitlab.com" || host.startsWith("registry.gitlab.")) return "gitlab";
  if (/\.dkr\.ecr\..+\.amazonaws\.com(\.cn)?$/.test(host) || host === "public.ecr.aws") return "ecr";
  if (host === "gcr.io" || host.endsWith(".gcr.io") || host.endsWith(".pkg.dev")) return "google";
  if (host.endsWith(".azurecr.io")) return "azure";
  if (host.includes("harbor")) return "harbor";
  return "other";
}

/** What the list calls a registry; its address where there is no better name. */
export function registryName(address: string): string {
  const kind = kindOf(address);
  return kind === "other" || kind === "harbor" ? address : KINDS[kind].name;
}

/** Where a login is, in a few words: for the list. */
export function keptWords(kept: Kept): string {
  switch (kept.type) {
    case "helper":
      return `kept by ${kept.program}`;
    case "keychain":
      return kept.terminal ? "in the keychain, for the terminal too" : "in this computer's keychain";
    case "session":
      return "until Wherry quits";
    case "configFile":
      return "readable in docker's configuration";
  }
}

/** A place for a login: what it is called, and what choosing it means. */
export function placeWords(place: Kept, config: string): { title: string; detail: string; warn: boolean } {
  switch (place.type) {
    case "helper":
      return {
        title: "With docker's own logins",
        detail: `${place.program} keeps it, as for the docker command. Your terminal is signed in, too.`,
        warn: false,
      };
    case "keychain":
      return {
        title: "This computer's keychain",
        detail: place.terminal
          ? `Your terminal is signed in, too: ${config} says to ask Wherry for it.`
          : "For Wherry alone. Your terminal is not signed in by it.",
        warn: false,
      };
    case "session":
      return { title: "Only until Wherry quits", detail: "In memory. Your terminal is not signed in.", warn: false };
    case "configFile":
      return {
        title: `In ${config}`,
        detail: "Readable text on disk, as docker login does without a helper. Your terminal is signed in, too.",
        warn: true,
      };
  }
}

export function placeKey(place: Kept): string {
  return place.type;
}

export function greetingWords(greeting: Greeting): string {
  const how = greeting.encrypted ? "" : ", without encryption";
  return `Answers in ${greeting.millis} ms${how}`;
}

/** "Signed in as ada", and what to say where a token names nobody. */
export function userWords(entry: RegistryEntry): string | null {
  if (entry.user === null) return null;
  return entry.user === "" ? "A token" : entry.user;
}

/** What the strip shows. A secret is never in it: docker asks for it. */
export function loginCommand(address: string, user: string): string {
  const where = address === "docker.io" ? "" : ` ${address || "REGISTRY"}`;
  return `docker login${where} --username ${user.trim() || "USER"}`;
}

export function logoutCommand(address: string): string {
  return address === "docker.io" ? "docker logout" : `docker logout ${address}`;
}
